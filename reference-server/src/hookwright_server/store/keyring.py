"""Probes of the sealing keys: a known text under each key that was ever current."""

from __future__ import annotations

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.tables import keyring
from hookwright_server.store.upserts import insert_into


def probes(tx: Connection) -> dict[str, bytes]:
    """The sealed probe of each key id."""
    rows = tx.execute(sa.select(keyring.c.key_id, keyring.c.probe_sealed))
    return {row.key_id: row.probe_sealed for row in rows}


def insert(tx: Connection, key_id: str, probe_sealed: bytes) -> None:
    """Remember a key, unless another process has just done so."""
    statement = insert_into(tx, keyring).values(key_id=key_id, probe_sealed=probe_sealed)
    tx.execute(statement.on_conflict_do_nothing())


def retire_others(tx: Connection, current: str) -> None:
    """Forget every key but the current one: nothing is sealed under them any more."""
    tx.execute(keyring.delete().where(keyring.c.key_id != current))
