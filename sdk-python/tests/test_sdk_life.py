"""The namespaces for the life of messages: what they send, and what they make of the answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from hookwright import AsyncHookwright, Hookwright, models

if TYPE_CHECKING:
    from sdk_harness import ScriptedApi

AT = "2026-11-21T09:00:00.000Z"
DELIVERY: dict[str, Any] = {
    "id": "del_2",
    "message_id": "msg_1",
    "app_slug": "payments",
    "endpoint_id": "ep_1",
    "endpoint_url": "https://example.com/webhooks",
    "event_name": "invoice.paid",
    "status": "pending",
    "cancel_reason": None,
    "attempt_count": 0,
    "max_attempts": 10,
    "next_attempt_at": AT,
    "last_status_code": None,
    "last_failure_reason": None,
    "latency_ms": None,
    "created_at": AT,
    "completed_at": None,
    "replay_of": "del_1",
    "ordering_key": None,
    "sequence": None,
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "app_slug": "payments",
    "event_name": "invoice.paid",
    "event_id": None,
    "endpoint_count": 1,
    "filtered_count": 0,
    "created_at": AT,
    "tags": ["priority"],
    "deliver_at": None,
    "expires_at": AT,
    "expunged_at": AT,
    "ordering_key": "customer 1",
}
TASK: dict[str, Any] = {
    "id": "rpl_1",
    "app_slug": "payments",
    "status": "running",
    "dry_run": False,
    "total_count": 3,
    "processed_count": 2,
    "replayed_count": 1,
    "skipped_count": 1,
    "created_at": AT,
    "started_at": AT,
    "completed_at": None,
}
ITEM: dict[str, Any] = {
    "index": 0,
    "success": True,
    "message_id": "msg_1",
    "endpoint_count": 1,
    "filtered_count": 0,
    "delivery_ids": ["del_1"],
    "error": None,
}
REJECTED: dict[str, Any] = {
    **ITEM,
    "index": 1,
    "success": False,
    "message_id": None,
    "delivery_ids": [],
    "error": {"code": "unknown_endpoint", "detail": "No such endpoint.", "errors": []},
}
BATCH: dict[str, Any] = {
    "total": 2,
    "accepted": 1,
    "rejected": 1,
    "delivery_count": 1,
    "results": [ITEM, REJECTED],
}
ACCEPTED: dict[str, Any] = {
    "message_id": "msg_1",
    "event_name": "invoice.paid",
    "delivery_ids": ["del_1"],
    "endpoint_count": 1,
    "filtered_count": 0,
    "dry_run": False,
}
COUNTS = {"message_id": "msg_1", "cancelled_count": 2, "sending_count": 1}


def _answer(status: int, document: Any) -> bytes:
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


Use = Callable[[Any], Any]

CASES: list[tuple[Use, int, Any, str, Any, Callable[[Any], Any]]] = [
    (
        lambda c: c.deliveries.cancel("payments", "del_2"),
        200,
        DELIVERY,
        "POST /v1/apps/payments/deliveries/del_2/cancel",
        None,
        lambda delivery: delivery.status == "pending",
    ),
    (
        lambda c: c.deliveries.replay("payments", "del_1"),
        201,
        DELIVERY,
        "POST /v1/apps/payments/deliveries/del_1/replay",
        None,
        lambda delivery: delivery.replay_of == "del_1",
    ),
    (
        lambda c: c.messages.cancel("payments", "msg_1"),
        200,
        COUNTS,
        "POST /v1/apps/payments/messages/msg_1/cancel",
        None,
        lambda counts: (counts.cancelled_count, counts.sending_count) == (2, 1),
    ),
    (
        lambda c: c.messages.expunge("payments", "msg_1"),
        200,
        MESSAGE,
        "POST /v1/apps/payments/messages/msg_1/expunge",
        None,
        lambda message: message.expunged_at == datetime(2026, 11, 21, 9, tzinfo=UTC),
    ),
    (
        lambda c: c.trigger.send(
            "payments", event_name="invoice.paid", payload={}, ordering_key="customer 1"
        ),
        202,
        ACCEPTED,
        "POST /v1/apps/payments/trigger",
        {"event_name": "invoice.paid", "payload": {}, "ordering_key": "customer 1"},
        lambda accepted: accepted.delivery_ids == ["del_1"],
    ),
    (
        lambda c: c.deliveries.get("payments", "del_1"),
        200,
        {**DELIVERY, "replay_of": None, "ordering_key": "customer 1", "sequence": 7},
        "GET /v1/apps/payments/deliveries/del_1",
        None,
        lambda delivery: (delivery.ordering_key, delivery.sequence) == ("customer 1", 7),
    ),
    (
        lambda c: c.trigger.send_batch(
            "payments",
            events=[
                models.TriggerSend(event_name="invoice.paid", payload={"n": 1}, tags=["priority"]),
                {"event_name": "invoice.paid", "payload": {}, "endpoint_ids": ["ep_x"]},
            ],
        ),
        202,
        BATCH,
        "POST /v1/apps/payments/trigger/batch",
        {
            "events": [
                {"event_name": "invoice.paid", "payload": {"n": 1}, "tags": ["priority"]},
                {"event_name": "invoice.paid", "payload": {}, "endpoint_ids": ["ep_x"]},
            ]
        },
        lambda batch: (
            [each.error and each.error.code for each in batch.results] == [None, "unknown_endpoint"]
        ),
    ),
    (
        lambda c: c.deliveries.create_replay(
            "payments", after=datetime(2026, 11, 20, 9, tzinfo=UTC), statuses=["delivered"]
        ),
        202,
        TASK,
        "POST /v1/apps/payments/replays",
        {"after": "2026-11-20T09:00:00.000Z", "statuses": ["delivered"]},
        lambda task: (task.status, task.skipped_count) == ("running", 1),
    ),
    (
        lambda c: c.deliveries.get_replay("payments", "rpl_1"),
        200,
        TASK,
        "GET /v1/apps/payments/replays/rpl_1",
        None,
        lambda task: task.completed_at is None,
    ),
    (
        lambda c: c.deliveries.cancel_replay("payments", "rpl_1"),
        200,
        {**TASK, "status": "cancelled", "completed_at": AT},
        "POST /v1/apps/payments/replays/rpl_1/cancel",
        None,
        lambda task: task.status == "cancelled",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[each[3].rpartition("/v1/")[2] for each in CASES])
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_a_call_is_one_request_and_its_answer_a_model(
    case: tuple[Use, int, Any, str, Any, Callable[[Any], Any]], flavour: str, api: ScriptedApi
) -> None:
    """Method, path and body are the contract's, and the answer's members are attributes."""
    use, status, document, line, body, holds = case
    api.steps = [_answer(status, document)]
    if flavour == "sync":
        with Hookwright("hw_test_key", base_url=api.base_url) as client:
            result = use(client)
    else:

        async def call() -> Any:
            async with AsyncHookwright("hw_test_key", base_url=api.base_url) as client:
                return await use(client)

        result = asyncio.run(call())
    [request] = api.requests

    assert line == f"{request.method} {request.target}"
    assert body == (json.loads(request.body) if request.body else None)
    assert holds(result)
    assert (request.method == "POST") == ("idempotency-key" in request.headers)


def test_lists_are_pages(api: ScriptedApi) -> None:
    """Tasks, an endpoint's deliveries and messages by tag are walked like every list."""
    page = {"has_more": False, "next_cursor": None}
    api.steps = [
        _answer(200, {"data": [TASK], **page}),
        _answer(200, {"data": [DELIVERY], **page}),
        _answer(200, {"data": [MESSAGE], **page}),
    ]
    with Hookwright("hw_test_key", base_url=api.base_url) as client:
        found = [
            *client.deliveries.list_replays("payments"),
            *client.endpoints.list_deliveries("payments", "ep_1", status=["held"]),
            *client.messages.list("payments", tag="priority"),
        ]

    assert ["rpl_1", "del_2", "msg_1"] == [each.id for each in found]
    assert [
        "/v1/apps/payments/replays",
        "/v1/apps/payments/endpoints/ep_1/deliveries?status=held",
        "/v1/apps/payments/messages?tag=priority",
    ] == [request.target for request in api.requests]
