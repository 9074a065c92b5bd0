"""Handlers of the tag `deliveries`."""

from __future__ import annotations

from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import responses
from hookwright_server.http.handlers import views
from hookwright_server.http.handlers.replays import ReplayHandlers
from hookwright_server.http.paging import Cursors, envelope
from hookwright_server.services.deliveries import Deliveries
from hookwright_server.services.principal import app_filter
from hookwright_server.store.deliveries import DeliveryFilter


class DeliveriesHandlers:
    """See `edge.handlers.DeliveriesHandlers`."""

    def __init__(self, deliveries: Deliveries, replays: ReplayHandlers, cursors: Cursors) -> None:
        self._deliveries = deliveries
        self._cursors = cursors
        self.create_replay = replays.create
        self.list_replays = replays.list
        self.get_replay = replays.get
        self.cancel_replay = replays.cancel

    def list(self, context: Context, params: p.DeliveriesListParams) -> responses.DeliveryPage:
        wanted = DeliveryFilter(
            app_id=app_filter(context.tx, context.principal, params.app_slug),
            statuses=params.status,
            endpoint_id=params.endpoint_id,
            event_name=params.event_name,
            message_id=params.message_id,
            after=params.after,
            before=params.before,
        )
        page = self._deliveries.page(
            context.tx, context.principal, wanted, self._cursors.query(context, params)
        )
        return envelope(page, self._cursors.next_cursor(context, params, page), views.delivery)

    def get(self, context: Context, params: p.DeliveriesGetParams) -> responses.Delivery:
        row = self._deliveries.get(
            context.tx, context.principal, params.app_slug, params.delivery_id
        )
        return views.delivery(row)

    def cancel(self, context: Context, params: p.DeliveriesCancelParams) -> responses.Delivery:
        row = self._deliveries.cancel(
            context.tx, context.principal, params.app_slug, params.delivery_id
        )
        return views.delivery(row)

    def replay(self, context: Context, params: p.DeliveriesReplayParams) -> responses.Delivery:
        row = self._deliveries.replay(
            context.tx, context.principal, params.app_slug, params.delivery_id
        )
        return views.delivery(row)

    def list_attempts(
        self, context: Context, params: p.DeliveriesListAttemptsParams
    ) -> responses.AttemptPage:
        page = self._deliveries.attempts(
            context.tx,
            context.principal,
            params.app_slug,
            params.delivery_id,
            self._cursors.query(context, params),
        )
        return envelope(page, self._cursors.next_cursor(context, params, page), views.attempt)

    def retry(self, context: Context, params: p.DeliveriesRetryParams) -> responses.Delivery:
        row = self._deliveries.retry(
            context.tx, context.principal, params.app_slug, params.delivery_id
        )
        return views.delivery(row)
