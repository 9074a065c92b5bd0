"""Mutants of the catalogue: what may be saved in it, and how it judges events."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import json
import time
from typing import Any

import jsonschema_rs
from replacing import nothing, replace

from hookwright_server.domain import event_schema
from hookwright_server.domain.contract import Limits
from hookwright_server.domain.event_schema import EventSchema, Mismatch
from hookwright_server.services import catalogue, event_types, trigger
from hookwright_server.services.catalogue import Catalogue, EventSchemas
from hookwright_server.services.event_types import EventTypes
from hookwright_server.services.principal import Principal
from hookwright_server.store import apps, tables
from hookwright_server.store import event_types as rows
from hookwright_server.store.database import Connection

TOO_LONG_S, FAR_TOO_LONG_S = 5, 8
NO_LIMIT = 10**12


class _Anything:
    """A schema that is never looked at."""

    most_bytes = Limits.payload_bytes

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema

    def mismatch(self, payload: object) -> Mismatch | None:
        del payload
        return None


def gives_an_event_name_twice() -> None:
    """The second of a name is answered as if it had been written."""
    insert = rows.insert

    def insert_or_not(tx: Connection, row: rows.EventTypeRow) -> bool:
        insert(tx, row)
        return True

    replace(rows, "insert", insert_or_not)


def deletes_event_types() -> None:
    """What was deleted is gone."""

    def delete(
        self: EventTypes, tx: Connection, principal: Principal, app_slug: str, event_type_id: str
    ) -> None:
        row = self.get(tx, principal, app_slug, event_type_id)
        tx.execute(tables.event_types.delete().where(tables.event_types.c.id == row.id))
        apps.note_event_types(tx, row.app_id)

    replace(EventTypes, "archive", delete)


def takes_any_schema() -> None:
    """Schemas and examples are saved as they come."""
    replace(event_types, "EventSchema", _Anything)


def takes_any_pattern() -> None:
    """Patterns are matched by an engine that backtracks, so that none has to be refused."""
    replace(jsonschema_rs, "RegexOptions", _backtracking)


def _backtracking(size_limit: int) -> jsonschema_rs.FancyRegexOptions:
    return jsonschema_rs.FancyRegexOptions(size_limit=size_limit)


def ignores_event_schemas() -> None:
    """Published payloads are not judged."""
    replace(catalogue, "EventSchema", _Anything)


def backtracks() -> None:
    """What has a pattern takes as long as an engine that tries every way."""
    mismatch = EventSchema.mismatch

    def slow(self: EventSchema, payload: object) -> Mismatch | None:
        found = mismatch(self, payload)
        if found is not None and found.rule == "pattern":
            time.sleep(TOO_LONG_S)
        return found

    replace(event_schema.EventSchema, "mismatch", slow)


def judges_however_long_it_takes() -> None:
    """No schema and no payload is too costly. What it costs is slept: on every machine too long."""
    limit = Limits.event_schema_work
    mismatch = EventSchema.mismatch

    def slow(self: EventSchema, payload: object) -> Mismatch | None:
        if len(json.dumps(payload)) <= self.most_bytes * limit // NO_LIMIT:
            return mismatch(self, payload)
        time.sleep(FAR_TOO_LONG_S)
        return None

    replace(Limits, "event_schema_work", NO_LIMIT)
    replace(EventSchema, "mismatch", slow)


def takes_unregistered_events() -> None:
    """The policy of an app says nothing."""
    judge = EventSchemas.judge

    def judge_what_is_known(
        self: EventSchemas, found: Catalogue, event_name: str, payload: object, size: int
    ) -> None:
        if event_name in found.event_types:
            judge(self, found, event_name, payload, size)

    replace(EventSchemas, "judge", judge_what_is_known)


def judges_by_an_old_catalogue() -> None:
    """A change of an event type does not make publishers read the catalogue anew."""

    def note_quietly(tx: Connection, app_id: str) -> None:
        table = tables.apps
        tx.execute(table.update().where(table.c.id == app_id).values(has_event_types=True))

    replace(apps, "note_event_types", note_quietly)
    replace(trigger, "_FRESH_FOR_S", 600.0)  # however slowly the cases run
    replace(trigger.Trigger, "forget", nothing)  # and whatever others change meanwhile
