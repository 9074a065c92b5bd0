"""Messages as they are read; they are written by the group commit (writer.py)."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.ids import first_id_at
from hookwright_server.store import pages
from hookwright_server.store.database import Connection
from hookwright_server.store.realm import Realm
from hookwright_server.store.tables import apps, messages


@dataclass(frozen=True, slots=True)
class MessageRow:
    """An accepted event, without its payload."""

    id: str
    app_id: str
    event_name: str
    event_id: str | None
    endpoint_count: int
    filtered_count: int
    created_at: int
    app_slug: str


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages of a list; None leaves a condition out."""

    app_id: str | None = None
    event_name: str | None = None
    event_id: str | None = None
    after: int | None = None
    before: int | None = None


_STORED = tuple(name for name in MessageRow.__dataclass_fields__ if name != "app_slug")
_COLUMNS = (*(messages.c[name] for name in _STORED), apps.c.slug.label("app_slug"))
_FROM = messages.join(apps, apps.c.id == messages.c.app_id)


def page(
    tx: Connection, realm: Realm, wanted: MessageFilter, query: pages.PageQuery
) -> pages.RowPage[MessageRow]:
    """The realm's messages that fit `wanted`, newest first."""
    select = sa.select(*_COLUMNS).select_from(_FROM)
    select = select.where(realm.owns(messages), *_conditions(wanted))
    return pages.fetch(tx, select, messages.c.id, query, _row)


def find(
    tx: Connection, realm: Realm, app_id: str | None, message_id: str
) -> tuple[MessageRow, bytes] | None:
    """The message and its payload, if the realm (and the app, if given) has it."""
    select = sa.select(*_COLUMNS, messages.c.payload).select_from(_FROM)
    select = select.where(realm.owns(messages), messages.c.id == message_id)
    if app_id is not None:
        select = select.where(messages.c.app_id == app_id)
    row = tx.execute(select).mappings().one_or_none()
    return None if row is None else (_row(row), row["payload"])


def _conditions(wanted: MessageFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for column, value in (
        (messages.c.app_id, wanted.app_id),
        (messages.c.event_name, wanted.event_name),
        (messages.c.event_id, wanted.event_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.after is not None:
        conditions.append(messages.c.id >= first_id_at("msg", wanted.after))
    if wanted.before is not None:
        conditions.append(messages.c.id < first_id_at("msg", wanted.before))
    return conditions


def _row(row: sa.RowMapping) -> MessageRow:
    return MessageRow(**{name: row[name] for name in MessageRow.__dataclass_fields__})
