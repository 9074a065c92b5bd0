"""What an endpoint that fails brings upon itself: disabled, enabled again, slowed down."""

from __future__ import annotations

import threading

from hookwright_conformance.answers import held, status
from hookwright_conformance.case import case
from hookwright_conformance.cases.clock import DAY, advance
from hookwright_conformance.errors import require_equal
from hookwright_conformance.overlaps import most_at_a_time
from hookwright_conformance.world import Document, World

ONCE: Document = {"preset": "none"}
EVENT: Document = {"n": 1}
DEAD_LETTERS = 20
QUIET_S = 0.5
"""For so long nothing comes that may not come while answers are held back."""


def endpoint_now(world: World, app: str, endpoint: Document) -> Document:
    """The endpoint as it reads now."""
    return dict(world.api.call("endpoints.get", app, endpoint["id"], expect=200).json())


def sending(world: World, app: str, deliveries: list[str]) -> int:
    """How many of the deliveries are being sent."""
    return sum(world.delivery(app, each)["status"] == "sending" for each in deliveries)


@case(
    id="health.dead-letters-disable",
    requirement="HEALTH-5",
    profile="core",
    kills=["never-disables-the-failing"],
)
def dead_letters_disable(world: World) -> None:
    """Twenty dead letters in a row disable; enabling forgets them and sends what was held."""
    app, hook = world.app(), world.hook(*[status(500)] * DEAD_LETTERS, status(200))
    endpoint = world.endpoint(app, hook, retry_policy=ONCE)
    for delivery_id in [world.publish(app)["delivery_ids"][0] for _ in range(DEAD_LETTERS - 1)]:
        world.finished(app, delivery_id, "dead_letter")
    before = endpoint_now(world, app, endpoint)
    world.finished(app, world.publish(app)["delivery_ids"][0], "dead_letter")
    after = endpoint_now(world, app, endpoint)
    held = world.publish(app)["delivery_ids"][0]
    require_equal("held", world.delivery(app, held)["status"], "status while it is disabled")
    enabled = world.api.call("endpoints.enable", app, endpoint["id"], expect=200).json()

    require_equal((True, "failing"), (before["active"], before["health"]["state"]), "after 19")
    seen = (after["active"], after["disabled_reason"], after["health"]["state"])
    require_equal((False, "failing", "disabled"), seen, "after 20")
    fresh = (enabled["active"], enabled["disabled_reason"], enabled["health"]["state"])
    require_equal((True, None, "healthy"), fresh, "once enabled")
    world.finished(app, held, "delivered")


@case(
    id="clock.failing-for-days-disables",
    requirement="HEALTH-5",
    profile="test-clock",
    kills=["never-disables-the-failing", "takes-silence-for-failing"],
)
def failing_for_days_disables(world: World) -> None:
    """Five days of failures, one a day, disable an endpoint; one every sixty hours does not."""
    app, hook = world.app(), world.hook(status(500))
    policy = {"delays_seconds": [86_400], "max_attempts": 8, "jitter": 0}
    endpoint = world.endpoint(app, hook, retry_policy=policy)
    quiet_app, quiet_hook = world.app(), world.hook(status(500))
    seldom = {**policy, "delays_seconds": [60 * 3_600]}
    quiet = world.endpoint(quiet_app, quiet_hook, retry_policy=seldom)
    delivery = world.publish(app)["delivery_ids"][0]
    world.attempted(app, delivery, 1)
    world.attempted(quiet_app, world.publish(quiet_app)["delivery_ids"][0], 1)
    states: list[object] = []
    for _ in range(6):
        advance(world, DAY)
        read = world.api.call("endpoints.get", app, endpoint["id"], expect=200).json()
        states.append(read["disabled_reason"])

    require_equal([None] * 4, states[:4], "disabled_reason in the first four days")
    require_equal("failing", states[5], "disabled_reason after six days")
    require_equal("held", world.delivery(app, delivery)["status"], "status of what is left")
    read = endpoint_now(world, quiet_app, quiet)
    seen = (read["health"]["consecutive_failures"], read["disabled_reason"])
    require_equal((3, None), seen, "failures and disabled_reason with sixty hours between two")


@case(
    id="delivery.overload-halves-concurrency",
    requirement="DELIVERY-10",
    profile="limits",
    kills=["never-slows-down"],
)
def overload_halves_concurrency(world: World) -> None:
    """After 503, 502 and 429 an endpoint of eight gets one request at a time, then more again."""
    app, busy = world.app(), (503, 502, 429)
    first, others = threading.Event(), threading.Event()
    hook = world.hook(*[status(code) for code in busy], held(first), held(others))
    fields: Document = {"retry_policy": ONCE, "max_concurrency": 8, "timeout_seconds": 30}
    world.endpoint(app, hook, **fields)
    for _ in busy:
        world.finished(app, world.publish(app)["delivery_ids"][0], "dead_letter")
    sent = world.publish_together(app, *[EVENT] * 6)
    hook.wait_for(len(busy) + 1, world.patience)
    hook.stays_at(len(busy) + 1, QUIET_S)
    require_equal(1, sending(world, app, sent), "deliveries that are being sent")
    first.set()
    hook.wait_for(len(busy) + 3, world.patience)
    others.set()
    for delivery_id in sent:
        world.finished(app, delivery_id, "delivered")


@case(
    id="delivery.concurrency-recovers-one-by-one",
    requirement="DELIVERY-10",
    profile="limits",
    kills=["never-slows-down"],
)
def concurrency_recovers_one_by_one(world: World) -> None:
    """After 504 an endpoint of four gets two at a time; each success adds one, up to four."""
    app = world.app()
    gates = [threading.Event() for _ in range(2)]
    others = threading.Event()
    hook = world.hook(status(504), *map(held, gates), held(others))
    fields: Document = {"retry_policy": ONCE, "max_concurrency": 4, "timeout_seconds": 30}
    world.endpoint(app, hook, **fields)
    world.finished(app, world.publish(app)["delivery_ids"][0], "dead_letter")
    sent = world.publish_together(app, *[EVENT] * 12)
    hook.wait_for(3, world.patience)
    require_equal(2, sending(world, app, sent), "deliveries that are being sent")
    # With each success two begin: one in its place, and one more.
    for number, gate in enumerate((*gates, others)):
        begun = 3 + 2 * number
        hook.wait_for(begun, world.patience)
        hook.stays_at(begun, QUIET_S)
        gate.set()
    for delivery_id in sent:
        world.finished(app, delivery_id, "delivered")

    most = most_at_a_time((one.began, one.ended_at) for one in hook.requests[1:])
    require_equal(4, most, "most requests at a time")
