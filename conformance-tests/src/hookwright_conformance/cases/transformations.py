"""Transformations: what an endpoint receives instead of the payload."""

from __future__ import annotations

import json
import threading

from hookwright_conformance.answers import held
from hookwright_conformance.case import case
from hookwright_conformance.cases.signing import require_genuine
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.world import Document, World

PAYLOAD = (
    b'{"secret": 1, "order": {"total": 1.10000000000000000001, "lines": [{"sku":"a"},{"sku": "b" }]'
    b'}, "note":"caf\\u00e9 \\/"}'
)
RESULT = b'{"amount":{"value":1.10000000000000000001,"note":"caf\\u00e9 \\/"},"last":{"sku": "b" }}'
MAPPINGS: Document = {
    "mappings": [
        {"from": "payload.order.total", "to": "amount.value"},
        {"from": "payload.order.lines.1", "to": "last"},
        {"from": "payload.note", "to": "amount.note"},
    ]
}


def _data(body: bytes) -> bytes:
    """The bytes of the member `data`."""
    return body.partition(b'"data":')[2][:-1]


@case(
    id="transformations.result-keeps-its-bytes",
    requirement="TRANSFORM-1",
    profile="filtering",
    kills=["reformats-what-it-copies"],
)
def result_keeps_its_bytes(world: World) -> None:
    """Only what is mapped arrives, in its place, each value as it was written."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook, transformation=MAPPINGS)
    world.publish_raw(app, PAYLOAD)
    (request,) = hook.wait_for(1, world.patience)

    require_equal(RESULT, _data(request.body), "data")
    require_equal(["type", "timestamp", "data"], list(json.loads(request.body)), "members")
    require_genuine(request, endpoint["signing_secret"])


@case(
    id="transformations.each-attempt-uses-the-present-one",
    requirement="TRANSFORM-2",
    profile="filtering",
    kills=["keeps-the-first-transformation"],
)
def each_attempt_uses_the_present_one(world: World) -> None:
    """What is changed before an attempt begins counts for it; null passes the payload on."""
    app, gate = world.app(), threading.Event()
    hook = world.hook(held(gate, 500))
    policy = {"delays_seconds": [0.2], "jitter": 0}
    fields: Document = {"retry_policy": policy, "timeout_seconds": 30}
    endpoint = world.endpoint(app, hook, transformation=MAPPINGS, **fields)
    world.publish_raw(app, PAYLOAD)
    hook.wait_for(1, world.patience)
    body: Document = {"transformation": None}
    changed = world.api.call("endpoints.update", app, endpoint["id"], expect=200, body=body)
    gate.set()
    first, second = hook.wait_for(2, world.patience)

    require_equal(None, changed.json()["transformation"], "transformation")
    require_equal([RESULT, PAYLOAD], [_data(first.body), _data(second.body)], "data")


@case(
    id="transformations.failure-ends-the-delivery",
    requirement="TRANSFORM-3",
    profile="filtering",
    kills=["sends-what-it-could-not-transform"],
)
def failure_ends_the_delivery(world: World) -> None:
    """A field that is absent: one attempt, transformation_error, failed, and no request."""
    app, hook = world.app(), world.hook()
    policy = {"delays_seconds": [0.1], "jitter": 0, "retry_client_errors": True}
    world.endpoint(app, hook, transformation=MAPPINGS, retry_policy=policy)
    delivery = world.publish(app, {"secret": 1})["delivery_ids"][0]
    found = world.finished(app, delivery, "failed")
    (attempt,) = world.attempts(app, delivery)

    require_equal("transformation_error", found["last_failure_reason"], "last_failure_reason")
    shown = (attempt["status"], attempt["failure_reason"], attempt["status_code"])
    require_equal(("failed", "transformation_error", None), shown, "attempt")
    hook.stays_at(0, 0.5)


@case(
    id="transformations.nonsense-is-refused",
    requirement="TRANSFORM-4",
    profile="filtering",
    kills=["takes-any-transformation"],
)
def nonsense_is_refused(world: World) -> None:
    """Paths that are none and two results for one place are 400, and named."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)
    good = {"from": "payload.a", "to": "a"}
    for bad, member in (
        ({"from": "a", "to": "b"}, "from"),
        ({"from": "context.a", "to": "b"}, "from"),
        ({"from": "payload.b", "to": "b..c"}, "to"),
        ({"from": "payload.b", "to": "a"}, "to"),
        ({"from": "payload.b", "to": "a.b"}, "to"),
    ):
        body: Document = {"transformation": {"mappings": [good, bad]}}
        for refused in (
            world.api.call("endpoints.create", app, expect=400, body={"url": hook.url, **body}),
            world.api.call("endpoints.update", app, endpoint["id"], expect=400, body=body),
        ):
            pointer = refused.json()["errors"][0]["pointer"]
            require_equal("validation_error", refused.code, f"code for {bad}")
            require_equal(f"/transformation/mappings/1/{member}", pointer, "pointer")


@case(
    id="transformations.preview-tells-the-result",
    requirement="TRANSFORM-5",
    profile="filtering",
    kills=["reformats-what-it-copies"],
)
def preview_tells_the_result(world: World) -> None:
    """The very bytes that would be delivered, or why it would fail."""
    transformation = b'{"transformation":' + json.dumps(MAPPINGS).encode() + b',"payload":'
    raw = transformation + PAYLOAD + b"}"
    told = world.api.call("transformations.preview", expect=200, raw=raw)
    body: Document = {"transformation": MAPPINGS, "payload": {"order": {"total": 1}}}
    refused = world.api.call("transformations.preview", expect=422, body=body)

    require(RESULT in told.body, "payload", RESULT, told.body)
    require_equal("transformation_failed", refused.code, "code")
    pointer = refused.json()["errors"][0]["pointer"]
    require_equal("/transformation/mappings/1/from", pointer, "pointer")


@case(
    id="transformations.test-shows-what-would-be-sent",
    requirement="TRANSFORM-6",
    profile="filtering",
    kills=["sends-what-it-could-not-transform"],
)
def test_shows_what_would_be_sent(world: World) -> None:
    """A test event is transformed; when it cannot be, nothing is sent."""
    app, hook = world.app(), world.hook()
    mapping = {"mappings": [{"from": "payload.n", "to": "number"}]}
    endpoint = world.endpoint(app, hook, transformation=mapping)

    def test(payload: Document) -> Document:
        body = {"payload": payload}
        answer = world.api.call("endpoints.test", app, endpoint["id"], expect=200, body=body)
        return dict(answer.json())

    sent, failed = test({"n": 1}), test({})
    (request,) = hook.wait_for(1, world.patience)
    require_equal({"number": 1}, json.loads(request.body)["data"], "data")
    require_equal(request.body.decode(), sent["request"]["body"], "request.body")
    shown = (failed["success"], failed["failure_reason"], failed["request"])
    require_equal((False, "transformation_error", None), shown, "result")
    hook.stays_at(1, 0.3)
