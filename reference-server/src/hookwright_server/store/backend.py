"""What the writer asks of a back end: to run one transaction, and to tell whose an error is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from hookwright_server.store.database import Connection

T = TypeVar("T")


class Backend(Protocol):
    """How one kind of database runs transactions. Used by the writer's thread alone."""

    def await_turn(self) -> None:
        """Return when a transaction may begin: what is queued meanwhile becomes a part of it.

        The next `transact` ends the turn, or `pass_turn` does.
        """
        ...

    def pass_turn(self) -> None:
        """There is nothing to be written after all."""
        ...

    def transact(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        """Run `work` in one transaction and return its result after the commit.

        `durable`: whether the commit must outlive a loss of power. `work` may be run again.
        Raises StoreUnavailable when the database is away, so that repeating the transaction in
        parts makes no sense, WriteUnknown when nobody knows whether it was committed, and every
        other error as it came.
        """
        ...

    def spoils(self, error: Exception) -> bool:
        """Whether the whole transaction is lost after `error`, not only the last statement."""
        ...

    def blocks(self, error: Exception) -> bool:
        """Whether another transaction held something for too long, which others may want too."""
        ...

    def translated(self, error: Exception) -> Exception:
        """`error` as the store raises it: the database's own trouble becomes StoreUnavailable."""
        ...
