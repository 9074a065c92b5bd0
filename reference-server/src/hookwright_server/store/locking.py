"""Rows that a transaction is about to change are locked when it reads them.

SQLite needs none of this: there is one writer, and it has the database for itself.
"""

from __future__ import annotations

from typing import Any, TypeVar

import sqlalchemy as sa

from hookwright_server.store.database import Connection

WRITING = "hookwright_writing"
"""The execution option of connections that write beside other processes."""

Selected = TypeVar("Selected", bound=sa.Select[Any])


def is_shared_writing(tx: Connection) -> bool:
    """Whether this transaction writes, and others may write at the same time."""
    return bool(tx.get_execution_options().get(WRITING))


def for_change(tx: Connection, select: Selected, table: sa.Table) -> Selected:
    """`select`, whose rows of `table` no other transaction changes until this one ends.

    In a transaction that only reads, `select` as it is.
    """
    return select.with_for_update(of=table) if is_shared_writing(tx) else select


def alone_with(tx: Connection, key: int) -> None:
    """Wait until no other transaction holds `key` (64 bits, signed); hold it until the end."""
    if is_shared_writing(tx):
        tx.execute(_LOCK, {"key": key})


def alone_now(tx: Connection, key: int) -> bool:
    """Whether no other transaction holds `key`; if so, hold it until the end."""
    return not is_shared_writing(tx) or bool(tx.execute(_TRY, {"key": key}).scalar_one())


_LOCK = sa.text("SELECT pg_advisory_xact_lock(:key)")
_TRY = sa.text("SELECT pg_try_advisory_xact_lock(:key)")
