"""Slow and endless answers."""

from __future__ import annotations

from hookwright_conformance.answers import Answer, delayed, drip_body, drip_head, hang, status
from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.world import World

ONE_ATTEMPT = {"preset": "none"}


def _require_cut(world: World, answer: Answer) -> None:
    """Raise Unmet unless such a receiver is left after 1 s and the attempt is a timeout."""
    app, hook = world.app(), world.hook(answer)
    world.endpoint(app, hook, timeout_seconds=1, retry_policy=ONE_ATTEMPT)
    accepted = world.publish(app)
    (request,) = hook.wait_for(1, world.patience)
    ending = hook.wait_for_end(1, 1 + world.patience)

    held = ending.at - request.began
    latest = 1 + world.slack
    require(held <= latest, f"{answer.name}: held for", f"at most {latest:g} s", f"{held:.2f} s")
    world.finished(app, accepted["delivery_ids"][0], "dead_letter")
    (attempt,) = world.attempts(app, accepted["delivery_ids"][0])
    require_equal("timeout", attempt["failure_reason"], "failure reason")


@case(
    id="deadlines.dripping-body-is-cut",
    requirement="DEADLINE-1",
    profile="core",
    kills=["ignores-the-total-deadline"],
)
def dripping_body_is_cut(world: World) -> None:
    """A body of one byte per 200 ms ends at the deadline although every read succeeds."""
    _require_cut(world, drip_body())


@case(
    id="deadlines.dripping-head-is-cut",
    requirement="DEADLINE-1",
    profile="core",
    kills=["ignores-the-total-deadline"],
)
def dripping_head_is_cut(world: World) -> None:
    """A header block of one byte per 200 ms ends at the deadline."""
    _require_cut(world, drip_head())


@case(
    id="deadlines.slow-answer-in-time-is-delivered",
    requirement="DEADLINE-2",
    profile="core",
)
def slow_answer_in_time_is_delivered(world: World) -> None:
    """Answers after 1.5 s, head or body late, deliver under a timeout of 4 s."""
    app = world.app()
    for answer in (delayed(1.5), delayed(1.5, after_head=True)):
        world.endpoint(app, world.hook(answer), timeout_seconds=4, retry_policy=ONE_ATTEMPT)

    for delivery_id in world.publish(app)["delivery_ids"]:
        world.finished(app, delivery_id, "delivered")


@case(
    id="deadlines.hanging-endpoint-times-out-and-is-retried",
    requirement="DEADLINE-3",
    profile="core",
)
def hanging_endpoint_times_out_and_is_retried(world: World) -> None:
    """Silence is a timeout after timeout_seconds, and the next attempt delivers."""
    app, hook = world.app(), world.hook(hang(), status(200))
    world.endpoint(app, hook, timeout_seconds=1)
    accepted = world.publish(app)
    ending = hook.wait_for_end(1, 1 + world.patience)

    require_equal("client", ending.by, "who ended the exchange")
    world.finished(app, accepted["delivery_ids"][0], "delivered")
    reasons = [one["failure_reason"] for one in world.attempts(app, accepted["delivery_ids"][0])]
    require_equal(["timeout", None], reasons, "failure reasons")


@case(id="deadlines.slow-endpoint-delays-no-other", requirement="DEADLINE-4", profile="core")
def slow_endpoint_delays_no_other(world: World) -> None:
    """While an endpoint hangs with 40 deliveries, another gets its own at once."""
    app, slow, quick = world.app(), world.hook(hang()), world.hook()
    world.endpoint(app, slow, timeout_seconds=5, retry_policy=ONE_ATTEMPT, events=["case.slow"])
    world.endpoint(app, quick, events=["case.quick"])
    for _ in range(40):
        world.publish(app, event_name="case.slow")
    slow.wait_for(1, world.patience)
    world.publish(app, event_name="case.quick")

    quick.wait_for(1, 2 + world.slack)
