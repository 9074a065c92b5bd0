"""SQLite as the embedded database: WAL, synchronous=FULL, one writer thread in each process.

FULL, because in WAL mode NORMAL does not make a commit durable (8 fdatasyncs per 200 commits
against 209). Only groups of nothing but leases are committed with NORMAL: when the power fails,
the process that held them is gone too. A lock file makes sure that no other server writes; the
processes of one server share it and write in turns.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import event, exc

from hookwright_server.store.acceptance import Acceptance
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import StoreLocked, StoreRefused, StoreUnavailable
from hookwright_server.store.reading import read_carefully
from hookwright_server.store.turn import Turn
from hookwright_server.store.writer import Wake, Writer, WriterLimits
from hookwright_server.telemetry.meters import SILENT, WriterMeter

T = TypeVar("T")

_BUSY_TIMEOUT_MS = 10_000
_FULL = 2
_READERS = 80  # more than the API has threads
_WRITER_CACHE_KIB = 32 * 1024
# The hottest pages change in every group: the less often they are copied back, the better.
_CHECKPOINT_PAGES = 8_000


class SqliteDatabase:
    """See `Database`. Holds the file's lock until it is closed in every process that shares it."""

    def __init__(
        self,
        path: Path,
        wake: Wake = lambda: None,
        limits: WriterLimits | None = None,
        meter: WriterMeter = SILENT,
        *,
        lock: int | None = None,
    ) -> None:
        """Open `path`, creating it readable by its owner alone.

        `wake` is called after each committed group that may have made deliveries due. `lock` is
        the inherited `lock` of the process that has opened the file for this one too.
        Raises StoreLocked when another process has it open, StoreRefused when the file cannot
        be had in WAL mode with synchronous=FULL. The tables are `migrations.migrate`'s matter.
        """
        self.lock = _lock(path) if lock is None else lock
        """The file descriptor that keeps other servers off."""
        try:
            _create(path)
            self._turn = Turn(path)
            self.engine = _engine(path, begin="BEGIN IMMEDIATE", read_only=False)
            self.read_engine = _engine(path, begin="BEGIN", read_only=True)
            _verify(self.engine)
        except BaseException:
            os.close(self.lock)
            raise
        self._is_open = True
        self._writer = Writer(_SqliteBackend(self.engine, self._turn), wake, limits, meter)

    def read(self, work: Callable[[Connection], T]) -> T:
        return read_carefully(self.read_engine, lambda: self._read(work))

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self.read_engine.begin() as connection:
            return work(connection)

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
        if self._is_open:
            self._is_open = False
            self._turn.close()
            os.close(self.lock)


class _SqliteBackend:
    """See `Backend`. A failure of the file itself may have undone the whole transaction."""

    # Hot statements run on the driver's own connection, whose errors come unwrapped.
    _TROUBLE = (exc.OperationalError, sqlite3.OperationalError)

    def __init__(self, engine: sa.Engine, turn: Turn) -> None:
        self._engine = engine
        self._turn = turn

    def await_turn(self) -> None:
        self._turn.take()

    def pass_turn(self) -> None:
        self._turn.give()

    def transact(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        self._turn.take()
        try:
            return self._transact(work, durable=durable)
        finally:
            self._turn.give()

    def _transact(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        with self._engine.connect() as connection:
            _set_durable(connection, durable)
            with connection.begin():
                return work(connection)

    def spoils(self, error: Exception) -> bool:
        return isinstance(error, self._TROUBLE)

    def blocks(self, error: Exception) -> bool:
        return False  # whoever writes has the whole file

    def translated(self, error: Exception) -> Exception:
        if not isinstance(error, self._TROUBLE):
            return error
        unavailable = StoreUnavailable(f"the database failed: {error}")
        unavailable.__cause__ = error
        return unavailable


def read_only_engine(path: Path) -> sa.Engine:
    """Readers of a database that a server may have open at the same time (`doctor`)."""
    if not path.is_file():
        raise StoreRefused(f"{path} does not exist; `hookwright-server serve` creates it")
    return _engine(path, begin="BEGIN", read_only=True)


def durability(path: Path) -> tuple[str, int]:
    """The file's `journal_mode`, and the `synchronous` that a writer here would commit with."""
    engine = read_only_engine(path)
    try:
        with engine.connect() as connection:
            _set_durable(connection, True)
            return _modes(connection)
    finally:
        engine.dispose()


def _lock(path: Path) -> int:
    lock_path = path.with_name(path.name + ".lock")
    try:
        handle = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreRefused(f"{lock_path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        raise StoreLocked(
            f"{path} is in use by process {holder}: one server at a time may open it; "
            "stop that one or give another --database"
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
    return handle


def _create(path: Path) -> None:
    # SQLite gives the -wal and -shm files the mode of the database file.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreRefused(f"{path} cannot be opened: {error.strerror}") from error


def _engine(path: Path, *, begin: str, read_only: bool) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        hide_parameters=True,  # an error's text goes to the log, secrets must not
        pool_size=_READERS if read_only else 1,
        max_overflow=-1 if read_only else 0,
        pool_reset_on_return="rollback" if read_only else None,
        connect_args={"isolation_level": None, "cached_statements": 512},
    )

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _modes(connection: Connection) -> tuple[str, int]:
    mode: str = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    level: int = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
    return mode, level


def _set_durable(connection: Connection, durable: bool) -> None:
    # On the driver's connection: SQLAlchemy would begin a transaction, where this is refused.
    if connection.info.get("durable") is not durable:
        raw = cast("sqlite3.Connection", connection.connection.driver_connection)
        raw.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.info["durable"] = durable


def _verify(engine: sa.Engine) -> None:
    try:
        with engine.connect() as connection:
            mode, level = _modes(connection)
    except exc.DatabaseError as error:
        raise StoreRefused(f"{engine.url.database} is not usable: {error.orig}") from error
    if (mode, level) != ("wal", _FULL):
        raise StoreRefused(
            f"{engine.url.database} runs with journal_mode={mode}, synchronous={level}; "
            f"the server promises durability only with wal and {_FULL} (FULL)"
        )
