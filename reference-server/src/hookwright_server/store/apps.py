"""Apps: rows, slugs and the version that guards the cached subscriptions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hookwright_server.store import pages
from hookwright_server.store.database import Connection
from hookwright_server.store.locking import for_change
from hookwright_server.store.realm import Realm
from hookwright_server.store.tables import apps
from hookwright_server.store.upserts import insert_into


@dataclass(frozen=True, slots=True)
class AppRow:
    """An app that is not deleted."""

    id: str
    account_id: str
    environment: str
    slug: str
    name: str
    description: str | None
    active: bool
    retry_policy: dict[str, Any] | None
    rate_limit_per_second: int | None
    metadata: dict[str, Any]
    subscriptions_version: int
    created_at: int
    updated_at: int
    event_type_policy: str
    has_event_types: bool
    retention_days: int


_COLUMNS = tuple(apps.c[name] for name in AppRow.__dataclass_fields__)
_LIVE = apps.c.deleted_at.is_(None)


def find(tx: Connection, realm: Realm, slug: str) -> AppRow | None:
    """The app with this slug, if the realm has it."""
    return _one(tx, realm, apps.c.slug == slug)


def find_by_id(tx: Connection, realm: Realm, app_id: str) -> AppRow | None:
    """The app with this id, if the realm has it."""
    return _one(tx, realm, apps.c.id == app_id)


def slug_is_taken(tx: Connection, realm: Realm, slug: str) -> bool:
    """Whether a live app of the realm has this slug."""
    return find(tx, realm, slug) is not None


def insert(tx: Connection, row: AppRow) -> bool:
    """A new app; False when its slug has just been taken, perhaps by another process."""
    statement = insert_into(tx, apps).values(_values(row)).on_conflict_do_nothing()
    return tx.execute(statement).rowcount == 1


def update(tx: Connection, row: AppRow) -> None:
    """Write `row` over its earlier state; the subscriptions version grows."""
    values = _values(row) | {"subscriptions_version": apps.c.subscriptions_version + 1}
    tx.execute(apps.update().where(apps.c.id == row.id).values(values))


def mark_deleted(tx: Connection, app_id: str, at_ms: int) -> None:
    """Take the app out of sight; its slug is free again."""
    tx.execute(
        apps.update()
        .where(apps.c.id == app_id)
        .values(deleted_at=at_ms, subscriptions_version=apps.c.subscriptions_version + 1)
    )


def bump_subscriptions(tx: Connection, app_id: str) -> None:
    """Say that the app's endpoints changed: fan-outs computed before are refused."""
    tx.execute(
        apps.update()
        .where(apps.c.id == app_id)
        .values(subscriptions_version=apps.c.subscriptions_version + 1)
    )


def note_event_types(tx: Connection, app_id: str) -> None:
    """Say that the app's event types changed: events judged by those before are refused."""
    tx.execute(
        apps.update()
        .where(apps.c.id == app_id)
        .values(has_event_types=True, subscriptions_version=apps.c.subscriptions_version + 1)
    )


def page(tx: Connection, realm: Realm, query: pages.PageQuery) -> pages.RowPage[AppRow]:
    """The realm's apps, newest first."""
    select = sa.select(*_COLUMNS).where(realm.owns(apps, "id"), _LIVE)
    return pages.fetch(tx, select, apps.c.id, query, _row)


def _one(tx: Connection, realm: Realm, condition: sa.ColumnElement[bool]) -> AppRow | None:
    select = sa.select(*_COLUMNS).where(realm.owns(apps, "id"), _LIVE, condition)
    row = tx.execute(for_change(tx, select, apps)).mappings().one_or_none()
    return None if row is None else _row(row)


def _row(row: sa.RowMapping) -> AppRow:
    values = {name: row[name] for name in AppRow.__dataclass_fields__}
    policy = values["retry_policy"]
    values["retry_policy"] = None if policy is None else json.loads(policy)
    values["metadata"] = json.loads(values["metadata"])
    return AppRow(**values)


def _values(row: AppRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in AppRow.__dataclass_fields__}
    values["retry_policy"] = None if row.retry_policy is None else json.dumps(row.retry_policy)
    values["metadata"] = json.dumps(row.metadata)
    return values
