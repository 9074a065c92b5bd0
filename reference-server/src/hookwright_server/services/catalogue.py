"""The catalogue of an app as its publishers meet it: which names it takes, which payloads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from hookwright_server.domain.event_schema import EventSchema
from hookwright_server.errors import Fault, Refusal
from hookwright_server.store import event_types
from hookwright_server.store.apps import AppRow
from hookwright_server.store.database import Connection, Database
from hookwright_server.store.errors import StaleSubscriptions
from hookwright_server.store.event_types import InForce

_MOST_SCHEMAS = 256


@dataclass(frozen=True, slots=True)
class Catalogue:
    """An app's policy and those of its event types that are not archived, by name."""

    app_id: str
    registered_only: bool
    event_types: Mapping[str, InForce]


def read_catalogue(tx: Connection, app: AppRow) -> Catalogue:
    """The app's catalogue; that of an app that never had an event type needs no look."""
    found = event_types.in_force(tx, app.id) if app.has_event_types else ()
    return Catalogue(
        app_id=app.id,
        registered_only=app.event_type_policy == "registered",
        event_types={each.name: each for each in found},
    )


class EventSchemas:
    """Judges events by catalogues. Thread-safe.

    Catalogues are read again and again, so they hold digests; a schema is read and compiled when
    an event first needs it, and kept by its digest.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._compiled: OrderedDict[str, EventSchema] = OrderedDict()

    def judge(self, catalogue: Catalogue, event_name: str, payload: object, size: int) -> None:
        """Refuse an event, its payload of `size` bytes, that the catalogue does not take.

        Raises Refusal, and StaleSubscriptions when the catalogue is found to be old.
        """
        event_type = catalogue.event_types.get(event_name)
        if event_type is None:
            if catalogue.registered_only:
                raise _unknown(event_name)
        elif event_type.schema_digest is not None:
            schema = self._schema(catalogue, event_type, event_type.schema_digest)
            refuse_mismatch(schema, payload, size, "/payload")

    def _schema(self, catalogue: Catalogue, event_type: InForce, digest: str) -> EventSchema:
        with self._lock:
            known = self._compiled.get(digest)
            if known is not None:
                self._compiled.move_to_end(digest)
                return known
        text = self._database.read(lambda tx: event_types.schema(tx, event_type.id, digest))
        if text is None:  # it has changed since the catalogue was read
            raise StaleSubscriptions(catalogue.app_id)
        made = EventSchema(text)
        with self._lock:
            self._compiled[digest] = made
            if len(self._compiled) > _MOST_SCHEMAS:
                self._compiled.popitem(last=False)
        return made


def refuse_mismatch(schema: EventSchema, payload: object, size: int, pointer: str) -> None:
    """Refuse a payload of `size` bytes, which stands at `pointer` in the request, that the schema
    refuses or takes too long to judge."""
    if size > schema.most_bytes:
        message = (
            f"The schema of the event type can judge payloads of up to {schema.most_bytes} bytes "
            f"in reasonable time; this one has {size}. Simplify the schema, or send less."
        )
        raise Refusal("payload_too_large", message, (Fault(pointer, "too_costly", message),))
    mismatch = schema.mismatch(payload)
    if mismatch is not None:
        fault = Fault(f"{pointer}{mismatch.pointer}", mismatch.rule, mismatch.message)
        message = f"{fault.pointer} breaks the schema of the event type: {mismatch.message}"
        raise Refusal("payload_schema_mismatch", message, (fault,))


def _unknown(event_name: str) -> Refusal:
    message = (
        f"{event_name!r} is not in the app's catalogue, or archived there, and the app takes "
        "registered events only. Create or unarchive the event type, or correct the name."
    )
    return Refusal(
        "unknown_event_type", message, (Fault("/event_name", "unknown_event_type", message),)
    )
