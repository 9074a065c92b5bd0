"""The catalogue on every back end: names are given once, changes are seen by who accepts events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from store_lab import ACCOUNT, ENVIRONMENT, StoreLab

from hookwright_server.store import apps, event_types
from hookwright_server.store.errors import StaleSubscriptions
from hookwright_server.store.event_types import EventTypeFilter, EventTypeRow
from hookwright_server.store.pages import PageQuery
from hookwright_server.store.realm import Realm

REALM = Realm(ACCOUNT, ENVIRONMENT)


def new(lab: StoreLab, app_id: str, name: str) -> EventTypeRow:
    """An event type that is not stored yet."""
    slug = lab.database.read(lambda tx: apps.find_by_id(tx, REALM, app_id))
    assert slug is not None
    return EventTypeRow(
        id=lab.ids.new("ety", lab.clock.now),
        account_id=ACCOUNT,
        environment=ENVIRONMENT,
        app_id=app_id,
        name=name,
        description=None,
        group="a group",
        schema={"z": 1, "a": ["é", 1.5, None]},
        example_payload={},
        archived=False,
        created_at=1,
        updated_at=2,
        app_slug=slug.slug,
    )


def added(lab: StoreLab, app_id: str, name: str) -> EventTypeRow:
    """An event type that is stored now."""
    row = new(lab, app_id, name)
    assert lab.database.write(lambda tx: event_types.insert(tx, row))
    return row


def test_a_row_is_read_as_it_was_written(lab: StoreLab) -> None:
    """Before and after an update; another realm does not see it."""
    app_id = lab.app()
    row = added(lab, app_id, "a.b")
    changed = replace(row, schema=None, example_payload=None, group=None, archived=True)

    def find() -> EventTypeRow | None:
        return lab.database.read(lambda tx: event_types.find(tx, REALM, app_id, row.id))

    assert row == find()
    lab.database.write(lambda tx: event_types.update(tx, changed))
    assert changed == find()
    other = Realm("acc_other", ENVIRONMENT)
    assert lab.database.read(lambda tx: event_types.find(tx, other, app_id, row.id)) is None


def test_a_name_is_given_once_in_an_app(lab: StoreLab) -> None:
    """The second of a name is not written, and its transaction goes on."""
    one, other = lab.app(), lab.app()
    added(lab, one, "a.b")
    second = new(lab, one, "a.b")

    assert not lab.database.write(lambda tx: event_types.insert(tx, second))
    added(lab, other, "a.b")


def test_what_is_in_force_is_not_archived(lab: StoreLab) -> None:
    """A publisher is told names and digests; a schema is found by its digest alone."""
    app_id = lab.app()
    kept, archived = added(lab, app_id, "kept"), added(lab, app_id, "archived")
    lab.database.write(lambda tx: event_types.update(tx, replace(archived, archived=True)))
    [found] = lab.database.read(lambda tx: event_types.in_force(tx, app_id))
    digest = found.schema_digest or ""

    assert (kept.id, "kept", 64) == (found.id, found.name, len(digest))
    assert kept.schema == lab.database.read(lambda tx: event_types.schema(tx, kept.id, digest))
    lab.database.write(lambda tx: event_types.update(tx, replace(kept, schema={})))
    assert lab.database.read(lambda tx: event_types.schema(tx, kept.id, digest)) is None


def test_a_list_leaves_out_what_is_archived(lab: StoreLab) -> None:
    """Unless it is asked for; newest first, of one app or of all."""
    one, other = lab.app(), lab.app()
    rows = [added(lab, one, "a"), added(lab, one, "b"), added(lab, other, "a")]
    archived = replace(rows[1], archived=True)
    lab.database.write(lambda tx: event_types.update(tx, archived))

    def listed(app_id: str | None, include_archived: bool) -> list[str]:
        wanted = EventTypeFilter(app_id, include_archived)
        page = lab.database.read(lambda tx: event_types.page(tx, REALM, wanted, PageQuery(9)))
        return [row.id for row in page.rows]

    newest_first = sorted((row.id for row in rows), reverse=True)
    assert newest_first == listed(None, True)
    assert [rows[0].id] == listed(one, False)
    assert {rows[0].id, rows[2].id} == set(listed(None, False))


def test_a_change_refuses_what_was_planned_before(lab: StoreLab) -> None:
    """An event that was judged by the earlier catalogue is planned again."""
    app_id = lab.app()
    planned = lab.acceptance(app_id, [])
    lab.database.write(lambda tx: apps.note_event_types(tx, app_id))

    with pytest.raises(StaleSubscriptions):
        lab.database.accept(planned)
    app = lab.database.read(lambda tx: apps.find_by_id(tx, REALM, app_id))
    assert app is not None
    assert (2, True) == (app.subscriptions_version, app.has_event_types)
