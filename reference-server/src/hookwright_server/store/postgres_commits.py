"""Transactions on Postgres, of which it is known whether they were committed.

When the connection breaks during COMMIT, the server may have committed and its answer may be
lost. So each transaction that writes also writes its number into the one row that this process
has in `writers`. After a break that row is read, once the lost transaction is over: it holds the
number, or nothing was written and all of it can be run again. Only when the server cannot be
asked is the outcome unknown, and then it is said so. (Decision 0015: why the server's own
transaction ids do not tell.)
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import TypeVar, cast

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.errors import StoreUnavailable, WriteUnknown
from hookwright_server.store.postgres_driver import (
    BoundedConnection,
    is_exhausted,
    is_gone,
    is_locked,
    is_to_repeat,
    translated,
)

T = TypeVar("T")

_log = logging.getLogger(__name__)

_TRIES = 4
_PAUSE_S = 0.02
_ASKED_FOR_S = 5.0
_ASK_EVERY_S = 0.05

# The condition is true when the transaction has written something before this.
_NOTE = """
INSERT INTO writers AS w (id, number, seen_at)
SELECT %s::text, %s::bigint, (extract(epoch FROM now()) * 1000)::bigint
WHERE pg_current_xact_id_if_assigned() IS NOT NULL
ON CONFLICT (id) DO UPDATE SET number = excluded.number, seen_at = excluded.seen_at
"""
# Waits for the lost transaction, which holds the row.
_NOTED = sa.text("""
INSERT INTO writers AS w (id, number, seen_at)
VALUES (:id, 0, CAST(extract(epoch FROM now()) * 1000 AS bigint))
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
RETURNING w.number
""")
_END_OTHERS = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = :name AND pid <> pg_backend_pid()"
)


class _NotCommittedError(StoreUnavailable):
    """The connection broke, and the server says that nothing was written."""


class PostgresBackend:
    """See `Backend`. The lease of a claim is as durable as anything else here: a server that
    came back without it would hand a delivery out twice."""

    def __init__(
        self, engine: sa.Engine, writer_id: str, *, asked_for_s: float = _ASKED_FOR_S
    ) -> None:
        """`writer_id` is also the application name of the engine's connections, and no other's.

        `asked_for_s`: until when a look at what became of a broken commit is begun; the last one
        may take as long again as a connection and its two statements may.
        """
        self._engine = engine
        self._writer_id = writer_id
        self._asked_for_s = asked_for_s
        self._number = 0

    def await_turn(self) -> None:
        """The server serves all of them at once."""

    def pass_turn(self) -> None:
        """See `await_turn`."""

    def transact(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        was_gone = False
        for left in reversed(range(_TRIES)):
            try:
                return self._once(work)
            except WriteUnknown:
                raise
            except Exception as error:
                if is_gone(error) or isinstance(error, _NotCommittedError):
                    # Once: it may have been this connection alone, from before a restart.
                    if was_gone:
                        raise translated(error) from error
                    was_gone = True
                elif is_exhausted(error):
                    raise translated(error) from error
                elif not is_to_repeat(error) or not left:
                    raise
                else:
                    time.sleep(_PAUSE_S)
        raise StoreUnavailable("the database failed again and again")

    def spoils(self, error: Exception) -> bool:
        return is_gone(error) or is_to_repeat(error) or is_exhausted(error)

    def blocks(self, error: Exception) -> bool:
        return is_locked(error)

    def translated(self, error: Exception) -> Exception:
        return translated(error)

    def _once(self, work: Callable[[Connection], T]) -> T:
        self._number += 1
        connection = self._engine.connect()
        raw = cast("BoundedConnection", connection.connection.driver_connection)
        try:
            transaction = connection.begin()
            result = work(connection)
            raw.execute(_NOTE, (self._writer_id, self._number))
            try:
                transaction.commit()
            except Exception as error:
                if not raw.closed:
                    raise  # the server has answered, and the answer is no
                _log.warning("commit_broken error=%r", error)
            else:
                return result
        finally:
            if raw.closed:
                connection.invalidate()  # nobody may find it in the pool
            connection.close()
        self._find_out()
        return result

    def _find_out(self) -> None:
        """Return when the last transaction was committed. Raises WriteUnknown."""
        until = time.monotonic() + self._asked_for_s
        while (noted := self._noted()) is None:
            if time.monotonic() >= until:
                raise WriteUnknown("the connection broke during the commit; it may have happened")
            time.sleep(_ASK_EVERY_S)
        if noted != self._number:
            raise _NotCommittedError("the connection broke before the commit")

    def _noted(self) -> int | None:
        """The number of the last transaction that was committed; None: not to be had now."""
        try:
            with self._engine.begin() as connection:
                # The server may not have noticed the break, and would hold the row for a while.
                connection.execute(_END_OTHERS, {"name": self._writer_id})
                number: int = connection.execute(_NOTED, {"id": self._writer_id}).scalar_one()
                return number
        except Exception as error:
            if not isinstance(translated(error), StoreUnavailable):
                raise
            return None  # not back yet


def new_writer_id() -> str:
    """A name that no other writer has had."""
    return f"hookwright-writer-{secrets.token_hex(12)}"
