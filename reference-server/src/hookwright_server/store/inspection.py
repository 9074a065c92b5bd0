"""All that can be seen of a database from outside, while a server may have it open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from hookwright_server.store import migrations
from hookwright_server.store.audit import Finding, audit
from hookwright_server.store.database import Connection
from hookwright_server.store.sqlite import durability, read_only_engine
from hookwright_server.store.tables import (
    deliveries,
    endpoints,
    idempotency_records,
    keyring,
    signing_secrets,
)

_LEVELS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
_RECORDS_LOOKED_AT = 1_000  # idempotency records, of which there may be millions
_UNKNOWN = {"journal_mode": "unknown", "synchronous": "unknown"}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed value, and what it was sealed as."""

    row_id: str
    sealed_as: str
    blob: bytes


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found. `durability`: what decides whether a commit outlives a loss of power, by
    the database's own names. `oldest_due_ms`: how long the delivery that has waited longest is due.
    """

    schema: str | None
    durability: Mapping[str, str]
    findings: tuple[Finding, ...]
    statuses: Mapping[str, int] = field(default_factory=dict[str, int])
    oldest_due_ms: int | None = None
    sealed: tuple[Sealed, ...] = ()


def inspect(path: Path, now_ms: int) -> Inspection:
    """Look at everything in a SQLite file, in one snapshot.

    Raises StoreRefused when there is no such file.
    """
    engine = read_only_engine(path)
    try:
        journal_mode, synchronous = durability(path)
        modes = {"journal_mode": journal_mode, "synchronous": _LEVELS.get(synchronous, "unknown")}
        with engine.connect() as connection:
            return inspect_tables(connection, now_ms, durability=modes)
    except (exc.DatabaseError, engine.dialect.loaded_dbapi.DatabaseError) as error:
        told = str(error.orig) if isinstance(error, exc.DatabaseError) else str(error)
        damaged = Finding("integrity", "the database file is damaged", 1, (told,), is_fault=True)
        return Inspection(None, _UNKNOWN, (damaged,))
    finally:
        engine.dispose()


def inspect_tables(
    connection: Connection,
    now_ms: int,
    *,
    durability: Mapping[str, str],
    found: tuple[Finding, ...] = (),
) -> Inspection:
    """Look at the rows, in the connection's transaction; `found` has been found before."""
    schema = migrations.version(connection)
    if schema != migrations.HEAD:
        meaning = f"the tables are of schema {schema}, this version works on {migrations.HEAD}"
        finding = Finding("schema", meaning, 1, (str(schema),), is_fault=True)
        return Inspection(schema, durability, (*found, finding))
    return Inspection(
        schema,
        durability,
        (*found, *audit(connection, now_ms)),
        _statuses(connection),
        _oldest_due_ms(connection, now_ms),
        _sealed(connection),
    )


def _statuses(connection: Connection) -> dict[str, int]:
    status = deliveries.c.status
    query = sa.select(status, sa.func.count()).group_by(status).order_by(status)
    return {row[0]: row[1] for row in connection.execute(query)}


def _oldest_due_ms(connection: Connection, now_ms: int) -> int | None:
    due_at: int | None = connection.scalar(
        sa.select(sa.func.min(deliveries.c.next_attempt_at))
        .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
        .where(deliveries.c.status == "pending", deliveries.c.next_attempt_at <= now_ms)
        .where(endpoints.c.active, endpoints.c.deleted_at.is_(None))
    )
    return None if due_at is None else now_ms - due_at


def _sealed(connection: Connection) -> tuple[Sealed, ...]:
    e, s, k, r = endpoints.c, signing_secrets.c, keyring.c, idempotency_records.c
    places = (
        (sa.select(k.key_id, k.probe_sealed), "keyring"),
        (sa.select(s.id, s.sealed), "signing_secrets"),
        (
            sa.select(e.id, e.headers_sealed).where(e.headers_sealed.is_not(None)),
            "endpoints.headers",
        ),
    )
    found = [
        Sealed(row_id, f"{place}:{row_id}", blob)
        for query, place in places
        for row_id, blob in connection.execute(query)
    ]
    newest = sa.select(r.scope, r.response_sealed).order_by(r.expires_at.desc())
    for scope, blob in connection.execute(newest.limit(_RECORDS_LOOKED_AT)):
        if blob is not None:
            found.append(Sealed(scope.hex(), f"idempotency_records:{scope.hex()}", blob))
    return tuple(found)
