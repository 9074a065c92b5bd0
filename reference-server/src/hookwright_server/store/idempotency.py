"""Idempotency records: one for each key, route, account and environment, for 24 hours."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.store.acceptance import NewRecord
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import RecordExists
from hookwright_server.store.locking import alone_with
from hookwright_server.store.tables import idempotency_records as records
from hookwright_server.store.upserts import insert_into


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A stored record; `status` and `response_sealed` are None while the first one runs."""

    fingerprint: bytes
    status: int | None
    response_sealed: bytes | None
    started_at: int


def find(tx: Connection, scope: bytes, now_ms: int) -> RecordRow | None:
    """The record of `scope`, unless it has expired.

    In a transaction that writes, others who ask for it then wait for the end of that: the same
    request, sent to two processes, runs once.
    """
    alone_with(tx, int.from_bytes(scope[:8], signed=True))
    select = sa.select(*(records.c[name] for name in RecordRow.__dataclass_fields__)).where(
        records.c.scope == scope, records.c.expires_at > now_ms
    )
    row = tx.execute(select).one_or_none()
    return None if row is None else RecordRow(*row)


def start(tx: Connection, record: NewRecord) -> None:
    """Say that the first request with this key runs now; it has no result yet."""
    _write(tx, record, status=None, response_sealed=None)


def finish(tx: Connection, record: NewRecord) -> None:
    """Keep the response that repeated requests get.

    Raises RecordExists when a trigger with the same key was accepted at the same moment.
    """
    _write(tx, record, status=record.status, response_sealed=record.response_sealed)


def drop(tx: Connection, scope: bytes) -> None:
    """Forget a record: its key is free again."""
    tx.execute(records.delete().where(records.c.scope == scope))


def _write(
    tx: Connection, record: NewRecord, *, status: int | None, response_sealed: bytes | None
) -> None:
    values = {name: getattr(record, name) for name in NewRecord.__dataclass_fields__}
    values |= {"status": status, "response_sealed": response_sealed}
    insert = insert_into(tx, records).values(values)
    new = insert.excluded
    over = sa.or_(records.c.expires_at <= new.started_at, records.c.status.is_(None))
    statement = insert.on_conflict_do_update(
        index_elements=[records.c.scope],
        set_={name: new[name] for name in values if name != "scope"},
        where=over,
    )
    if tx.execute(statement).rowcount != 1:
        raise RecordExists(record.scope)
