"""The request that an endpoint receives."""

from __future__ import annotations

import json
import secrets
import threading
import time
from urllib.parse import urlsplit

from hookwright_conformance.answers import held, status
from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.world import Document, World, instant

PAYLOAD = (
    b'{"z": 1.0, "a":12345678901234567890.123456789,  "e":1E400,'
    b'"text":"caf\\u00e9 \xc3\xa9 \\/ \\ud83e\\ude9d",'
    b'"nested":{"b":[1, 2,\t3],"a":-0}}'
)


@case(
    id="wire.request-is-a-documented-post",
    requirement="WIRE-1",
    profile="core",
    kills=["sends-text"],
)
def request_is_a_documented_post(world: World) -> None:
    """Method, target, version and headers of a delivery are as documented."""
    app, hook = world.app(), world.hook()
    url = hook.url + "?tenant=a%20b&x=1"
    world.endpoint(app, hook, url=url)
    world.publish(app, {"n": 1})
    (request,) = hook.wait_for(1, world.patience)

    parts = urlsplit(url)
    require_equal("POST", request.method, "method")
    require(request.target.endswith(f"/{hook.name}?{parts.query}"), "target", url, request.target)
    require(b" HTTP/1.1\r\n" in request.head, "version", "HTTP/1.1", request.head[:80])
    require_equal([parts.netloc], request.values("host"), "Host")
    require_equal([str(len(request.body))], request.values("content-length"), "Content-Length")
    media = (request.header("content-type") or "").split(";")[0].strip()
    require_equal("application/json", media, "Content-Type")
    agent = request.header("user-agent") or ""
    require(agent.startswith("Hookwright/"), "User-Agent", "Hookwright/<version>", agent)
    require(bool(request.body), "body", "a body", "nothing")


@case(
    id="wire.body-is-type-timestamp-data",
    requirement="WIRE-2",
    profile="core",
    kills=["misdates-the-body"],
)
def body_is_type_timestamp_data(world: World) -> None:
    """The body has three members in order, and its timestamp is the time of acceptance."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    accepted = world.publish(app, {"n": 1}, event_name="order.created")
    (request,) = hook.wait_for(1, world.patience)

    body = json.loads(request.body)
    require_equal(["type", "timestamp", "data"], list(body), "members of the body")
    require_equal("order.created", body["type"], "type")
    require_equal({"n": 1}, body["data"], "data")
    message = world.api.call("messages.get", app, accepted["message_id"], expect=200).json()
    require_equal(instant(message["created_at"]), instant(body["timestamp"]), "timestamp")


@case(
    id="wire.payload-is-sent-byte-for-byte",
    requirement="WIRE-3",
    profile="core",
    kills=["reserialises-the-payload"],
)
def payload_is_sent_byte_for_byte(world: World) -> None:
    """Numbers, key order, escapes and white space of the payload arrive untouched."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    world.publish_raw(app, PAYLOAD)
    (request,) = hook.wait_for(1, world.patience)

    require(request.body.endswith(PAYLOAD + b"}"), "bytes of data", PAYLOAD, request.body)


@case(
    id="wire.message-id-is-equal-on-every-attempt",
    requirement="WIRE-4",
    profile="core",
    kills=["never-retries-5xx", "new-webhook-id-per-attempt"],
)
def message_id_is_equal_on_every_attempt(world: World) -> None:
    """webhook-id is the message's id on each attempt and for each endpoint."""
    app, flaky, other = world.app(), world.hook(status(500), status(503), status(200)), world.hook()
    world.endpoint(app, flaky)
    world.endpoint(app, other)
    accepted = world.publish(app)
    requests = flaky.wait_for(3, world.patience) + other.wait_for(1, world.patience)

    for request in requests:
        require_equal([accepted["message_id"]], request.values("webhook-id"), "webhook-id")


@case(
    id="wire.timestamp-is-of-this-attempt",
    requirement="WIRE-5",
    profile="core",
    kills=["never-retries-5xx", "stale-timestamp-on-retries"],
)
def timestamp_is_of_this_attempt(world: World) -> None:
    """webhook-timestamp moves on with each attempt."""
    app, hook = world.app(), world.hook(status(500), status(200))
    world.endpoint(app, hook, retry_policy={"delays_seconds": [2.1], "jitter": 0})
    world.publish(app)
    first, second = hook.wait_for(2, 2.1 + world.patience)

    stamps = [int(request.header("webhook-timestamp") or 0) for request in (first, second)]
    # The first may have been long on its way, and both are whole seconds.
    longest = second.began - first.began + 1 + world.slack
    moved = stamps[1] - stamps[0]
    expected = f"2 to {longest:.1f}"
    require(2 <= moved <= longest, "seconds between the timestamps", expected, moved)
    age = time.time() - stamps[1]
    require(abs(age) < 60 + world.slack, "age of the timestamp", "a few seconds", f"{age:.0f} s")


@case(
    id="wire.body-is-equal-on-every-attempt",
    requirement="WIRE-6",
    profile="core",
    kills=["never-retries-5xx", "numbers-the-bodies"],
)
def body_is_equal_on_every_attempt(world: World) -> None:
    """Three attempts carry the same bytes."""
    app, hook = world.app(), world.hook(status(500), status(500), status(200))
    world.endpoint(app, hook)
    world.publish(app, {"n": 1})
    first, *others = hook.wait_for(3, world.patience)

    for request in others:
        require_equal(first.body, request.body, f"body of request {request.number}")


@case(
    id="wire.attempt-uses-present-settings",
    requirement="WIRE-7",
    profile="core",
    kills=["never-retries-5xx", "remembers-endpoints-as-they-were"],
)
def attempt_uses_present_settings(world: World) -> None:
    """After an update the next attempt goes to the new URL with the new header."""
    app, gate = world.app(), threading.Event()
    old, new = world.hook(held(gate, 500)), world.hook()
    fields: Document = {"headers": {"X-Tenant": "one"}, "timeout_seconds": 30}
    endpoint = world.endpoint(app, old, **fields)
    world.publish(app)
    (before,) = old.wait_for(1, world.patience)
    change = {"url": new.url, "headers": {"X-Tenant": "two"}}
    world.api.call("endpoints.update", app, endpoint["id"], expect=200, body=change)
    gate.set()
    (after,) = new.wait_for(1, world.patience)

    require_equal(["one"], before.values("x-tenant"), "header before the update")
    require_equal(["two"], after.values("x-tenant"), "header after the update")
    require_equal(1, len(old.requests), "requests to the old URL")


@case(
    id="wire.own-headers-are-sent-and-masked",
    requirement="WIRE-8",
    profile="core",
    kills=["shows-what-endpoints-are-told"],
)
def own_headers_are_sent_and_masked(world: World) -> None:
    """An endpoint's headers reach the receiver in full and read *** in every response."""
    app, hook = world.app(), world.hook()
    secret = world.token()
    headers = {"Authorization": f"Bearer {secret}", "X-Tenant": "a, b; c"}
    endpoint = world.endpoint(app, hook, headers=headers)
    accepted = world.publish(app)
    (request,) = hook.wait_for(1, world.patience)

    for name, value in headers.items():
        require_equal([value], request.values(name), name)
    read = world.api.call("endpoints.get", app, endpoint["id"], expect=200)
    require_equal(dict.fromkeys(headers, "***"), read.json()["headers"], "headers of the endpoint")
    delivery = accepted["delivery_ids"][0]
    world.finished(app, delivery, "delivered")
    attempts = world.api.call("deliveries.list_attempts", app, delivery, expect=200)
    for response in (read, attempts):
        require(secret.encode() not in response.body, "responses", "***", "the value in clear")


@case(
    id="wire.no-compressed-answer-is-asked-for",
    requirement="WIRE-9",
    profile="core",
    kills=["asks-for-compression"],
)
def no_compressed_answer_is_asked_for(world: World) -> None:
    """Accept-Encoding is absent or identity."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    world.publish(app)
    (request,) = hook.wait_for(1, world.patience)

    asked = request.header("accept-encoding")
    require(asked in (None, "identity"), "Accept-Encoding", "absent or identity", asked)


@case(
    id="wire.traceparent-is-the-publishers-or-absent",
    requirement="WIRE-11",
    profile="core",
    kills=["begins-a-trace-of-its-own"],
)
def traceparent_is_the_publishers_or_absent(world: World) -> None:
    """The trace of the publishing request goes on or ends; what may hold secrets ends."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    trace = secrets.token_hex(16)
    given = {
        "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01",
        "tracestate": "vendor=private",
        "baggage": "customer=private",
    }
    event = {"event_name": "case.event", "payload": {"n": 1}}
    world.api.call("trigger.send", app, expect=202, body=event, headers=given)
    world.publish(app)
    requests = hook.wait_for(2, world.patience)

    traces = [request.header("traceparent") for request in requests]
    told = [found.split("-")[1] for found in traces if found is not None]
    require(told in ([], [trace]), "trace ids of the deliveries", f"[] or [{trace}]", told)
    for name in ("tracestate", "baggage"):
        require_equal([], [r.header(name) for r in requests if r.header(name)], name)


@case(
    id="wire.reserved-headers-are-refused",
    requirement="WIRE-10",
    profile="core",
    kills=["takes-any-header"],
)
def reserved_headers_are_refused(world: World) -> None:
    """Headers that the server owns cannot be set, and values cannot smuggle a line break."""
    app, hook = world.app(), world.hook()
    for name in (
        "Host",
        "Content-Length",
        "webhook-id",
        "User-Agent",
        "Cookie",
        "Proxy-Connection",
    ):
        body = {"url": hook.url, "headers": {name: "x"}}
        response = world.api.call("endpoints.create", app, expect=422, body=body)
        require_equal("header_not_allowed", response.code, f"code for {name}")
    for value in ("a\r\nX-Evil: 1", "a\nb", "a\u0000b", "\u00fc"):
        body = {"url": hook.url, "headers": {"X-Mine": value}}
        response = world.api.call("endpoints.create", app, expect=400, body=body)
        require_equal("validation_error", response.code, f"code for the value {value!r}")
