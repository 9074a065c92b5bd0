"""The store as the rest of the server sees it: reads, writes, and the trigger's group commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

import sqlalchemy as sa

from hookwright_server.store.acceptance import Acceptance

T = TypeVar("T")

Connection = sa.Connection


class Database(Protocol):
    """One database of accounts, messages and deliveries.

    A `work` function gets a connection inside a transaction. It must not commit, keep the
    connection, or wait for anything but the database.
    """

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the calling thread in a snapshot of what is committed.

        Raises StoreUnavailable when the database itself fails.
        """
        ...

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction and return its result after the commit.

        An exception of `work` undoes what it did and is raised here.
        Raises WriterBusy (nothing was written) and WriteUnknown (the wait ran out).
        """
        ...

    def submit(self, work: Callable[[Connection], T], *, durable: bool = True) -> Future[T]:
        """Like `write`, without waiting and never refused: for the delivery engine.

        `durable=False` is for leases and their renewal: the commit survives the death of the
        process, but a loss of power may undo it (never anything committed before it).
        """
        ...

    def accept(self, acceptance: Acceptance) -> None:
        """Write one accepted trigger; return after the commit.

        Raises StaleSubscriptions, RecordExists and WriterBusy (nothing was written), and
        WriteUnknown (the wait ran out).
        """
        ...

    def accept_all(self, acceptances: Sequence[Acceptance]) -> list[Exception | None]:
        """Write many, each by itself; say for each why it was not written, if so."""
        ...

    def queued(self) -> int:
        """How many jobs wait for the writer now."""
        ...

    def close(self) -> None:
        """Finish what has been queued and let go of the database; closing twice is harmless."""
        ...
