"""API keys: hashes only; the text of a key is never stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hookwright_server.store import pages
from hookwright_server.store.database import Connection
from hookwright_server.store.locking import for_change
from hookwright_server.store.realm import Realm
from hookwright_server.store.tables import accounts, api_keys, apps


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key that is not revoked."""

    id: str
    account_id: str
    environment: str
    name: str
    scopes: tuple[str, ...]
    app_id: str | None
    secret_hash: bytes
    previous_hash: bytes | None
    previous_valid_until: int | None
    created_at: int
    expires_at: int | None
    app_slug: str | None


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request with a key needs to know of it."""

    key: KeyRow
    requests_per_minute: int | None
    messages_per_second: int | None


_STORED = tuple(name for name in KeyRow.__dataclass_fields__ if name != "app_slug")
_COLUMNS = (*(api_keys.c[name] for name in _STORED), apps.c.slug.label("app_slug"))
_FROM = api_keys.outerjoin(apps, apps.c.id == api_keys.c.app_id)
_LIVE = api_keys.c.revoked_at.is_(None)


def credential(tx: Connection, key_id: str) -> Credential | None:
    """The key with this id, whoever asks: the only query that no realm narrows."""
    select = (
        sa.select(
            *_COLUMNS,
            accounts.c.requests_per_minute,
            accounts.c.messages_per_second,
        )
        .select_from(_FROM.join(accounts, accounts.c.id == api_keys.c.account_id))
        .where(api_keys.c.id == key_id, _LIVE)
    )
    row = tx.execute(select).mappings().one_or_none()
    if row is None:
        return None
    return Credential(
        key=_row(row),
        requests_per_minute=row["requests_per_minute"],
        messages_per_second=row["messages_per_second"],
    )


def find(tx: Connection, realm: Realm, key_id: str) -> KeyRow | None:
    """The key with this id, if the realm has it."""
    select = sa.select(*_COLUMNS).select_from(_FROM)
    select = select.where(realm.owns(api_keys), _LIVE, api_keys.c.id == key_id)
    row = tx.execute(for_change(tx, select, api_keys)).mappings().one_or_none()
    return None if row is None else _row(row)


def page(tx: Connection, realm: Realm, query: pages.PageQuery) -> pages.RowPage[KeyRow]:
    """The realm's keys, newest first."""
    select = sa.select(*_COLUMNS).select_from(_FROM).where(realm.owns(api_keys), _LIVE)
    return pages.fetch(tx, select, api_keys.c.id, query, _row)


def insert(tx: Connection, row: KeyRow) -> None:
    """A new key."""
    tx.execute(api_keys.insert().values(_values(row)))


def update(tx: Connection, row: KeyRow) -> None:
    """Write `row` over its earlier state."""
    tx.execute(api_keys.update().where(api_keys.c.id == row.id).values(_values(row)))


def revoke(tx: Connection, key_id: str, at_ms: int) -> None:
    """Refuse the key from now on."""
    tx.execute(api_keys.update().where(api_keys.c.id == key_id).values(revoked_at=at_ms))


def revoke_of_app(tx: Connection, app_id: str, at_ms: int) -> None:
    """Refuse every key that is bound to an app from now on."""
    bound = (api_keys.c.app_id == app_id, api_keys.c.revoked_at.is_(None))
    tx.execute(api_keys.update().where(*bound).values(revoked_at=at_ms))


def _row(row: sa.RowMapping) -> KeyRow:
    values = {name: row[name] for name in (*_STORED, "app_slug")}
    values["scopes"] = tuple(json.loads(values["scopes"]))
    return KeyRow(**values)


def _values(row: KeyRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _STORED}
    values["scopes"] = json.dumps(row.scopes)
    return values
