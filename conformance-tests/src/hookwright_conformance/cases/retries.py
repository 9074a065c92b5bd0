"""Schedule, Retry-After and retry by hand.

Lower bounds are strict, upper bounds get the target's slack.
"""

from __future__ import annotations

import time
from email.utils import formatdate, parsedate_to_datetime
from itertools import pairwise
from typing import Any

from hookwright_conformance.answers import Answer, reset, retry_after, status
from hookwright_conformance.case import case
from hookwright_conformance.errors import Unmet, require, require_equal
from hookwright_conformance.receiver import Received
from hookwright_conformance.world import QUICK, Document, World, instant

RESOLUTION = 0.001
"""The API's times are milliseconds, so a planned time is known no better than this."""

HOUR, DAY = 3_600.0, 86_400.0
HOURLY = {"delays_seconds": [HOUR], "jitter": 0}


def waits(requests: list[Received]) -> list[float]:
    """Seconds from the end of each answer to the first byte of the next request."""
    return [after.began - before.ended_at for before, after in pairwise(requests)]


def planned_wait(world: World, app: str, delivery_id: str) -> tuple[float, float]:
    """Shortest and longest wait that `next_attempt_at` can mean, by the server's own times."""
    delivery = world.attempted(app, delivery_id, 1)
    seen = (delivery["status"], delivery["attempt_count"])
    require_equal(("pending", 1), seen, "status and attempts while the second one is planned")
    first, *_ = world.attempts(app, delivery_id)
    began, due = instant(first["created_at"]), instant(delivery["next_attempt_at"])
    longest = (due - began).total_seconds()
    return longest - first["latency_ms"] / 1000, longest


def require_planned(world: World, app: str, delivery_id: str, wait: float) -> None:
    """Raise Unmet unless the second attempt is planned for `wait` seconds after the first one."""
    shortest, longest = planned_wait(world, app, delivery_id)
    planned = shortest <= wait + world.slack and longest >= wait
    require(planned, "planned wait", f"{wait:g} s", f"{shortest:.1f} to {longest:.1f} s")


@case(
    id="retries.never-early",
    requirement="RETRY-1",
    profile="retries",
    kills=["retries-too-early", "never-retries-5xx"],
)
def never_early(world: World) -> None:
    """Ten deliveries with waits of 0.4 s and 0.7 s: none comes early; an hour is planned as one."""
    app, hooks = world.app(), [world.hook(status(500)) for _ in range(10)]
    delays = [0.4, 0.7]
    for hook in hooks:
        world.endpoint(app, hook, retry_policy={"delays_seconds": delays, "jitter": 0})
    world.publish(app)
    later = world.app()
    world.endpoint(later, world.hook(status(500)), retry_policy=HOURLY)
    require_planned(world, later, world.publish(later)["delivery_ids"][0], HOUR)

    for hook in hooks:
        for wait, delay in zip(waits(hook.wait_for(3, world.patience)), delays, strict=True):
            early = delay - wait
            require(early <= RESOLUTION, "wait", f"at least {delay} s", f"{wait:.4f} s")


@case(
    id="retries.planned-attempts-come-in-time",
    requirement="RETRY-2",
    profile="retries",
    kills=["never-retries-5xx"],
)
def planned_attempts_come_in_time(world: World) -> None:
    """A wait of 1 s ends within one second of its time, plus slack."""
    app, hook = world.app(), world.hook(status(500), status(200))
    world.endpoint(app, hook, retry_policy={"delays_seconds": [1], "jitter": 0})
    world.publish(app)
    (wait,) = waits(hook.wait_for(2, 1 + world.patience))

    latest = 2 + world.slack
    require(wait <= latest, "wait", f"at most {latest:g} s", f"{wait:.3f} s")


@case(
    id="retries.connection-reset-is-retried",
    requirement="RETRY-3",
    profile="retries",
    kills=["never-retries-network-errors", "retries-too-early"],
)
def connection_reset_is_retried(world: World) -> None:
    """A reset after the request and a reset in the middle of it are retried on the schedule."""
    later = world.app()
    world.endpoint(later, world.hook(reset()), retry_policy=HOURLY)
    require_planned(world, later, world.publish(later)["delivery_ids"][0], HOUR)
    app, hook = world.app(), world.hook(reset(), reset(reads_body=False), status(200))
    world.endpoint(app, hook)
    accepted = world.publish(app, {"long": "x" * 100_000})
    spans = waits(hook.wait_for(3, world.patience))

    for wait, delay in zip(spans, QUICK["delays_seconds"], strict=True):
        require(delay - wait <= RESOLUTION, "wait", f"at least {delay} s", f"{wait:.4f} s")
    world.finished(app, accepted["delivery_ids"][0], "delivered")
    reasons = [one["failure_reason"] for one in world.attempts(app, accepted["delivery_ids"][0])]
    require_equal(["connection_reset", "connection_reset", None], reasons, "failure reasons")


@case(
    id="retries.end-in-dead-letter",
    requirement="RETRY-4",
    profile="retries",
    kills=["never-retries-5xx", "never-gives-up"],
)
def end_in_dead_letter(world: World) -> None:
    """Two waits mean three attempts, then dead_letter and silence."""
    app, hook = world.app(), world.hook(status(500))
    world.endpoint(app, hook)
    accepted = world.publish(app)
    delivery = world.finished(app, accepted["delivery_ids"][0], "dead_letter")

    require_equal((3, 3), (delivery["attempt_count"], delivery["max_attempts"]), "attempts, max")
    require_equal(None, delivery["next_attempt_at"], "next_attempt_at")
    hook.stays_at(3, 0.8)


@case(
    id="retries.retry-after-seconds-delays",
    requirement="RETRY-5",
    profile="retries",
    kills=["ignores-retry-after", "never-retries-5xx", "retries-too-early"],
)
def retry_after_seconds_delays(world: World) -> None:
    """429 and 503 with Retry-After wait two seconds, or an hour, instead of 0.2 seconds."""
    later, codes = world.app(), (429, 503)
    for code in codes:
        world.endpoint(later, world.hook(retry_after(code, int(HOUR))))
    for delivery_id in world.publish_to(len(codes), later):
        require_planned(world, later, delivery_id, HOUR)
    app = world.app()
    hooks = [world.hook(retry_after(code, 2), status(200)) for code in codes]
    for hook in hooks:
        world.endpoint(app, hook)
    world.publish(app)

    for hook in hooks:
        (wait,) = waits(hook.wait_for(2, 2 + world.patience))
        require(wait >= 2 - RESOLUTION, "wait", "at least 2 s", f"{wait:.4f} s")


@case(
    id="retries.retry-after-date-delays",
    requirement="RETRY-5",
    profile="retries",
    kills=["ignores-retry-after", "never-retries-5xx"],
)
def retry_after_date_delays(world: World) -> None:
    """503 with a date by the target's clock: nothing comes before it; hours ahead it is planned."""
    later, ahead = world.app(), world.ahead()
    date = formatdate(time.time() + ahead + 4 * HOUR, usegmt=True)
    world.endpoint(later, world.hook(retry_after(503, date)))
    _, longest = planned_wait(world, later, world.publish(later)["delivery_ids"][0])
    require(longest >= 3 * HOUR, "planned wait", "about four hours", f"{longest:.1f} s")
    app, hook = world.app(), world.hook()
    dates: list[str] = []

    def answer(request: Received) -> Answer:
        if request.number > 1:
            return status(200)
        dates.append(formatdate(time.time() + ahead + 3, usegmt=True))
        return retry_after(503, dates[0])

    hook.respond_with(answer)
    world.endpoint(app, hook)
    world.publish(app)
    _, second = hook.wait_for(2, 3 + world.patience)

    earliest = parsedate_to_datetime(dates[0]).timestamp()
    early = earliest - (second.wall + ahead)
    require(early <= RESOLUTION, "second request", f"not before {dates[0]}", f"{early:.3f} s early")


@case(
    id="retries.retry-after-is-capped",
    requirement="RETRY-5",
    profile="retries",
    kills=["ignores-retry-after", "never-retries-5xx"],
)
def retry_after_is_capped(world: World) -> None:
    """Retry-After of a year delays by 24 hours; a value that is none of its forms is ignored."""
    app = world.app()
    world.endpoint(app, world.hook(retry_after(503, 31_536_000)), events=["case.year"])
    world.endpoint(app, world.hook(retry_after(503, "soon")), events=["case.soon"])
    year = world.publish(app, event_name="case.year")["delivery_ids"][0]
    soon = world.publish(app, event_name="case.soon")["delivery_ids"][0]

    require_planned(world, app, year, DAY)
    world.finished(app, soon, "dead_letter")


@case(
    id="retries.jitter-only-lengthens",
    requirement="RETRY-6",
    profile="retries",
    kills=["never-retries-5xx", "adds-no-jitter"],
)
def jitter_only_lengthens(world: World) -> None:
    """Twelve planned waits of 100 s with jitter 0.5 lie between 100 s and 150 s and differ."""
    app, hook = world.app(), world.hook(status(500))
    world.endpoint(app, hook, retry_policy={"delays_seconds": [100], "jitter": 0.5})
    deliveries = [world.publish(app)["delivery_ids"][0] for _ in range(12)]
    spans = [planned_wait(world, app, delivery) for delivery in deliveries]

    for shortest, longest in spans:
        within = longest >= 100 and shortest <= 150 + world.slack
        require(within, "planned wait", "100 to 150 s", f"{shortest:.2f} to {longest:.2f} s")
    spread = max(span[0] for span in spans) - min(span[0] for span in spans)
    require(spread > 5, "spread of twelve waits", "more than 5 s", f"{spread:.2f} s")


@case(
    id="retries.default-schedule",
    requirement="RETRY-7",
    profile="retries",
    kills=["never-retries-5xx", "begins-the-default-schedule-late"],
)
def default_schedule(world: World) -> None:
    """Without a policy there are ten attempts, the second planned 5 to 5.5 s after the first."""
    _require_plan(world, {"retry_policy": None}, attempts=10, first=5, jitter=0.1)


@case(
    id="retries.presets",
    requirement="RETRY-8",
    profile="retries",
    kills=["never-retries-5xx", "takes-linear-for-exponential"],
)
def presets(world: World) -> None:
    """exponential begins with 30 s, linear with 60 s, both have 50 attempts; none has one."""
    plan = {"exponential": 30, "linear": 60}
    for preset, first in plan.items():
        fields = {"retry_policy": {"preset": preset}}
        _require_plan(world, fields, attempts=50, first=first, jitter=0.1)
    app, hook = world.app(), world.hook(status(500))
    world.endpoint(app, hook, retry_policy={"preset": "none"})
    delivery = world.finished(app, world.publish(app)["delivery_ids"][0], "dead_letter")
    require_equal(1, delivery["attempt_count"], "attempts with the preset none")


@case(
    id="retries.endpoint-policy-precedes-app-policy",
    requirement="RETRY-9",
    profile="retries",
    kills=["never-retries-5xx", "app-policy-wins"],
)
def endpoint_policy_precedes_app_policy(world: World) -> None:
    """The app's policy holds for an endpoint without one, and yields to an endpoint's own."""
    of_app = {"delays_seconds": [300], "jitter": 0}
    own = {"delays_seconds": [700, 800], "jitter": 0}
    for policy, first, attempts in ((None, 300, 2), (own, 700, 3)):
        fields = {"retry_policy": policy}
        _require_plan(world, fields, attempts=attempts, first=first, jitter=0, app_policy=of_app)


def _planned_in_time(world: World, app: str) -> tuple[str, float, float]:
    """A delivery, and what `planned_wait` says of it before its second attempt. Raises Unmet."""
    for _ in range(5):
        delivery_id = str(world.publish(app)["delivery_ids"][0])
        try:
            return delivery_id, *planned_wait(world, app, delivery_id)
        except Unmet:
            now = world.delivery(app, delivery_id)
            if now["attempt_count"] < 2 and now["status"] != "sending":
                raise  # otherwise it was looked at too late
    raise Unmet("a delivery", "seen before its second attempt", "five seen after it")


def _require_plan(
    world: World,
    fields: dict[str, Any],
    *,
    attempts: int,
    first: float,
    jitter: float,
    app_policy: dict[str, Any] | None = None,
) -> None:
    app = world.app(retry_policy=app_policy)
    world.endpoint(app, world.hook(status(500)), **fields)
    delivery_id, shortest, longest = _planned_in_time(world, app)

    latest = first * (1 + jitter) + world.slack
    met = longest >= first and shortest <= latest
    seen = f"{shortest:.2f} to {longest:.2f} s"
    require(met, "first planned wait", f"{first:g} to {latest:g} s", seen)
    require_equal(attempts, world.delivery(app, delivery_id)["max_attempts"], "max_attempts")


@case(
    id="retries.next-attempt-is-shown",
    requirement="RETRY-10",
    profile="retries",
    kills=["never-retries-5xx", "shows-no-next-attempt"],
)
def next_attempt_is_shown(world: World) -> None:
    """next_attempt_at is set while a retry is planned and null once delivered."""
    app, seconds, planned = "", 0.0, Document()
    for seconds in world.windows(4):
        app, hook = world.app(), world.hook(status(500), status(200))
        world.endpoint(app, hook, retry_policy={"delays_seconds": [seconds], "jitter": 0})
        delivery_id = world.publish(app)["delivery_ids"][0]
        planned = world.attempted(app, delivery_id, 1)
        if planned["status"] == "pending":
            break
    done = world.finished(app, planned["id"], "delivered", seconds + world.patience)

    require_equal("pending", planned["status"], "status between attempts")
    require(planned["next_attempt_at"] is not None, "next_attempt_at", "an instant", None)
    require_equal(None, done["next_attempt_at"], "next_attempt_at when delivered")


@case(
    id="retries.by-hand-goes-on",
    requirement="RETRY-11",
    profile="retries",
    kills=["never-retries-5xx", "new-webhook-id-per-attempt"],
)
def by_hand_goes_on(world: World) -> None:
    """A retried dead letter is the same delivery: numbers go on, the schedule starts afresh."""
    app = world.app()
    hook = world.hook(*[status(500)] * 4, status(200))
    world.endpoint(app, hook)
    accepted = world.publish(app)
    delivery_id = accepted["delivery_ids"][0]
    world.finished(app, delivery_id, "dead_letter")
    world.api.call("deliveries.retry", app, delivery_id, expect=200)
    hook.wait_for(5, world.patience)

    world.finished(app, delivery_id, "delivered")
    numbers = [one["number"] for one in world.attempts(app, delivery_id)]
    require_equal([1, 2, 3, 4, 5], numbers, "attempt numbers")
    ids = {request.header("webhook-id") for request in hook.requests}
    require_equal({accepted["message_id"]}, ids, "webhook-id")


@case(
    id="retries.by-hand-only-when-finished-badly",
    requirement="RETRY-12",
    profile="retries",
    kills=["retries-4xx-forever"],
)
def by_hand_only_when_finished_badly(world: World) -> None:
    """Retrying a delivered delivery is 409; so is one whose endpoint is gone."""
    app, good, bad = world.app(), world.hook(), world.hook(status(404))
    world.endpoint(app, good, events=["case.good"])
    endpoint = world.endpoint(app, bad, events=["case.bad"])
    delivered = world.publish(app, event_name="case.good")["delivery_ids"][0]
    failed = world.publish(app, event_name="case.bad")["delivery_ids"][0]
    world.finished(app, delivered, "delivered")
    world.finished(app, failed, "failed")
    refused = world.api.call("deliveries.retry", app, delivered, expect=409)
    world.api.call("endpoints.delete", app, endpoint["id"], expect=204)
    orphaned = world.api.call("deliveries.retry", app, failed, expect=409)

    require_equal("delivery_not_retryable", refused.code, "code for a delivered delivery")
    require_equal("endpoint_deleted", orphaned.code, "code for a deleted endpoint")
    require_equal(1, len(good.requests), "requests to the endpoint that had it")


@case(
    id="retries.max-attempts-bounds-the-list",
    requirement="RETRY-13",
    profile="retries",
    kills=["never-retries-5xx", "ignores-max-attempts"],
)
def max_attempts_bounds_the_list(world: World) -> None:
    """max_attempts beyond the list repeats its last wait, below it cuts the list."""
    app, longer, shorter = world.app(), world.hook(status(500)), world.hook(status(500))
    for hook, waits_, most in ((longer, [0.2], 4), (shorter, [0.2, 0.2, 0.2], 2)):
        policy = {"delays_seconds": waits_, "jitter": 0, "max_attempts": most}
        world.endpoint(app, hook, retry_policy=policy)
    for delivery_id in world.publish_to(2, app):
        world.finished(app, delivery_id, "dead_letter")

    require_equal((4, 2), (len(longer.requests), len(shorter.requests)), "requests")
