"""Handlers of the tag `messages`."""

from __future__ import annotations

from hookwright_server.http.answers import RawObject
from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import responses
from hookwright_server.http.handlers import views
from hookwright_server.http.paging import Cursors, envelope
from hookwright_server.services.messages import Messages
from hookwright_server.services.principal import app_filter
from hookwright_server.store.messages import MessageFilter


class MessagesHandlers:
    """See `edge.handlers.MessagesHandlers`."""

    def __init__(self, messages: Messages, cursors: Cursors) -> None:
        self._messages = messages
        self._cursors = cursors

    def list(self, context: Context, params: p.MessagesListParams) -> responses.MessagePage:
        wanted = MessageFilter(
            app_id=app_filter(context.tx, context.principal, params.app_slug),
            event_name=params.event_name,
            event_id=params.event_id,
            tag=params.tag,
            after=params.after,
            before=params.before,
        )
        page = self._messages.page(
            context.tx, context.principal, wanted, self._cursors.query(context, params)
        )
        return envelope(page, self._cursors.next_cursor(context, params, page), views.message)

    def get(self, context: Context, params: p.MessagesGetParams) -> responses.MessageDetail:
        found = self._messages.get(
            context.tx, context.principal, params.app_slug, params.message_id
        )
        return {
            **views.message(found.row),
            "payload": None if found.row.expunged_at else RawObject(found.payload),
            "deliveries": [views.delivery(row) for row in found.deliveries],
        }

    def cancel(
        self, context: Context, params: p.MessagesCancelParams
    ) -> responses.MessageCancelled:
        done = self._messages.cancel(
            context.tx, context.principal, params.app_slug, params.message_id
        )
        return {
            "message_id": done.message_id,
            "cancelled_count": done.waiting,
            "sending_count": done.sending,
        }

    def expunge(self, context: Context, params: p.MessagesExpungeParams) -> responses.Message:
        row = self._messages.expunge(
            context.tx, context.principal, params.app_slug, params.message_id
        )
        return views.message(row)
