"""Messages: what was accepted."""

from __future__ import annotations

from dataclasses import dataclass

from hookwright_server.domain.contract import Limits
from hookwright_server.errors import not_found
from hookwright_server.services.principal import Principal, app_filter
from hookwright_server.store import deliveries, messages
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


class Messages:
    """The service of the tag `messages`. Every method runs inside the caller's transaction."""

    def page(
        self, tx: Connection, principal: Principal, wanted: MessageFilter, query: PageQuery
    ) -> RowPage[MessageRow]:
        """Messages that fit `wanted`."""
        return messages.page(tx, principal.realm, wanted, query)

    def get(
        self, tx: Connection, principal: Principal, app_slug: str, message_id: str
    ) -> MessageDetail:
        """One message, or not_found."""
        app_id = app_filter(tx, principal, app_slug)
        found = messages.find(tx, principal.realm, app_id, message_id)
        if found is None:
            raise not_found("message", message_id)
        row, payload = found
        return MessageDetail(row, payload, deliveries.of_message(tx, row.id, SHOWN_DELIVERIES))
