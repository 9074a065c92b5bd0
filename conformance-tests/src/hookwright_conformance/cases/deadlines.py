"""Slow and endless answers."""

from __future__ import annotations

from hookwright_conformance.answers import Answer, delayed, drip_body, drip_head, hang, status
from hookwright_conformance.case import case
from hookwright_conformance.errors import NotReceived, Unmet, require, require_equal
from hookwright_conformance.receiver import Hook
from hookwright_conformance.world import PATIENT_S, World

ONE_ATTEMPT = {"preset": "none"}
TEN_ATTEMPTS = {"delays_seconds": [0.2], "jitter": 0, "max_attempts": 10}


def _require_cut(world: World, answer: Answer) -> None:
    """Raise Unmet unless such a receiver is left at the timeout and the attempt is recorded so."""
    app, hook, delivery, seconds = _receiving(world, answer)
    (request,) = hook.requests
    ending = hook.wait_for_end(1, seconds + world.patience)

    held = ending.at - request.began
    latest = seconds + world.slack
    require(held <= latest, f"{answer.name}: held for", f"at most {latest:g} s", f"{held:.2f} s")
    world.finished(app, delivery, "dead_letter")
    (attempt,) = world.attempts(app, delivery)
    require_equal("timeout", attempt["failure_reason"], "failure reason")


def _receiving(world: World, answer: Answer) -> tuple[str, Hook, str, int]:
    """A delivery whose one request has arrived: app, hook, id and the timeout in seconds, a longer
    one when the shorter was over before the request was sent."""
    for seconds in (1, 5, 25):
        app, hook = world.app(), world.hook(answer)
        world.endpoint(app, hook, timeout_seconds=seconds, retry_policy=ONE_ATTEMPT)
        delivery = str(world.publish(app)["delivery_ids"][0])
        try:
            hook.wait_for(1, world.patience)
        except NotReceived:
            if world.delivery(app, delivery)["status"] != "dead_letter":
                raise
            continue
        return app, hook, delivery, seconds
    raise Unmet(f"{answer.name}: requests", "one within the timeout", "none")


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
    kills=["gives-up-after-a-second"],
)
def slow_answer_in_time_is_delivered(world: World) -> None:
    """Answers after 1.5 s, head or body late, deliver under a timeout of 30 s."""
    app, answers = world.app(), (delayed(1.5), delayed(1.5, after_head=True))
    for answer in answers:
        fields = {"timeout_seconds": PATIENT_S, "retry_policy": ONE_ATTEMPT}
        world.endpoint(app, world.hook(answer), **fields)

    for delivery_id in world.publish_to(len(answers), app):
        world.finished(app, delivery_id, "delivered")


@case(
    id="deadlines.hanging-endpoint-times-out-and-is-retried",
    requirement="DEADLINE-3",
    profile="core",
    kills=["calls-a-timeout-a-reset"],
)
def hanging_endpoint_times_out_and_is_retried(world: World) -> None:
    """Silence is a timeout after timeout_seconds, and the next attempt delivers."""
    app, hook = world.app(), world.hook(hang(), status(200))
    world.endpoint(app, hook, timeout_seconds=1, retry_policy=TEN_ATTEMPTS)
    accepted = world.publish(app)
    ending = hook.wait_for_end(1, 1 + world.patience)

    require_equal("client", ending.by, "who ended the exchange")
    # On a busy machine a second may be too short for others of the ten attempts.
    world.finished(app, accepted["delivery_ids"][0], "delivered", 10 * 1.2 + world.patience)
    reasons = [one["failure_reason"] for one in world.attempts(app, accepted["delivery_ids"][0])]
    expected = ["timeout"] * (len(reasons) - 1) + [None]
    require_equal(expected, reasons, "failure reasons")
    require(len(reasons) > 1, "attempts", "at least 2", len(reasons))


@case(
    id="deadlines.slow-endpoint-delays-no-other",
    requirement="DEADLINE-4",
    profile="core",
    kills=["endpoints-of-an-app-share-one-queue"],
)
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
