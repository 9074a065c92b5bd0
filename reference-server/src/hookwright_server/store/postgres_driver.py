"""psycopg, with a bound on every wait; and what its errors mean."""

from __future__ import annotations

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.rows import TupleRow
from sqlalchemy import exc

from hookwright_server.store.errors import StoreUnavailable, TookTooLong

# A statement or the transaction is simply to be repeated.
_AGAIN = frozenset({"40001", "40P01"})
# This connection is of no use any more, or the whole server: shutdown, start, fail-over, too many.
_GONE_CLASSES = ("08", "57P")
_GONE = frozenset({"25P03", "25006", "53300"})
# The next statement would fare no better: out of disk, out of memory, ended by its timeout.
_TIMED_OUT = "57014"
_EXHAUSTED = frozenset({"53100", "53200", _TIMED_OUT})
_LOCKED = frozenset({"55P03"})
_OWN = (psycopg.IntegrityError, psycopg.DataError)


class BoundedConnection(psycopg.Connection[TupleRow]):
    """Gives up, and closes itself, when the server has not answered for `answer_s` seconds.

    Neither timeouts of the server nor those of TCP help against a network in between that takes
    everything and passes on nothing.
    """

    answer_s: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        bound = self.answer_s if timeout is None else timeout
        try:
            return super().wait(gen, interval, bound)
        except psycopg.OperationalError as error:
            if timeout is None and type(error).__name__ == "_WaitTimeout":
                self.pgconn.finish()
                told = f"the server has not answered for {bound} s"
                raise psycopg.OperationalError(told) from None
            raise


def original(error: BaseException) -> BaseException:
    """The driver's error inside SQLAlchemy's."""
    return error.orig or error if isinstance(error, exc.DBAPIError) else error


def is_gone(error: BaseException) -> bool:
    """Whether the connection, or the server behind it, cannot be used any more."""
    found = original(error)
    if not isinstance(found, psycopg.Error):
        return False
    if found.sqlstate is None:
        return isinstance(found, psycopg.OperationalError | psycopg.InterfaceError)
    return found.sqlstate in _GONE or found.sqlstate.startswith(_GONE_CLASSES)


def is_to_repeat(error: BaseException) -> bool:
    """Whether the transaction lost against another one: a deadlock, a conflict."""
    return _sqlstate(error) in _AGAIN


def is_exhausted(error: BaseException) -> bool:
    """Whether the server cannot, for now, though the connection is a good one."""
    return _sqlstate(error) in _EXHAUSTED


def is_locked(error: BaseException) -> bool:
    """Whether another transaction held a lock for longer than ours waits."""
    return _sqlstate(error) in _LOCKED


def _sqlstate(error: BaseException) -> str | None:
    found = original(error)
    return found.sqlstate if isinstance(found, psycopg.Error) else None


def translated(error: Exception) -> Exception:
    """The store's error for one of the database; data that breaks a rule stays what it is."""
    found = original(error)
    of_database = isinstance(found, psycopg.Error) and not isinstance(found, _OWN)
    if not of_database and not isinstance(found, exc.TimeoutError):
        return error
    kind = TookTooLong if _sqlstate(error) == _TIMED_OUT else StoreUnavailable
    unavailable = kind(f"the database failed: {str(found).strip()}")
    unavailable.__cause__ = error
    return unavailable
