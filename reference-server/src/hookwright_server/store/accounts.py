"""Accounts: the owners of everything."""

from __future__ import annotations

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.locking import alone_with
from hookwright_server.store.tables import accounts

_FIRST = int.from_bytes(b"account1")


def exists(tx: Connection, account_id: str | None = None) -> bool:
    """Whether this account is there; with None any, and the first start finds none."""
    select = sa.select(accounts.c.id).limit(1)
    if account_id is not None:
        select = select.where(accounts.c.id == account_id)
    return tx.execute(select).first() is not None


def none_yet(tx: Connection) -> bool:
    """Whether there is no account at all, and no other process is about to make the first."""
    alone_with(tx, _FIRST)
    return not exists(tx)


def insert(tx: Connection, account_id: str, name: str, created_at: int) -> None:
    """A new account with the server's default limits."""
    tx.execute(accounts.insert().values(id=account_id, name=name, created_at=created_at))


def ids(tx: Connection, limit: int) -> tuple[str, ...]:
    """The ids of the oldest accounts."""
    return tuple(
        tx.execute(sa.select(accounts.c.id).order_by(accounts.c.id).limit(limit)).scalars()
    )
