"""Retention, in a server whose clock can be moved."""

from __future__ import annotations

from hookwright_conformance.answers import status
from hookwright_conformance.case import case
from hookwright_conformance.cases.clock import DAY, HOUR, NEARLY_A_DAY, advance
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.world import Document, World


def found(world: World, operation: str, *path: str) -> bool:
    """Whether the operation answers 200, and not 404."""
    answer = world.api.call(operation, *path)
    require(answer.status in (200, 404), f"status of {operation}", "200 or 404", answer.status)
    return answer.status == 200


@case(
    id="clock.deliveries-are-kept-for-their-days",
    requirement="RETENTION-1",
    profile="test-clock",
    kills=["keeps-everything", "erases-a-day-early"],
)
def deliveries_are_kept_for_their_days(world: World) -> None:
    """A delivery and its attempts read until two days after its end, and are gone then."""
    app, hook = world.app(retention_days=2), world.hook()
    world.endpoint(app, hook)
    delivery = world.publish(app)["delivery_ids"][0]
    world.finished(app, delivery, "delivered")
    advance(world, DAY)
    advance(world, NEARLY_A_DAY)
    for operation in ("deliveries.get", "deliveries.list_attempts"):
        require(found(world, operation, app, delivery), operation, "200 for two days", 404)
    advance(world, HOUR)

    for operation in ("deliveries.get", "deliveries.list_attempts"):
        require(not found(world, operation, app, delivery), operation, "404 after that", 200)


@case(
    id="clock.messages-are-kept-for-their-days",
    requirement="RETENTION-2",
    profile="test-clock",
    kills=["keeps-everything", "erases-a-day-early"],
)
def messages_are_kept_for_their_days(world: World) -> None:
    """Messages read with their payload for their app's days, by default 30, sent or not."""
    _messages_are_kept(world, {"retention_days": 2}, days=2)
    _messages_are_kept(world, {}, days=30)


def _messages_are_kept(world: World, fields: Document, days: int) -> None:
    app = world.app(**fields)
    nobody = world.publish(app, {"n": 1})["message_id"]
    world.endpoint(app, world.hook())
    sent = world.publish(app, {"n": 1})
    world.finished(app, sent["delivery_ids"][0], "delivered")
    both = (nobody, sent["message_id"])
    advance(world, f"P{days - 1}DT23H59M")
    for message in both:
        read = world.api.call("messages.get", app, message, expect=200).json()
        require_equal({"n": 1}, read["payload"], f"payload after nearly {days} days")
    advance(world, HOUR)

    for message in both:
        require(not found(world, "messages.get", app, message), "messages.get", "404 then", 200)


@case(
    id="clock.what-is-not-over-is-kept",
    requirement="RETENTION-3",
    profile="test-clock",
    kills=["erases-what-is-not-over"],
)
def what_is_not_over_is_kept(world: World) -> None:
    """A delivery whose next attempt is after its app's days waits for it, and is delivered."""
    app, hook = world.app(retention_days=1), world.hook(status(500), status(200))
    world.endpoint(app, hook, retry_policy={"delays_seconds": [4 * 86_400], "jitter": 0})
    delivery = world.publish(app)["delivery_ids"][0]
    world.attempted(app, delivery, 1)
    for _ in range(3):
        advance(world, DAY)
    require_equal("pending", world.delivery(app, delivery)["status"], "status after three days")
    advance(world, DAY)
    hook.wait_for(2, world.patience)

    world.finished(app, delivery, "delivered")


@case(
    id="clock.what-was-held-too-long-is-cancelled",
    requirement="RETENTION-4",
    profile="test-clock",
    kills=["keeps-everything"],
)
def what_was_held_too_long_is_cancelled(world: World) -> None:
    """A held delivery is cancelled after its app's days, visibly, and never sent."""
    app, hook = world.app(retention_days=1), world.hook()
    endpoint = world.endpoint(app, hook, active=False)
    delivery = world.publish(app)["delivery_ids"][0]
    advance(world, NEARLY_A_DAY)
    require_equal("held", world.delivery(app, delivery)["status"], "status after 23 h 59 min")
    advance(world, HOUR)
    cancelled = world.delivery(app, delivery)
    world.api.call("endpoints.enable", app, endpoint["id"], expect=200)
    advance(world, HOUR)

    require_equal("cancelled", cancelled["status"], "status after a day")
    require_equal("retention", cancelled["cancel_reason"], "cancel_reason")
    require_equal("cancelled", world.delivery(app, delivery)["status"], "status once enabled")
    hook.stays_at(0, 0.3)
