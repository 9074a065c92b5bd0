"""Many events in one request, each accepted or refused by itself.

Under an idempotency key the batch leaves a record when it begins, each accepted event one of its
own in its own transaction, and the answer completes the first. So a repeat after a server died in
between accepts what is missing and nothing twice, and later ones get the first answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from hookwright_server.errors import Fault, Refusal
from hookwright_server.http.answers import Replayed, refused, success
from hookwright_server.http.context import Context
from hookwright_server.http.edge import requests
from hookwright_server.http.edge.operations import BY_ID
from hookwright_server.http.handlers.events import event_of
from hookwright_server.http.idempotency import Idempotency, Keyed
from hookwright_server.services.sizes import check_payload
from hookwright_server.services.trigger import Accepted, Event, Trigger
from hookwright_server.store.acceptance import NewRecord
from hookwright_server.store.errors import RecordExists

if TYPE_CHECKING:
    from hookwright_server.http.edge import responses

_STATUS = BY_ID["trigger.send_batch"].success_status


class Batches:
    """The handler of `trigger.send_batch`."""

    def __init__(self, trigger: Trigger, idempotency: Idempotency) -> None:
        self._trigger = trigger
        self._idempotency = idempotency

    def send(
        self, context: Context, app_slug: str, body: requests.TriggerBatch
    ) -> responses.TriggerBatchResult:
        """Accept the events of the batch. Raises what keeps the whole from being answered."""
        keyed = context.keyed
        if keyed is None:
            return _document(self._send(context, app_slug, body, None))
        stored = self._idempotency.take_up(keyed, context.request_id)
        if stored is not None:
            raise Replayed(stored)
        try:
            document = _document(self._send(context, app_slug, body, keyed))
        except Refusal as refusal:
            if refusal.code == "unavailable":
                raise
            told = refused(refusal, context.request_id)
            raise Replayed(self._idempotency.end(keyed, told, context.request_id)) from refusal
        own = success(_STATUS, document)
        kept = self._idempotency.end(keyed, own, context.request_id)
        if kept is not own:
            raise Replayed(kept)
        return document

    def _send(
        self,
        context: Context,
        app_slug: str,
        body: requests.TriggerBatch,
        keyed: Keyed | None,
    ) -> list[responses.TriggerBatchItem]:
        items: dict[int, responses.TriggerBatchItem] = {}
        events: dict[int, Event] = {}
        for index, (one, payload) in enumerate(zip(body.events, context.payloads, strict=True)):
            try:
                check_payload(payload)
                events[index] = event_of(context, one, payload)
            except Refusal as refusal:
                items[index] = _rejected(index, refusal)
        places = list(events)
        record = None if keyed is None else partial(self._record, keyed, places)
        done = self._trigger.send_batch(context.principal, app_slug, list(events.values()), record)
        for index, outcome in zip(places, done, strict=True):
            items[index] = self._item(context, index, outcome, keyed)
        return [items[index] for index in range(len(body.events))]

    def _record(
        self, keyed: Keyed, places: Sequence[int], number: int, accepted: Accepted
    ) -> NewRecord:
        index = places[number]
        answer = success(_STATUS, _accepted(index, accepted))
        return self._idempotency.record(_keyed(keyed, index), answer)

    def _item(
        self, context: Context, index: int, outcome: Accepted | Exception, keyed: Keyed | None
    ) -> responses.TriggerBatchItem:
        match outcome:
            case Accepted():
                return _accepted(index, outcome)
            case Refusal() if outcome.code != "unavailable" or keyed is None:
                return _rejected(index, outcome)
            case RecordExists() if keyed is not None:
                place = _keyed(keyed, index)
                found = self._idempotency.find(place)
                if found is None:
                    raise outcome
                answer = self._idempotency.replay(found, place, context.request_id)
                item: responses.TriggerBatchItem = json.loads(answer.body)
                return item
            case _ if keyed is None:
                return _rejected(index, _UNAVAILABLE)
            case _:
                raise outcome  # a repeat with the same key accepts what is missing


_UNAVAILABLE = Refusal(
    "unavailable", "The event was not stored, or nobody knows whether it was. Repeat it."
)


def _keyed(keyed: Keyed, index: int) -> Keyed:
    """The place of one event's record."""
    return replace(keyed, scope=hashlib.sha256(b"%b:%d" % (keyed.scope, index)).digest())


def _accepted(index: int, accepted: Accepted) -> responses.TriggerBatchItem:
    return {
        "index": index,
        "success": True,
        "message_id": accepted.message_id,
        "endpoint_count": len(accepted.delivery_ids),
        "filtered_count": accepted.filtered_count,
        "delivery_ids": [] if accepted.dry_run else list(accepted.delivery_ids),
        "error": None,
    }


def _rejected(index: int, refusal: Refusal) -> responses.TriggerBatchItem:
    return {
        "index": index,
        "success": False,
        "message_id": None,
        "endpoint_count": 0,
        "filtered_count": 0,
        "delivery_ids": [],
        "error": {
            "code": refusal.code,
            "detail": refusal.detail,
            "errors": [_fault(index, fault) for fault in refusal.faults],
        },
    }


def _fault(index: int, fault: Fault) -> responses.FieldError:
    return {
        "pointer": f"/events/{index}{fault.pointer}",
        "code": fault.code,
        "message": fault.message,
    }


def _document(items: list[responses.TriggerBatchItem]) -> responses.TriggerBatchResult:
    accepted = sum(item["success"] for item in items)
    return {
        "total": len(items),
        "accepted": accepted,
        "rejected": len(items) - accepted,
        "delivery_count": sum(len(item["delivery_ids"]) for item in items),
        "results": items,
    }
