"""Event types: what an app publishes, and what its payloads look like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hookwright_server.domain.contract import Limits
from hookwright_server.domain.event_schema import EventSchema, SchemaRefused
from hookwright_server.errors import Fault, Refusal, invalid, not_found
from hookwright_server.services.catalogue import refuse_mismatch
from hookwright_server.services.parts import Parts
from hookwright_server.services.principal import Principal, app_filter, require_app
from hookwright_server.services.sizes import check_event_schema, check_example_payload
from hookwright_server.store import apps, event_types
from hookwright_server.store.apps import AppRow
from hookwright_server.store.database import Connection
from hookwright_server.store.event_types import EventTypeFilter, EventTypeRow
from hookwright_server.store.pages import PageQuery, RowPage


@dataclass(frozen=True, slots=True)
class NewEventType:
    """An event type as the caller describes it."""

    name: str
    description: str | None
    group: str | None
    schema: dict[str, Any] | None
    example_payload: dict[str, Any] | None


class EventTypes:
    """The service of the tag `event_types`. Every method runs inside the caller's transaction."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def page(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        include_archived: bool,
        query: PageQuery,
    ) -> RowPage[EventTypeRow]:
        """The event types of an app (`-`: of every app of the principal)."""
        wanted = EventTypeFilter(app_filter(tx, principal, app_slug), include_archived)
        return event_types.page(tx, principal.realm, wanted, query)

    def get(
        self, tx: Connection, principal: Principal, app_slug: str, event_type_id: str
    ) -> EventTypeRow:
        """One event type, archived or not, or not_found."""
        app = require_app(tx, principal, app_slug)
        row = event_types.find(tx, principal.realm, app.id, event_type_id)
        if row is None:
            raise not_found("event type", event_type_id)
        return row

    def create(
        self, tx: Connection, principal: Principal, app_slug: str, new: NewEventType
    ) -> EventTypeRow:
        """A new event type; event_type_exists when the app has one of this name.

        Raises `too_many_event_types` when the app is full.
        """
        app = require_app(tx, principal, app_slug)
        _check(new.schema, new.example_payload)
        _check_room(tx, app)
        now_ms = self._parts.clock.now_ms()
        row = EventTypeRow(
            id=self._parts.ids.new("ety", now_ms),
            account_id=app.account_id,
            environment=app.environment,
            app_id=app.id,
            name=new.name,
            description=new.description,
            group=new.group,
            schema=new.schema,
            example_payload=new.example_payload,
            archived=False,
            created_at=now_ms,
            updated_at=now_ms,
            app_slug=app.slug,
        )
        if not event_types.insert(tx, row):
            raise _exists(new.name)
        apps.note_event_types(tx, app.id)
        return row

    def update(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        event_type_id: str,
        patch: dict[str, Any],
    ) -> EventTypeRow:
        """The event type after a merge patch that fits the contract."""
        before = self.get(tx, principal, app_slug, event_type_id)
        after = replace(before, **patch, updated_at=self._parts.clock.now_ms())
        if "schema" in patch or "example_payload" in patch:
            _check(after.schema, after.example_payload)
        return _write(tx, after)

    def archive(
        self, tx: Connection, principal: Principal, app_slug: str, event_type_id: str
    ) -> None:
        """Take it out of the catalogue; not_found when it is out already."""
        row = self.get(tx, principal, app_slug, event_type_id)
        if row.archived:
            raise not_found("event type", event_type_id)
        _write(tx, replace(row, archived=True, updated_at=self._parts.clock.now_ms()))


def _check_room(tx: Connection, app: AppRow) -> None:
    # The app's row is locked: others that create wait to count.
    most = Limits.event_types_per_app
    if event_types.count_of_app(tx, app.id, most) >= most:
        raise Refusal(
            "too_many_event_types",
            f"The app {app.slug!r} has {most} event types already, archived ones included. "
            "Change or unarchive one of them with event_types.update.",
        )


def _write(tx: Connection, row: EventTypeRow) -> EventTypeRow:
    event_types.update(tx, row)
    apps.note_event_types(tx, row.app_id)
    return row


def _check(schema: dict[str, Any] | None, example_payload: dict[str, Any] | None) -> None:
    size = 0 if example_payload is None else check_example_payload(example_payload)
    if schema is None:
        return
    check_event_schema(schema)
    try:
        compiled = EventSchema(schema)
    except SchemaRefused as error:
        raise invalid(f"/schema{error.pointer}", error.rule, str(error)) from error
    if example_payload is not None:
        refuse_mismatch(compiled, example_payload, size, "/example_payload")


def _exists(name: str) -> Refusal:
    message = (
        f"The app has an event type {name!r}, perhaps an archived one. "
        "Change or unarchive that with event_types.update."
    )
    return Refusal("event_type_exists", message, (Fault("/name", "event_type_exists", message),))
