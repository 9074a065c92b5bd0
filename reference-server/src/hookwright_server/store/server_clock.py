"""The clock of the Postgres server, as samples for `DatabaseClock`, and who keeps looking at it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from hookwright_server.clock import ClockSample, DatabaseClock
from hookwright_server.store.database import Connection, Database
from hookwright_server.store.errors import StoreError

_log = logging.getLogger(__name__)

_EVERY_S = 3.0
_NOW = sa.text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")


def server_clock(
    database: Database, monotonic_ns: Callable[[], int] = time.monotonic_ns
) -> DatabaseClock:
    """The clock of the server behind `database`. Raises StoreUnavailable."""

    def look(connection: Connection) -> ClockSample:
        # Inside the transaction, so that neither its beginning nor a new connection counts.
        asked = monotonic_ns()
        shown: int = connection.execute(_NOW).scalar_one()
        return ClockSample(asked, shown, monotonic_ns())

    return DatabaseClock(lambda: database.read(look), monotonic_ns)


class ClockKeeper:
    """Looks at the server's clock every three seconds, on a thread of its own."""

    def __init__(self, clock: DatabaseClock, every_s: float = _EVERY_S) -> None:
        self._clock = clock
        self._every_s = every_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hookwright-clock", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End; the clock goes on by itself."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            try:
                self._clock.measure()
            except StoreError as error:  # the monotonic clock goes on without it
                _log.warning("clock_not_measured error=%s", error)
