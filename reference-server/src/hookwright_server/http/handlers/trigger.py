"""Handlers of the tag `trigger`."""

from __future__ import annotations

from functools import partial

from hookwright_server.errors import Refusal
from hookwright_server.http.answers import Replayed, success
from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import requests, responses
from hookwright_server.http.edge.operations import BY_ID
from hookwright_server.http.handlers.batches import Batches
from hookwright_server.http.handlers.events import event_of
from hookwright_server.http.idempotency import Idempotency, Keyed
from hookwright_server.services.trigger import Accepted, Event, Trigger
from hookwright_server.store.acceptance import NewRecord
from hookwright_server.store.errors import RecordExists

_STATUS = BY_ID["trigger.send"].success_status


class TriggerHandlers:
    """See `edge.handlers.TriggerHandlers`.

    The record of an idempotency key is a row of the same group commit as the event, so a repeat
    that comes while the first is still running waits for that commit and finds the record.
    """

    def __init__(self, trigger: Trigger, idempotency: Idempotency) -> None:
        self._trigger = trigger
        self._idempotency = idempotency
        self._batches = Batches(trigger, idempotency)

    def send(
        self, context: Context, params: p.TriggerSendParams, body: requests.TriggerSend
    ) -> responses.TriggerAccepted:
        event = event_of(context, body, context.payload or b"{}")
        if context.keyed is None or event.dry_run:
            return _document(self._send(context, params, event, None))
        return _document(self._send_keyed(context, params, event, context.keyed))

    def send_batch(
        self, context: Context, params: p.TriggerSendBatchParams, body: requests.TriggerBatch
    ) -> responses.TriggerBatchResult:
        return self._batches.send(context, params.app_slug, body)

    def _send_keyed(
        self, context: Context, params: p.TriggerSendParams, event: Event, keyed: Keyed
    ) -> Accepted:
        try:
            return self._send(context, params, event, keyed)
        except RecordExists:
            self._replay(context, keyed)
            raise
        except Refusal as refusal:
            if context.admit is not None:
                context.admit()
            self._replay(context, keyed)
            raise Replayed(self._idempotency.keep(keyed, refusal, context.request_id)) from refusal

    def _send(
        self, context: Context, params: p.TriggerSendParams, event: Event, keyed: Keyed | None
    ) -> Accepted:
        record = None if keyed is None else partial(self._record, keyed)
        return self._trigger.send(context.principal, params.app_slug, event, record)

    def _record(self, keyed: Keyed, accepted: Accepted) -> NewRecord:
        return self._idempotency.record(keyed, success(_STATUS, _document(accepted)))

    def _replay(self, context: Context, keyed: Keyed) -> None:
        found = self._idempotency.find(keyed)
        if found is not None:
            raise Replayed(self._idempotency.replay(found, keyed, context.request_id))


def _document(accepted: Accepted) -> responses.TriggerAccepted:
    return {
        "message_id": accepted.message_id,
        "event_name": accepted.event_name,
        "delivery_ids": [] if accepted.dry_run else list(accepted.delivery_ids),
        "endpoint_count": len(accepted.delivery_ids),
        "filtered_count": accepted.filtered_count,
        "dry_run": accepted.dry_run,
    }
