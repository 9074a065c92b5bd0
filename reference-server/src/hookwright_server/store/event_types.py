"""Event types: the catalogue of an app."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hookwright_server.store import pages
from hookwright_server.store.database import Connection
from hookwright_server.store.locking import for_change
from hookwright_server.store.realm import Realm
from hookwright_server.store.tables import apps, event_types
from hookwright_server.store.upserts import insert_into

_JSON = ("schema", "example_payload")


@dataclass(frozen=True, slots=True)
class EventTypeRow:
    """An event type of an app that is not deleted."""

    id: str
    account_id: str
    environment: str
    app_id: str
    name: str
    description: str | None
    group: str | None
    schema: dict[str, Any] | None
    example_payload: dict[str, Any] | None
    archived: bool
    created_at: int
    updated_at: int
    app_slug: str


@dataclass(frozen=True, slots=True)
class EventTypeFilter:
    """Which event types of a list; `app_id` None: those of every app of the realm."""

    app_id: str | None
    include_archived: bool


@dataclass(frozen=True, slots=True)
class InForce:
    """What a publisher has to know of an event type: `schema_digest` None is one without schema."""

    id: str
    name: str
    schema_digest: str | None


_STORED = tuple(name for name in EventTypeRow.__dataclass_fields__ if name != "app_slug")
_SELECT = (
    sa.select(*(event_types.c[name] for name in _STORED), apps.c.slug.label("app_slug"))
    .join(apps, apps.c.id == event_types.c.app_id)
    .where(apps.c.deleted_at.is_(None))
)


def find(tx: Connection, realm: Realm, app_id: str, event_type_id: str) -> EventTypeRow | None:
    """The event type of this app, if the realm has it."""
    select = _SELECT.where(
        realm.owns(event_types), event_types.c.app_id == app_id, event_types.c.id == event_type_id
    )
    row = tx.execute(for_change(tx, select, event_types)).mappings().one_or_none()
    return None if row is None else _row(row)


def in_force(tx: Connection, app_id: str) -> tuple[InForce, ...]:
    """Every event type of an app that is not archived, without the text of its schema."""
    c = event_types.c
    select = sa.select(c.id, c.name, c.schema_digest).where(
        c.app_id == app_id, c.archived == sa.false()
    )
    return tuple(InForce(*row) for row in tx.execute(select))


def schema(tx: Connection, event_type_id: str, digest: str) -> dict[str, Any] | None:
    """The schema that has this digest; None when the event type has it no longer."""
    c = event_types.c
    select = sa.select(c.schema).where(c.id == event_type_id, c.schema_digest == digest)
    text = tx.execute(select).scalar_one_or_none()
    found: dict[str, Any] | None = None if text is None else json.loads(text)
    return found


def page(
    tx: Connection, realm: Realm, wanted: EventTypeFilter, query: pages.PageQuery
) -> pages.RowPage[EventTypeRow]:
    """The realm's event types that fit `wanted`, newest first."""
    select = _SELECT.where(realm.owns(event_types))
    if wanted.app_id is not None:
        select = select.where(event_types.c.app_id == wanted.app_id)
    if not wanted.include_archived:
        select = select.where(event_types.c.archived == sa.false())
    return pages.fetch(tx, select, event_types.c.id, query, _row)


def count_of_app(tx: Connection, app_id: str, most: int) -> int:
    """How many event types an app has, archived ones included; counts up to `most`."""
    some = sa.select(event_types.c.id).where(event_types.c.app_id == app_id).limit(most)
    return pages.count(tx, some)


def insert(tx: Connection, row: EventTypeRow) -> bool:
    """A new event type; False when its app has one of this name."""
    statement = insert_into(tx, event_types).values(_values(row)).on_conflict_do_nothing()
    return tx.execute(statement).rowcount == 1


def update(tx: Connection, row: EventTypeRow) -> None:
    """Write `row` over its earlier state."""
    tx.execute(event_types.update().where(event_types.c.id == row.id).values(_values(row)))


def _row(row: sa.RowMapping) -> EventTypeRow:
    values = {name: row[name] for name in (*_STORED, "app_slug")}
    values |= {name: values[name] and json.loads(values[name]) for name in _JSON}
    return EventTypeRow(**values)


def _values(row: EventTypeRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _STORED}
    for name in _JSON:
        values[name] = None if values[name] is None else json.dumps(values[name])
    text = values["schema"]
    values["schema_digest"] = text and hashlib.sha256(text.encode()).hexdigest()
    return values
