"""Acceptance, fan-out, health and held deliveries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hookwright_conformance.answers import delayed, held, status
from hookwright_conformance.case import case
from hookwright_conformance.cases.signing import require_genuine
from hookwright_conformance.errors import Unmet, require, require_equal
from hookwright_conformance.overlaps import most_at_a_time
from hookwright_conformance.receiver import Hook
from hookwright_conformance.world import Document, World


@case(
    id="delivery.goes-to-subscribers-only",
    requirement="DELIVERY-3",
    profile="core",
    kills=["sends-everything-to-everybody"],
)
def goes_to_subscribers_only(world: World) -> None:
    """Name, prefix and * match; everything else is counted as filtered."""
    app = world.app()
    subscriptions = (
        ["order.created"],
        ["order.*"],
        ["*"],
        ["orders.*"],
        ["order"],
        ["invoice.paid"],
    )
    hooks = [world.hook() for _ in subscriptions]
    for hook, events in zip(hooks, subscriptions, strict=True):
        world.endpoint(app, hook, events=events)
    accepted = world.publish(app, event_name="order.created")
    for hook in hooks[:3]:
        hook.wait_for(1, world.patience)

    counts = (accepted["endpoint_count"], accepted["filtered_count"])
    require_equal((3, 3), counts, "endpoint_count, filtered_count")
    require_equal([1, 1, 1, 0, 0, 0], [len(hook.requests) for hook in hooks], "requests")


@case(
    id="delivery.endpoint-ids-narrow",
    requirement="DELIVERY-4",
    profile="core",
    kills=["ignores-endpoint-ids"],
)
def endpoint_ids_narrow(world: World) -> None:
    """Only the named endpoints get the event; an unknown id is 422 and publishes nothing."""
    app, one, two = world.app(), world.hook(), world.hook()
    first, _ = world.endpoint(app, one), world.endpoint(app, two)
    world.publish(app, endpoint_ids=[first["id"]])
    unknown: Document = {
        "event_name": "a",
        "payload": {},
        "endpoint_ids": [first["id"], "ep_unknown"],
    }
    refused = world.api.call("trigger.send", app, expect=422, body=unknown)
    one.wait_for(1, world.patience)

    require_equal("unknown_endpoint", refused.code, "code")
    one.stays_at(1, 0.3)
    require_equal(0, len(two.requests), "requests to the other endpoint")


@case(
    id="delivery.is-sent-once",
    requirement="DELIVERY-5",
    profile="core",
    kills=["new-webhook-id-per-attempt", "sends-twice-a-second-apart"],
)
def is_sent_once(world: World) -> None:
    """Fifty events to two endpoints arrive exactly once each."""
    app, hooks = world.app(), [world.hook(), world.hook()]
    for hook in hooks:
        world.endpoint(app, hook)
    ids = {world.publish(app, {"n": n})["message_id"] for n in range(50)}

    for hook in hooks:
        got = [one.header("webhook-id") for one in hook.wait_for(50, world.patience)]
        require_equal(50, len(got), "requests")
        require_equal(ids, set(got), "message ids")
    for hook in hooks:
        hook.stays_at(50, 1)


@case(
    id="delivery.inactive-app-accepts-nothing",
    requirement="DELIVERY-6",
    profile="core",
    kills=["inactive-apps-accept"],
)
def inactive_app_accepts_nothing(world: World) -> None:
    """Triggering an inactive app is 409 app_inactive; active again, it accepts."""
    app = world.app()
    event: Document = {"event_name": "a", "payload": {}}
    world.api.call("apps.update", app, expect=200, body={"active": False})
    refused = world.api.call("trigger.send", app, expect=409, body=event)
    world.api.call("apps.update", app, expect=200, body={"active": True})
    world.api.call("trigger.send", app, expect=202, body=event)

    require_equal("app_inactive", refused.code, "code")


@case(
    id="delivery.concurrency-is-bounded",
    requirement="DELIVERY-7",
    profile="core",
    kills=["forgets-max-concurrency"],
)
def concurrency_is_bounded(world: World) -> None:
    """With max_concurrency 2 no three requests overlap, and waiting costs no attempt."""
    app, gate = world.app(), threading.Event()
    hook = world.hook(held(gate), held(gate), delayed(0.1))
    world.endpoint(app, hook, max_concurrency=2)
    deliveries = [world.publish(app)["delivery_ids"][0] for _ in range(6)]
    hook.wait_for(2, world.patience)
    hook.stays_at(2, 0.5)
    gate.set()
    for delivery_id in deliveries:
        found = world.finished(app, delivery_id, "delivered")
        require_equal(1, found["attempt_count"], "attempts")

    most = most_at_a_time((one.began, one.ended_at) for one in hook.requests)
    require(most <= 2, "requests at the same time", "at most 2", most)


@case(
    id="delivery.message-is-readable",
    requirement="DELIVERY-9",
    profile="core",
    kills=["reserialises-the-payload"],
)
def message_is_readable(world: World) -> None:
    """A message shows its payload unchanged, its event_id and its deliveries."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    payload = b'{"b":1.0,"a":12345678901234567890.10}'
    raw = b'{"event_name":"case.event","event_id":"order-1","payload":' + payload + b"}"
    accepted = world.api.call("trigger.send", app, expect=202, raw=raw).json()
    response = world.api.call("messages.get", app, accepted["message_id"], expect=200)

    require(payload in response.body, "payload", payload, response.body)
    message = response.json()
    require_equal("order-1", message["event_id"], "event_id")
    shown = [one["id"] for one in message["deliveries"]]
    require_equal(accepted["delivery_ids"], shown, "deliveries")
    found = world.api.call("messages.list", app, expect=200, query={"event_id": "order-1"}).json()
    require_equal([accepted["message_id"]], [row["id"] for row in found["data"]], "by event_id")


@case(
    id="health.label-follows-attempts",
    requirement="HEALTH-1",
    profile="core",
    kills=["never-retries-5xx", "calls-five-failures-degraded"],
)
def label_follows_attempts(world: World) -> None:
    """healthy, degraded after one failure, failing after five, healthy after a success."""
    app = world.app()
    hook = world.hook(*[status(500)] * 5, status(200))
    endpoint = world.endpoint(app, hook, retry_policy={"preset": "none"})

    def state_after(ending: str, count: int) -> str:
        for _ in range(count):
            world.finished(app, world.publish(app)["delivery_ids"][0], ending)
        found = world.api.call("endpoints.get", app, endpoint["id"], expect=200).json()
        return str(found["health"]["state"])

    seen = [
        state_after("delivered", 0),
        state_after("dead_letter", 1),
        state_after("dead_letter", 3),
        state_after("dead_letter", 1),
        state_after("delivered", 1),
    ]
    labels = ["healthy", "degraded", "degraded", "failing", "healthy"]
    require_equal(labels, seen, "health before, after 1, 4 and 5 failures, and a success")


def before_its_retry(world: World, act: Callable[[str, str], None]) -> tuple[str, str, Hook, float]:
    """An app and its delivery that has failed once, and what was done (to an app's endpoint) before
    the retry could begin; the hook, and the seconds until the retry would come."""
    for seconds in world.windows(3):
        app, hook = world.app(), world.hook(status(500))
        policy = {"delays_seconds": [seconds], "jitter": 0}
        endpoint = world.endpoint(app, hook, retry_policy=policy)
        pending = world.publish(app)["delivery_ids"][0]
        world.attempted(app, pending, 1)
        act(app, endpoint["id"])
        # As no retry is early (RETRY-1), none was under way at that time.
        if time.monotonic() < hook.wait_for_end(1, world.patience).at + seconds:
            return app, pending, hook, seconds
    raise Unmet("the retry", "after its endpoint was changed", "it came before the answer to that")


@case(
    id="health.disabled-endpoint-holds",
    requirement="HEALTH-2",
    profile="core",
    kills=["disables-nothing"],
)
def disabled_endpoint_holds(world: World) -> None:
    """New and pending deliveries of a disabled endpoint are held, and nothing is sent."""

    def disable(app: str, endpoint_id: str) -> None:
        world.api.call("endpoints.disable", app, endpoint_id, expect=200)

    app, pending, hook, wait = before_its_retry(world, disable)
    fresh = world.publish(app)["delivery_ids"][0]

    for delivery_id in (pending, fresh):
        require_equal("held", world.delivery(app, delivery_id)["status"], "status")
    hook.stays_at(1, wait + 0.5)


@case(
    id="health.enable-releases",
    requirement="HEALTH-3",
    profile="core",
    kills=["enabling-releases-nothing"],
)
def enable_releases(world: World) -> None:
    """What was held goes out once the endpoint is enabled."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook, active=False)
    held = [world.publish(app)["delivery_ids"][0] for _ in range(3)]
    require_equal("held", world.delivery(app, held[0])["status"], "status before")
    world.api.call("endpoints.enable", app, endpoint["id"], expect=200)
    hook.wait_for(3, world.patience)

    for delivery_id in held:
        world.finished(app, delivery_id, "delivered")


@case(
    id="health.enable-without-release-cancels",
    requirement="HEALTH-4",
    profile="core",
    kills=["enabling-releases-everything"],
)
def enable_without_release_cancels(world: World) -> None:
    """release false cancels what was held and says why."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook, active=False)
    held = world.publish(app)["delivery_ids"][0]
    body = {"release": False}
    world.api.call("endpoints.enable", app, endpoint["id"], expect=200, body=body)
    found = world.finished(app, held, "cancelled")

    require_equal("not_released", found["cancel_reason"], "cancel_reason")
    hook.stays_at(0, 0.5)


@case(
    id="health.deleted-endpoint-cancels",
    requirement="HEALTH-6",
    profile="core",
    kills=["deletes-no-endpoint"],
)
def deleted_endpoint_cancels(world: World) -> None:
    """Deleting an endpoint cancels its pending delivery, which stays readable."""

    def delete(app: str, endpoint_id: str) -> None:
        world.api.call("endpoints.delete", app, endpoint_id, expect=204)

    app, pending, hook, wait = before_its_retry(world, delete)
    endpoint_id = world.delivery(app, pending)["endpoint_id"]
    again = world.api.call("endpoints.delete", app, endpoint_id, expect=404)
    found = world.finished(app, pending, "cancelled")

    require_equal("not_found", again.code, "code of the second delete")
    require_equal("endpoint_deleted", found["cancel_reason"], "cancel_reason")
    hook.stays_at(1, wait + 0.5)


@case(
    id="health.test-sends-one-real-request",
    requirement="HEALTH-7",
    profile="core",
    kills=["signs-an-empty-body"],
)
def test_sends_one_real_request(world: World) -> None:
    """endpoints.test sends a signed request, shows both sides, and leaves no trace."""
    app, hook = world.app(), world.hook(status(500, body=b"no"))
    endpoint = world.endpoint(app, hook)
    body = {"event_name": "case.test", "payload": {"n": 1}}
    result = world.api.call("endpoints.test", app, endpoint["id"], expect=200, body=body).json()
    (request,) = hook.wait_for(1, world.patience)

    require_genuine(request, endpoint["signing_secret"])
    shown = (result["success"], result["status_code"], result["failure_reason"])
    require_equal((False, 500, "http_5xx"), shown, "result")
    require_equal(request.body.decode(), result["request"]["body"], "request.body")
    require_equal(hook.url, result["request"]["url"], "request.url")
    found = world.api.call("endpoints.get", app, endpoint["id"], expect=200).json()
    require_equal("healthy", found["health"]["state"], "health")
    deliveries = world.api.call("deliveries.list", app, expect=200).json()["data"]
    require_equal([], deliveries, "deliveries")


@case(
    id="health.probes-answer",
    requirement="HEALTH-8",
    profile="core",
    kills=["readiness-needs-a-key"],
)
def probes_answer(world: World) -> None:
    """Both probes answer 200 without a key."""
    nobody = world.api.using(None)

    require_equal("ok", nobody.call("health.live", expect=200).json()["status"], "live")
    require_equal("ready", nobody.call("health.ready", expect=200).json()["status"], "ready")
