"""Transactions on Postgres, of which it is known whether they were committed.

When the connection breaks during COMMIT, the server may have committed and its answer may be
lost. Then the server is asked what became of the transaction (`pg_xact_status`), by its number,
which was learned just before: "committed" is an answer like any other, "aborted" means that
nothing was written and all of it can be run again. Only while the server cannot be asked for
some seconds is the outcome unknown, and then it is said so. See decision 0011.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar, cast

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.errors import StoreUnavailable, WriteUnknown
from hookwright_server.store.postgres_driver import (
    BoundedConnection,
    is_gone,
    is_to_repeat,
    translated,
)

T = TypeVar("T")

_log = logging.getLogger(__name__)

_TRIES = 4
_PAUSE_S = 0.02
_ASKED_FOR_S = 5.0
_ASK_EVERY_S = 0.05


class _NotCommittedError(StoreUnavailable):
    """The connection broke, and the server says that nothing was written."""


class PostgresBackend:
    """See `Backend`. The lease of a claim is as durable as anything else here: a server that
    came back without it would hand a delivery out twice."""

    def __init__(self, engine: sa.Engine, *, asked_for_s: float = _ASKED_FOR_S) -> None:
        """`asked_for_s`: how long the server is asked what became of a broken commit."""
        self._engine = engine
        self._asked_for_s = asked_for_s

    def transact(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        was_gone = False
        for left in reversed(range(_TRIES)):
            try:
                return self._once(work)
            except WriteUnknown:
                raise
            except Exception as error:
                if _is_away(error):
                    # Once: it may have been this connection alone, from before a restart.
                    if was_gone:
                        raise translated(error) from error
                    was_gone = True
                elif not is_to_repeat(error) or not left:
                    raise
                else:
                    time.sleep(_PAUSE_S)
        raise StoreUnavailable("the database failed again and again")

    def spoils(self, error: Exception) -> bool:
        return is_gone(error) or is_to_repeat(error)

    def translated(self, error: Exception) -> Exception:
        return translated(error)

    def _once(self, work: Callable[[Connection], T]) -> T:
        connection = self._engine.connect()
        raw = cast("BoundedConnection", connection.connection.driver_connection)
        try:
            transaction = connection.begin()
            result = work(connection)
            number = _number(raw)
            process = raw.info.backend_pid
            try:
                transaction.commit()
            except Exception as error:
                if not raw.closed:
                    raise  # the server has answered, and the answer is no
                _log.warning("commit_broken transaction=%s error=%r", number, error)
                lost = number
            else:
                return result
        finally:
            if raw.closed:
                connection.invalidate()  # nobody may find it in the pool
            connection.close()
        if lost is not None:
            self._find_out(lost, process)
        return result

    def _find_out(self, number: str, process: int) -> None:
        """Return when the transaction was committed. Raises WriteUnknown."""
        until = time.monotonic() + self._asked_for_s
        while (status := self._asked(number, process)) != "committed":
            if status == "aborted":
                raise _NotCommittedError
            if time.monotonic() >= until:
                raise WriteUnknown("the connection broke during the commit; it may have happened")
            time.sleep(_ASK_EVERY_S)

    def _asked(self, number: str, process: int) -> str | None:
        try:
            with self._engine.begin() as connection:
                status: str | None = connection.scalar(_STATUS, {"number": number})
                if status == "in progress":  # its process has not noticed the break yet
                    connection.execute(_END, {"process": process})
        except Exception as error:  # the server is not back yet
            if not isinstance(translated(error), StoreUnavailable):
                raise
            return None
        return status


_STATUS = sa.text("SELECT pg_xact_status(CAST(:number AS xid8))")
_END = sa.text("SELECT pg_terminate_backend(:process)")


def _is_away(error: Exception) -> bool:
    return is_gone(error) or isinstance(error, _NotCommittedError)


def _number(raw: BoundedConnection) -> str | None:
    """The transaction's number; None when it has written nothing."""
    row = raw.execute("SELECT pg_current_xact_id_if_assigned()::text").fetchone()
    return None if row is None else cast("str | None", row[0])
