"""Rate limits of endpoints, and of what an app publishes."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from hookwright_conformance.case import case
from hookwright_conformance.errors import Unmet, require, require_equal
from hookwright_conformance.route import Response
from hookwright_conformance.world import Document, World

EVENT: Document = {"n": 1}
WINDOW_S = 1.5
RATE = {"max_requests": 2, "duration_ms": round(WINDOW_S * 1000)}


@case(
    id="limits.windows-of-a-rate-limit",
    requirement="LIMIT-6",
    profile="limits",
    kills=["counts-no-attempts", "drops-what-is-beyond-the-rate"],
)
def windows_of_a_rate_limit(world: World) -> None:
    """Five events to an endpoint of two in 1.5 s take three windows; of two in a day three wait."""
    _two_of_five_come(world)
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook, rate_limit=RATE)
    require_equal(RATE, endpoint["rate_limit"], "rate_limit")
    published_at = time.monotonic()
    world.publish_together(app, *[EVENT] * 5)
    arrived = [one.began for one in hook.wait_for(5, 2 * WINDOW_S + world.patience)]

    # From before all of them: a request may be late, and then the next one seems early.
    for windows in (1, 2):
        took = arrived[2 * windows] - published_at
        require(
            took >= windows * WINDOW_S,
            f"from publishing to request {2 * windows + 1}",
            f"at least {windows * WINDOW_S} s",
            f"{took:.3f} s",
        )


def _two_of_five_come(world: World) -> None:
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook, rate_limit={"max_requests": 2, "duration_ms": 86_400_000})
    sent = world.publish_together(app, *[EVENT] * 5)
    hook.wait_for(2, world.patience)
    hook.stays_at(2, 1)

    found = [world.delivery(app, delivery_id) for delivery_id in sent]
    waiting = sum((one["status"], one["attempt_count"]) == ("pending", 0) for one in found)
    require_equal(3, waiting, "deliveries that wait for the next window")


@case(
    id="limits.throttling-costs-no-attempt",
    requirement="LIMIT-7",
    profile="limits",
    kills=["drops-what-is-beyond-the-rate"],
)
def throttling_costs_no_attempt(world: World) -> None:
    """What waited for its window is delivered with its first attempt; without the limit at once."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook, rate_limit={"max_requests": 1, "duration_ms": 700})
    sent = world.publish_together(app, *[EVENT] * 3)
    for delivery_id in sent:
        found = world.finished(app, delivery_id, "delivered")
        require_equal(1, found["attempt_count"], "attempts")
    body = {"rate_limit": None}
    lifted = world.api.call("endpoints.update", app, endpoint["id"], expect=200, body=body)

    require_equal(None, lifted.json()["rate_limit"], "rate_limit after it was cleared")
    hook.stays_at(3, 0.3)


def one_too_many(world: World, app: str) -> tuple[partial[Response], Response, int]:
    """A call beyond one event a second, its answer, and how many events were taken before it."""
    body: Document = {"event_name": "case.event", "payload": {}}

    def ask(_: int) -> tuple[partial[Response], Response]:
        headers = {"Idempotency-Key": world.token()}
        call = partial(world.api.call, "trigger.send", app, body=body, headers=headers)
        return call, call(patient=False)

    taken = 0
    for _ in range(10):  # where calls take long, even those at the same time may need seconds
        with ThreadPoolExecutor(4) as pool:
            asked = list(pool.map(ask, range(4)))
        taken += sum(answer.status == 202 for _, answer in asked)
        for call, answer in asked:
            if answer.status != 202:
                return call, answer, taken
    raise Unmet("four events at the same time", "429 for some", "ten times 202 for all")


@case(
    id="limits.beyond-the-quota-nothing-changes",
    requirement="LIMIT-3",
    profile="limits",
    kills=["takes-what-is-beyond-the-quota"],
)
def beyond_the_quota_nothing_changes(world: World) -> None:
    """A second event in a second is 429; its key is still free, and repeated later it is taken."""
    app = world.app(rate_limit_per_second=1)
    call, refused, taken = one_too_many(world, app)
    query = {"limit": 100}
    listed = world.api.call("messages.list", app, expect=200, query=query).json()["data"]
    repeated = call(expect=202)

    require_equal((429, "rate_limited"), (refused.status, refused.code), "status and code")
    pause = int(refused.header("retry-after") or 0)
    require(pause >= 1, "Retry-After", "at least the second of the window", pause)
    require_equal(taken, len(listed), "messages")
    require_equal(None, repeated.header("idempotency-replayed"), "Idempotency-Replayed")


def _window(response: Response) -> tuple[int, int, int]:
    """Quota, what is left, and seconds until it is fresh: in both forms the same. Raises Unmet."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    limit, remaining, reset = (int(response.header(name) or -1) for name in names)
    structured = response.header("RateLimit") or ""
    told = re.fullmatch(r'"([a-z]+)";r=(\d+);t=(\d+)', structured)
    require(told is not None, "RateLimit", '"NAME";r=REMAINING;t=SECONDS', structured)
    policy = response.header("RateLimit-Policy") or ""
    kept = re.fullmatch(r'"([a-z]+)";q=(\d+);w=(\d+)', policy)
    require(kept is not None, "RateLimit-Policy", '"NAME";q=QUOTA;w=SECONDS', policy)
    if told is None or kept is None:
        raise Unmet("rate limit", "structured fields", structured)
    require_equal((remaining, reset), (int(told[2]), int(told[3])), "RateLimit")
    require_equal((told[1], limit), (kept[1], int(kept[2])), "RateLimit-Policy")
    window = int(kept[3])
    require(0 <= remaining < limit, "X-RateLimit-Remaining", f"0 to {limit - 1}", remaining)
    require(0 <= reset <= window, "X-RateLimit-Reset", f"0 to {window} s", reset)
    return limit, remaining, window


@case(
    id="limits.every-answer-tells-the-window",
    requirement="LIMIT-2",
    profile="limits",
    kills=["tells-half-of-the-window"],
)
def every_answer_tells_the_window(world: World) -> None:
    """Three headers and two structured fields agree, in a success, a problem and a 202."""
    app = world.app()
    answers = [
        world.api.call("apps.get", app, expect=200),
        world.api.call("apps.get", world.slug(), expect=404),
        world.api.call("trigger.send", app, expect=202, body={"event_name": "a", "payload": {}}),
    ]

    for answer in answers:
        _window(answer)


@case(
    id="limits.requests-and-events-count-apart",
    requirement="LIMIT-1",
    profile="limits",
    kills=["events-count-as-requests"],
)
def requests_and_events_count_apart(world: World) -> None:
    """A key has a window of 60 s, which its published events leave as it is; an app one of 1 s."""
    app, (key, _) = world.app(), world.key(["read", "trigger"])
    api = world.api.using(key)
    before = _window(api.call("apps.get", app, expect=200))
    event: Document = {"event_name": "a", "payload": {}}
    published = [_window(api.call("trigger.send", app, expect=202, body=event)) for _ in range(3)]
    after = _window(api.call("apps.get", app, expect=200))

    require_equal([1, 1, 1], [window for _, _, window in published], "seconds of the app's window")
    require_equal((60, 60), (before[2], after[2]), "seconds of the key's window")
    # The window may have ended in between: then what is left begins anew.
    left = (before[1] - 1, before[0] - 1)
    require(after[1] in left, "left of the key's window", f"{left[0]} or {left[1]}", after[1])
