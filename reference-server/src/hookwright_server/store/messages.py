"""Messages as they are read, and expunged; they are written by the group commit (writer.py)."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.ids import first_id_at
from hookwright_server.store import pages
from hookwright_server.store.database import Connection
from hookwright_server.store.locking import for_change
from hookwright_server.store.planning import equal
from hookwright_server.store.realm import Realm
from hookwright_server.store.tables import apps, message_tags, messages


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
    tags: tuple[str, ...]
    deliver_at: int | None
    expires_at: int | None
    expunged_at: int | None
    ordering_key: str | None
    app_slug: str


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages of a list; None leaves a condition out."""

    app_id: str | None = None
    event_name: str | None = None
    event_id: str | None = None
    tag: str | None = None
    after: int | None = None
    before: int | None = None


_STORED = tuple(name for name in MessageRow.__dataclass_fields__ if name != "app_slug")
_COLUMNS = (*(messages.c[name] for name in _STORED), apps.c.slug.label("app_slug"))
_FROM = messages.join(apps, apps.c.id == messages.c.app_id)
_t = message_tags.c


def page(
    tx: Connection, realm: Realm, wanted: MessageFilter, query: pages.PageQuery
) -> pages.RowPage[MessageRow]:
    """The realm's messages that fit `wanted`, newest first."""
    app_id = wanted.app_id or realm.app_id
    key = messages.c.id if _is_by_message(wanted) else _t.message_id
    source = _FROM
    if key is _t.message_id:
        source = _FROM.join(message_tags, _t.message_id == messages.c.id)
    # What finds the rows: the event id, the tag, the app or the realm, whichever comes first.
    by_realm = wanted.event_id is not None or (wanted.tag is None and app_id is None)
    conditions = [realm.owns(messages, indexed=by_realm)]
    if app_id is not None:
        is_named = wanted.tag is not None or wanted.event_id is not None
        conditions.append(equal(messages.c.app_id, app_id, indexed=not is_named))
    if wanted.event_id is not None:
        conditions.append(messages.c.event_id == wanted.event_id)
    if wanted.tag is not None:
        tagged = sa.and_(*_tagged(realm, wanted.tag))
        has_it = sa.exists().where(tagged, _t.message_id == messages.c.id)
        conditions.append(tagged if key is _t.message_id else has_it)
    if wanted.event_name is not None:
        conditions.append(messages.c.event_name == wanted.event_name)
    walked = _walked(realm, wanted, app_id)
    is_apart = wanted.tag is not None or wanted.event_id is not None
    return pages.fetch(
        tx,
        sa.select(*_COLUMNS).select_from(source).where(*conditions),
        key,
        query,
        _row,
        span=_span(wanted),
        look=None if walked is None else pages.in_order(walked, key, apart=is_apart),
    )


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


def is_expunged(tx: Connection, message_id: str) -> bool:
    """Whether its payload was erased; nobody erases it while the transaction lasts."""
    select = sa.select(messages.c.expunged_at).where(messages.c.id == message_id)
    return tx.execute(for_change(tx, select, messages)).scalar_one_or_none() is not None


def expunge(tx: Connection, message_id: str, at_ms: int) -> None:
    """Erase the payload."""
    tx.execute(
        messages.update().where(messages.c.id == message_id).values(payload=b"", expunged_at=at_ms)
    )


def _is_by_message(wanted: MessageFilter) -> bool:
    """Whether an index of `messages` is in the order of the page, and not that of the tags."""
    return wanted.tag is None or wanted.event_id is not None


def _walked(realm: Realm, wanted: MessageFilter, app_id: str | None) -> sa.Select[str] | None:
    """The ids that an index finds; None: they are all that fit."""
    is_in_app = app_id is not None
    in_realm = Realm(realm.account_id, realm.environment).owns(messages)
    if wanted.event_id is not None:
        is_all = not (is_in_app or wanted.tag or wanted.event_name)
        found = sa.select(messages.c.id).where(in_realm, messages.c.event_id == wanted.event_id)
    elif wanted.tag is not None:
        is_all = not (is_in_app or wanted.event_name)
        found = sa.select(_t.message_id).where(*_tagged(realm, wanted.tag))
    else:
        is_all = wanted.event_name is None
        place = messages.c.app_id == app_id if is_in_app else in_realm
        found = sa.select(messages.c.id).where(place)
    return None if is_all else found


def _tagged(realm: Realm, tag: str) -> list[sa.ColumnElement[bool]]:
    return [
        _t.account_id == realm.account_id,
        _t.environment == realm.environment,
        _t.tag == tag,
    ]


def _span(wanted: MessageFilter) -> pages.Span:
    return pages.Span(
        None if wanted.after is None else first_id_at("msg", wanted.after),
        None if wanted.before is None else first_id_at("msg", wanted.before),
    )


def _row(row: sa.RowMapping) -> MessageRow:
    values = {name: row[name] for name in MessageRow.__dataclass_fields__}
    values["tags"] = tuple(json.loads(values["tags"] or "[]"))
    return MessageRow(**values)
