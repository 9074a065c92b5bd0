"""Idempotency-Key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from hookwright_conformance.answers import held, status
from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.route import Response
from hookwright_conformance.world import Document, World

EVENT: Document = {"event_name": "case.event", "payload": {"n": 1}}
REPLAYED = "idempotency-replayed"


@case(
    id="idempotency.repeat-gets-the-first-response",
    requirement="IDEM-1",
    profile="core",
    kills=["loses-the-idempotency-key"],
)
def repeat_gets_the_first_response(world: World) -> None:
    """The same key and body answer the same, say so, and publish once."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    headers = {"Idempotency-Key": world.token()}
    first, second = (
        world.api.call("trigger.send", app, expect=202, body=EVENT, headers=headers)
        for _ in range(2)
    )

    require_equal(None, first.header(REPLAYED), "Idempotency-Replayed of the first response")
    require_equal("true", second.header(REPLAYED), "Idempotency-Replayed of the second response")
    require_equal(first.json(), second.json(), "body of the second response")
    hook.wait_for(1, world.patience)
    hook.stays_at(1, 0.5)


@case(
    id="idempotency.other-body-is-refused",
    requirement="IDEM-2",
    profile="core",
    kills=["loses-the-idempotency-key"],
)
def other_body_is_refused(world: World) -> None:
    """The same key with another body is 422 and publishes nothing."""
    app, headers = world.app(), {"Idempotency-Key": world.token()}
    world.api.call("trigger.send", app, expect=202, body=EVENT, headers=headers)
    other = {**EVENT, "payload": {"n": 2}}
    refused = world.api.call("trigger.send", app, expect=422, body=other, headers=headers)

    require_equal("idempotency_key_reused", refused.code, "code")
    messages = world.api.call("messages.list", app, expect=200).json()["data"]
    require_equal(1, len(messages), "messages")


@case(
    id="idempotency.concurrent-repeats-publish-once",
    requirement="IDEM-3",
    profile="core",
    kills=["loses-the-idempotency-key"],
)
def concurrent_repeats_publish_once(world: World) -> None:
    """Eight requests at the same time with one key are all answered 202 with one message."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    headers = {"Idempotency-Key": world.token()}

    def send(_: int) -> str:
        response = world.api.call("trigger.send", app, expect=202, body=EVENT, headers=headers)
        return str(response.json()["message_id"])

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(send, range(8)))
    require_equal(1, len(ids), "number of messages in eight responses")
    hook.wait_for(1, world.patience)
    hook.stays_at(1, 0.5)


@case(
    id="idempotency.key-counts-per-path",
    requirement="IDEM-4",
    profile="core",
    kills=["one-place-for-all-idempotency-keys"],
)
def key_counts_per_path(world: World) -> None:
    """The same key on another app's path is a new key."""
    headers = {"Idempotency-Key": world.token()}
    responses = [
        world.api.call("trigger.send", app, expect=202, body=EVENT, headers=headers)
        for app in (world.app(), world.app())
    ]

    _require_apart(responses)


@case(
    id="idempotency.key-counts-per-environment",
    requirement="IDEM-4",
    profile="account",
    kills=["one-place-for-all-idempotency-keys"],
)
def key_counts_per_environment(world: World) -> None:
    """The same key on the same path in the other environment is a new key."""
    app, headers = world.app(), {"Idempotency-Key": world.token()}
    tester, _ = world.key(["admin"], environment="test")
    elsewhere = world.api.using(tester)
    elsewhere.call("apps.create", expect=201, body={"name": "x", "slug": app})
    world.afterwards(partial(elsewhere.call, "apps.delete", app))
    responses = [
        api.call("trigger.send", app, expect=202, body=EVENT, headers=headers)
        for api in (world.api, elsewhere)
    ]

    _require_apart(responses)


def _require_apart(responses: list[Response]) -> None:
    """None of them repeats another."""
    for response in responses:
        require_equal(None, response.header(REPLAYED), "Idempotency-Replayed")
    ids = {response.json()["message_id"] for response in responses}
    require_equal(len(responses), len(ids), "number of messages")


@case(
    id="idempotency.refused-requests-leave-no-record",
    requirement="IDEM-5",
    profile="core",
    kills=["remembers-refusals"],
)
def refused_requests_leave_no_record(world: World) -> None:
    """After a 400, a 415 and a 401 the same key still works for the right request."""
    app, headers = world.app(), {"Idempotency-Key": world.token()}
    call = world.api.call
    call("trigger.send", app, expect=400, body={"event_name": "no spaces"}, headers=headers)
    plain = {**headers, "Content-Type": "text/plain"}
    call("trigger.send", app, expect=415, raw=b"{}", headers=plain)
    nobody = world.api.using(None)
    nobody.call("trigger.send", app, expect=401, body=EVENT, headers=headers)
    accepted = call("trigger.send", app, expect=202, body=EVENT, headers=headers)

    require_equal(None, accepted.header(REPLAYED), "Idempotency-Replayed")


@case(
    id="idempotency.repeat-shows-the-secret-again",
    requirement="IDEM-6",
    profile="core",
    kills=["loses-the-idempotency-key"],
)
def repeat_shows_the_secret_again(world: World) -> None:
    """A repeated endpoints.create returns the same endpoint with its secret, and makes no other."""
    app, hook = world.app(), world.hook()
    headers = {"Idempotency-Key": world.token()}
    first, second = (
        world.api.call(
            "endpoints.create", app, expect=201, body={"url": hook.url}, headers=headers
        ).json()
        for _ in range(2)
    )

    require_equal(first, second, "second response")
    rows = world.api.call("endpoints.list", app, expect=200).json()["data"]
    require_equal(1, len(rows), "endpoints")


@case(
    id="idempotency.malformed-keys-are-refused",
    requirement="IDEM-7",
    profile="core",
    kills=["takes-any-idempotency-key"],
)
def malformed_keys_are_refused(world: World) -> None:
    """A key that is too long or has a space is 400."""
    app = world.app()
    for key in ("x" * 256, "two words", "tab\there"):
        headers = {"Idempotency-Key": key}
        response = world.api.call("trigger.send", app, expect=400, body=EVENT, headers=headers)
        require_equal("validation_error", response.code, f"code for {key[:10]!r}")
    longest = {"Idempotency-Key": (world.token() + "x" * 255)[:255]}
    response = world.api.call("trigger.send", app, body=EVENT, headers=longest)
    require(response.status == 202, "status with a key of 255 characters", 202, response.status)


@case(
    id="idempotency.outside-trigger-a-repeat-comes-too-early",
    requirement="IDEM-9",
    profile="core",
    kills=["forgets-who-is-under-way"],
)
def outside_trigger_a_repeat_comes_too_early(world: World) -> None:
    """While endpoints.test waits for its endpoint a repeat is 409; later it gets the answer."""
    app, gate = world.app(), threading.Event()
    hook = world.hook(held(gate), status(200))
    path = (app, world.endpoint(app, hook, timeout_seconds=30)["id"])
    headers = {"Idempotency-Key": world.token()}
    body: Document = {"event_name": "case.test", "payload": {}}

    def test(_: int) -> Response:
        return world.api.call("endpoints.test", *path, body=body, headers=headers)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(test, 1)
        try:
            hook.wait_for(1, world.patience)
            early = test(2)
        finally:
            gate.set()
        first = running.result()
    repeated = test(3)

    require_equal((409, "idempotency_in_progress"), (early.status, early.code), "status and code")
    wait = early.header("retry-after")
    require(wait is not None and int(wait) > 0, "Retry-After", "seconds", wait)
    require_equal((200, first.json()), (repeated.status, repeated.json()), "the repeat afterwards")
    require_equal("true", repeated.header(REPLAYED), REPLAYED)
    require_equal(1, len(hook.requests), "requests")
