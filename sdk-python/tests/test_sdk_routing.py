"""Filters and transformations in the SDK: what goes over the socket, and what comes back."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from hookwright import AsyncHookwright, Hookwright, UnprocessableError
from hookwright.models import FieldMapping, Transformation

if TYPE_CHECKING:
    from sdk_harness import ScriptedApi

MAPPINGS = {"mappings": [{"from": "payload.total", "to": "amount"}]}
TRANSFORMATION = Transformation(mappings=[FieldMapping(from_="payload.total", to="amount")])
ACCEPTED: dict[str, Any] = {
    "message_id": "msg_1",
    "event_name": "order.paid",
    "delivery_ids": [],
    "endpoint_count": 0,
    "filtered_count": 2,
    "dry_run": False,
}
FAILED: dict[str, Any] = {
    "type": "urn:hookwright:error:transformation_failed",
    "title": "The transformation fails on this payload",
    "status": 422,
    "detail": "The payload has no field 'payload.total'.",
    "code": "transformation_failed",
    "request_id": "req_1",
    "errors": [],
}


def _answer(status: int, document: object) -> bytes:
    body = json.dumps(document).encode()
    kind = "application/json" if status < 400 else "application/problem+json"
    head = f"HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _sent(api: ScriptedApi) -> list[tuple[str, str, Any]]:
    return [(each.method, each.target, json.loads(each.body)) for each in api.requests]


def test_a_transformation_is_previewed(api: ScriptedApi) -> None:
    """A model and a mapping say the same, and the result comes as a dict."""
    api.steps = [_answer(200, {"payload": {"amount": 5}})] * 2

    with Hookwright("k", base_url=api.base_url) as client:
        results = [
            client.transformations.preview(transformation=each, payload={"total": 5})
            for each in (TRANSFORMATION, MAPPINGS)
        ]

    body = {"transformation": MAPPINGS, "payload": {"total": 5}}
    assert [("POST", "/v1/transformations/preview", body)] * 2 == _sent(api)
    assert [{"amount": 5}] * 2 == [result.payload for result in results]


def test_a_preview_that_fails_is_an_error_with_a_code(api: ScriptedApi) -> None:
    """Also for asyncio."""
    api.steps = [_answer(422, FAILED)]

    async def preview() -> None:
        async with AsyncHookwright("k", base_url=api.base_url) as client:
            await client.transformations.preview(transformation=MAPPINGS, payload={})

    with pytest.raises(UnprocessableError, match="no field") as caught:
        asyncio.run(preview())
    assert "transformation_failed" == caught.value.code


def test_an_event_takes_its_context_along(api: ScriptedApi) -> None:
    """`filter_context` is sent when it is given, and `filtered_count` is told."""
    api.steps = [_answer(202, ACCEPTED)] * 2

    with Hookwright("k", base_url=api.base_url) as client:
        event: Any = {"event_name": "order.paid", "payload": {}}
        found = client.trigger.send("app", **event, filter_context={"region": "eu"})
        client.trigger.send("app", **event)

    assert 2 == found.filtered_count
    assert [{**event, "filter_context": {"region": "eu"}}, event] == [
        body for _, _, body in _sent(api)
    ]


def test_an_endpoint_says_what_it_wants(api: ScriptedApi) -> None:
    """Rules and transformation are sent; null clears, and absent is not sent."""
    shown: dict[str, Any] = {
        "id": "ep_1",
        "app_slug": "app",
        "url": "https://example.com",
        "description": None,
        "events": ["*"],
        "headers": {},
        "metadata": {},
        "active": True,
        "timeout_seconds": 15,
        "retry_policy": None,
        "max_concurrency": 16,
        "rate_limit": None,
        "signing": {"source": "endpoint", "scheme": "v1"},
        "health": {
            "state": "healthy",
            "consecutive_failures": 0,
            "first_failure_at": None,
            "last_success_at": None,
            "last_failure_at": None,
        },
        "disabled_at": None,
        "disabled_reason": None,
        "created_at": "2026-11-21T09:00:00.000Z",
        "updated_at": "2026-11-21T09:00:00.000Z",
        "filter_rules": {"payload.total": {"$gte": 1000}},
        "transformation": MAPPINGS,
    }
    api.steps = [_answer(200, shown), _answer(200, {**shown, "transformation": None})]

    with Hookwright("k", base_url=api.base_url) as client:
        changed = client.endpoints.update(
            "app", "ep_1", filter_rules=shown["filter_rules"], transformation=TRANSFORMATION
        )
        cleared = client.endpoints.update("app", "ep_1", transformation=None)

    assert TRANSFORMATION == changed.transformation
    assert shown["filter_rules"] == changed.filter_rules
    assert cleared.transformation is None
    assert [
        {"filter_rules": shown["filter_rules"], "transformation": MAPPINGS},
        {"transformation": None},
    ] == [body for _, _, body in _sent(api)]
