"""Postgres as the database of many processes: one writing connection each, a few that read.

What ends a wait, from the inside out: a lock (`lock_s`), a statement (`statement_s`), and, when
the server itself is silent, the answer (`answer_s`, measured here). So a network that swallows
everything costs seconds, never a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc

from hookwright_server.store.acceptance import Acceptance
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import StoreRefused
from hookwright_server.store.locking import WRITING
from hookwright_server.store.postgres_commits import PostgresBackend, new_writer_id
from hookwright_server.store.postgres_driver import BoundedConnection
from hookwright_server.store.reading import read_carefully
from hookwright_server.store.writer import Wake, Writer, WriterLimits
from hookwright_server.telemetry.meters import SILENT, WriterMeter

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PostgresTimeouts:
    """Seconds. `idle_s` ends the transaction of a process that has stopped in the middle of it."""

    connect_s: int = 3
    lock_s: float = 2.0
    statement_s: float = 8.0
    idle_s: float = 5.0
    answer_s: float = 9.0
    place_s: float = 5.0  # for a free connection of the readers


class PostgresDatabase:
    """See `Database`."""

    def __init__(
        self,
        url: str,
        wake: Wake = lambda: None,
        limits: WriterLimits | None = None,
        *,
        readers: int = 8,
        meter: WriterMeter = SILENT,
        timeouts: PostgresTimeouts | None = None,
    ) -> None:
        """Connections are made when they are needed: the server may be away now.

        Raises StoreRefused when `url` is none.
        """
        times = timeouts or PostgresTimeouts()
        name = new_writer_id()
        writing = _engine(url, name, _WRITING, times, connections=1, spare=1)
        self.engine = writing.execution_options(**{WRITING: True})
        self.read_engine = _engine(url, _READER, _READING, times, connections=readers, spare=0)
        self._writer = Writer(PostgresBackend(self.engine, name), wake, limits, meter)

    def read(self, work: Callable[[Connection], T]) -> T:
        return read_carefully(self.read_engine, lambda: self._read(work))

    def write(self, work: Callable[[Connection], T]) -> T:
        return self._writer.write(work)

    def submit(self, work: Callable[[Connection], T], *, durable: bool = True) -> Future[T]:
        return self._writer.submit(work, durable=durable)

    def accept(self, acceptance: Acceptance) -> None:
        self._writer.accept(acceptance)

    def accept_all(self, acceptances: Sequence[Acceptance]) -> list[Exception | None]:
        return self._writer.accept_all(acceptances)

    def queued(self) -> int:
        return self._writer.queued()

    def close(self) -> None:
        self._writer.close()
        self.read_engine.dispose()
        self.engine.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self.read_engine.begin() as connection:
            return work(connection)


# A plan may be kept from a time when a table was nearly empty, so sequential scans are ruled out
# where speed is a promise; compiling a plan costs more than any of these statements.
_READER = "hookwright-reader"
_COMMON = {"jit": "off"}
_WRITING = _COMMON | {"enable_seqscan": "off"}
_READING = _COMMON | {
    "default_transaction_isolation": "repeatable\\ read",
    "default_transaction_read_only": "on",
}


def _engine(
    url: str,
    name: str,
    settings: dict[str, str],
    times: PostgresTimeouts,
    *,
    connections: int,
    spare: int,
) -> sa.Engine:
    try:
        parsed = sa.make_url(url).set(drivername="postgresql+psycopg")
    except (exc.ArgumentError, ValueError) as error:
        raise StoreRefused(
            "this is no URL of a Postgres database: postgresql://user:password@host:5432/name"
        ) from error
    milliseconds = {
        "lock_timeout": times.lock_s,
        "statement_timeout": times.statement_s,
        "idle_in_transaction_session_timeout": times.idle_s,
    }
    every = settings | {name: str(int(each * 1000)) for name, each in milliseconds.items()}
    engine = sa.create_engine(
        parsed,
        hide_parameters=True,  # an error's text goes to the log, secrets must not
        pool_size=connections,
        max_overflow=spare,
        pool_timeout=times.place_s,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": times.connect_s,
            "application_name": name,
            "options": " ".join(f"-c {name}={value}" for name, value in every.items()),
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": int(times.answer_s * 1000),
        },
    )

    def connect(_dialect: object, _record: object, _args: Any, params: Any) -> object:
        opened = BoundedConnection.connect(**params)
        opened.answer_s = times.answer_s
        return opened

    event.listen(engine, "do_connect", connect)
    return engine
