"""Messages: what was accepted, and what is to become of it."""

from __future__ import annotations

from dataclasses import dataclass

from hookwright_server.clock import Clock
from hookwright_server.domain.contract import Limits
from hookwright_server.errors import not_found
from hookwright_server.services.principal import Principal, app_filter
from hookwright_server.store import cancelling, deliveries, messages
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import DeliveryRow
from hookwright_server.store.messages import MessageFilter, MessageRow
from hookwright_server.store.pages import PageQuery, RowPage

SHOWN_DELIVERIES = Limits.message_deliveries_shown


@dataclass(frozen=True, slots=True)
class MessageDetail:
    """A message with its payload, byte for byte, and its newest deliveries."""

    row: MessageRow
    payload: bytes
    deliveries: tuple[DeliveryRow, ...]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How many deliveries waited, and how many were being sent, when a message was cancelled."""

    message_id: str
    waiting: int
    sending: int


class Messages:
    """The service of the tag `messages`. Every method runs inside the caller's transaction."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def page(
        self, tx: Connection, principal: Principal, wanted: MessageFilter, query: PageQuery
    ) -> RowPage[MessageRow]:
        """Messages that fit `wanted`."""
        return messages.page(tx, principal.realm, wanted, query)

    def get(
        self, tx: Connection, principal: Principal, app_slug: str, message_id: str
    ) -> MessageDetail:
        """One message, or not_found."""
        row, payload = self._find(tx, principal, app_slug, message_id)
        shown = deliveries.of_message(tx, row.id, SHOWN_DELIVERIES, self._clock.now_ms())
        return MessageDetail(row, payload, shown)

    def cancel(
        self, tx: Connection, principal: Principal, app_slug: str, message_id: str
    ) -> Cancelled:
        """Cancel the deliveries that wait; of those being sent, every later attempt."""
        row, _ = self._find(tx, principal, app_slug, message_id)
        counts = cancelling.cancel_of_message(tx, row.id, self._clock.now_ms())
        return Cancelled(row.id, *counts)

    def expunge(
        self, tx: Connection, principal: Principal, app_slug: str, message_id: str
    ) -> MessageRow:
        """Erase the payload and cancel what would need it; what is erased stays as it is."""
        row, _ = self._find(tx, principal, app_slug, message_id)
        if not messages.is_expunged(tx, row.id):
            now_ms = self._clock.now_ms()
            # In this order: a retry or a replay at the same time either finds the payload gone,
            # or has made its delivery pending before this looks for those.
            messages.expunge(tx, row.id, now_ms)
            cancelling.cancel_of_message(tx, row.id, now_ms)
        return self._find(tx, principal, app_slug, message_id)[0]

    def _find(
        self, tx: Connection, principal: Principal, app_slug: str, message_id: str
    ) -> tuple[MessageRow, bytes]:
        app_id = app_filter(tx, principal, app_slug)
        found = messages.find(tx, principal.realm, app_id, message_id)
        if found is None:
            raise not_found("message", message_id)
        return found
