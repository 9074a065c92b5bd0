"""Handlers of replay tasks, which the tag `deliveries` holds."""

from __future__ import annotations

from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import requests, responses
from hookwright_server.http.handlers import views
from hookwright_server.http.handlers.bodies import given, instant_ms
from hookwright_server.http.last_transaction import LastTransaction
from hookwright_server.http.paging import Cursors, envelope
from hookwright_server.services.replays import Replays, Wanted
from hookwright_server.store.database import Connection
from hookwright_server.store.replay_tasks import ReplayTaskRow

_OF_A_RANGE = {"after", "before", "statuses", "event_name", "endpoint_id", "max_count"}


class ReplayHandlers:
    """See `edge.handlers.DeliveriesHandlers`."""

    def __init__(self, replays: Replays, last: LastTransaction, cursors: Cursors) -> None:
        self._replays = replays
        self._last = last
        self._cursors = cursors

    def create(
        self,
        context: Context,
        params: p.DeliveriesCreateReplayParams,
        body: requests.ReplayCreate,
    ) -> responses.ReplayTask:
        """Count in snapshots of its own, which may take long, then write in a transaction."""

        def plan() -> ReplayTaskRow:
            return self._replays.plan(context.principal, params.app_slug, _wanted(body))

        def make(tx: Connection, planned: ReplayTaskRow) -> responses.ReplayTask:
            row = self._replays.create(tx, context.principal, params.app_slug, planned)
            return views.replay_task(row)

        if body.dry_run:
            return views.replay_task(plan(), dry_run=True)
        return self._last.run(context, plan, make)

    def list(
        self, context: Context, params: p.DeliveriesListReplaysParams
    ) -> responses.ReplayTaskPage:
        page = self._replays.page(
            context.tx, context.principal, params.app_slug, self._cursors.query(context, params)
        )
        next_cursor = self._cursors.next_cursor(context, params, page)
        return envelope(page, next_cursor, views.replay_task)

    def get(self, context: Context, params: p.DeliveriesGetReplayParams) -> responses.ReplayTask:
        row = self._replays.get(context.tx, context.principal, params.app_slug, params.replay_id)
        return views.replay_task(row)

    def cancel(
        self, context: Context, params: p.DeliveriesCancelReplayParams
    ) -> responses.ReplayTask:
        row = self._replays.cancel(context.tx, context.principal, params.app_slug, params.replay_id)
        return views.replay_task(row)


def _wanted(body: requests.ReplayCreate) -> Wanted:
    fields = given(body)
    ids = fields.get("delivery_ids")
    return Wanted(
        delivery_ids=None if ids is None else tuple(ids),
        after=instant_ms(fields, "after"),
        before=instant_ms(fields, "before"),
        statuses=tuple(body.statuses),
        event_name=fields.get("event_name"),
        endpoint_id=fields.get("endpoint_id"),
        max_count=body.max_count,
        names_a_range=bool(_OF_A_RANGE & fields.keys()),
    )
