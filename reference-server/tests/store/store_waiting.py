"""Waiting for what other threads do: by what they say, never by how long it should take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from hookwright_server.store.database import Connection, Database
from hookwright_server.store.postgres import PostgresTimeouts

PATIENCE_S = 240.0
# For transactions that stand still while a slow machine does the rest of a test.
PATIENT = PostgresTimeouts(lock_s=20, statement_s=25, idle_s=20, answer_s=30)

_WAITING_FOR_LOCKS = sa.text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Gate:
    """Holds the writer inside a job, so that what follows gathers into one group.

    That the queue is empty would not tell: the writer takes a job from there before it begins,
    and takes more into the same group meanwhile.
    """

    def __init__(self, database: Database) -> None:
        self._entered = threading.Event()
        self._open = threading.Event()
        self._held = database.submit(self._hold)
        assert self._entered.wait(PATIENCE_S)

    def release(self) -> None:
        """Let the writer go on."""
        self._open.set()
        self._held.result(PATIENCE_S)

    def _hold(self, _connection: Connection) -> None:
        self._entered.set()
        self._open.wait(PATIENCE_S)


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; fails after a deadline."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.002)


def somebody_waits_for_a_lock(database: Database) -> bool:
    """Whether a connection to this Postgres database waits for another's transaction."""
    return 0 < database.read(lambda c: int(c.execute(_WAITING_FOR_LOCKS).scalar_one()))
