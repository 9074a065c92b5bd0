"""Whole schedules, in a server whose clock can be moved."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hookwright_conformance.answers import status
from hookwright_conformance.case import case
from hookwright_conformance.cases.clock import advance
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.world import Document, World, instant

DEFAULT_S = (5, 30, 120, 900, 3_600, 14_400, 36_000, 86_400, 129_600)
EXPONENTIAL_S = (30, 60, 120, 240, 480, 960, 1_920, *[3_600] * 42)
LINEAR_S = (60,) * 49
JITTER = 0.1


def require_schedule(
    world: World, policy: Document | None, waits_s: Sequence[float], days: int
) -> None:
    """All attempts of a delivery that always fails, each as long after the one before as planned,
    up to a tenth longer; then it is a dead letter. It must be over after `days`."""
    app, hook = world.app(), world.hook(status(500))
    world.endpoint(app, hook, retry_policy=policy)
    delivery = world.publish(app)["delivery_ids"][0]
    world.attempted(app, delivery, 1)
    for _ in range(days):
        advance(world, "P1D")
    world.finished(app, delivery, "dead_letter")
    listed = world.api.call(
        "deliveries.list_attempts", app, delivery, expect=200, query={"limit": "100"}
    ).json()
    began = sorted(instant(one["created_at"]) for one in listed["data"])
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(began)]

    require_equal(len(waits_s) + 1, len(began), "attempts")
    require_equal(len(waits_s) + 1, len(hook.requests), "requests")
    for number, (wait, planned) in enumerate(zip(waits, waits_s, strict=True), start=2):
        longest = planned * (1 + JITTER) + world.slack
        within = planned <= wait <= longest
        require(within, f"wait before attempt {number}", f"{planned} to {longest:g} s", wait)


@case(
    id="clock.the-default-schedule-in-full",
    requirement="RETRY-7",
    profile="test-clock",
    kills=["never-retries-5xx", "waits-an-hour-at-most"],
)
def the_default_schedule_in_full(world: World) -> None:
    """Without a policy ten attempts over 75 h 17 min 35 s, each wait up to a tenth longer."""
    require_schedule(world, None, DEFAULT_S, days=4)


@case(
    id="clock.the-exponential-schedule-in-full",
    requirement="RETRY-8",
    profile="test-clock",
    kills=["never-retries-5xx", "doubles-beyond-an-hour", "stretches-waits-too-far"],
)
def the_exponential_schedule_in_full(world: World) -> None:
    """Fifty attempts: 30 s doubling to an hour, then hourly."""
    require_schedule(world, {"preset": "exponential"}, EXPONENTIAL_S, days=2)


@case(
    id="clock.the-linear-schedule-in-full",
    requirement="RETRY-8",
    profile="test-clock",
    kills=["never-retries-5xx", "waits-longer-each-minute", "stretches-waits-too-far"],
)
def the_linear_schedule_in_full(world: World) -> None:
    """Fifty attempts, one minute between each."""
    require_schedule(world, {"preset": "linear"}, LINEAR_S, days=1)


@case(
    id="clock.a-schedule-of-ones-own-in-full",
    requirement="RETRY-9",
    profile="test-clock",
    kills=["never-retries-5xx", "waits-an-hour-at-most"],
)
def a_schedule_of_ones_own_in_full(world: World) -> None:
    """An endpoint's own waits hold to the end, whatever the app's and the default's are."""
    own = [7_200, 60, 10_800]
    require_schedule(world, {"delays_seconds": own, "jitter": JITTER}, own, days=1)
