"""When a call is tried again, how often, after how long, and with what."""

from __future__ import annotations

import datetime as dt
import time
from email.utils import format_datetime
from typing import Any

from hookwright_conformance.answers import Answer, Pause, close, redirect, reset, truncated
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.received import Received
from hookwright_conformance.sdk.api import problem, reply, text
from hookwright_conformance.sdk.case import case
from hookwright_conformance.sdk.world import SdkWorld

_TOO_LONG_S = 121
# What a timer may be early by.
_EARLY_S = 0.02


def _is_tried_again(world: SdkWorld, operation: str, answer: Answer) -> None:
    one = world.example(operation)
    world.script(answer, reply(one.status, one.value))
    world.require_same(one.value, world.call_example(one), f"{operation} after {answer.name}")
    world.require_requests(2)


def _is_not_tried_again(world: SdkWorld, operation: str, answer: Answer, status: int) -> None:
    one = world.example(operation)
    world.script(answer, reply(one.status, one.value))
    error = world.fails("api", **one.members)
    require_equal(status, error["status"], f"status of the error of {operation}")
    world.require_requests(1)


def _success(world: SdkWorld) -> Answer:
    one = world.example("trigger.send")
    return reply(one.status, one.value)


@case(
    id="sdk-retries.too-early-or-too-many",
    requirement="SDK-40",
    profile="sdk-retries",
    kills=["never-repeats-after-an-answer"],
)
def too_early(world: SdkWorld) -> None:
    """408, 425 and 429 are tried again: a GET and a POST."""
    world.client(max_retries=1)
    _is_tried_again(world, "apps.get", problem(408, "request_timeout"))
    _is_tried_again(world, "trigger.send", text(425, b"Too Early"))
    _is_tried_again(world, "trigger.send", problem(429, "rate_limited"))


@case(
    id="sdk-retries.server-errors",
    requirement="SDK-40",
    profile="sdk-retries",
    kills=["never-repeats-after-an-answer", "repeats-after-500-alone"],
)
def server_errors(world: SdkWorld) -> None:
    """500 and above are tried again, problem or not, whatever the method."""
    world.client(max_retries=1)
    _is_tried_again(world, "apps.get", problem(500, "internal_error"))
    _is_tried_again(world, "trigger.send", text(502, b"<h1>Bad Gateway</h1>"))
    _is_tried_again(world, "endpoints.update", problem(503, "unavailable"))
    _is_tried_again(world, "apps.delete", text(504, b""))
    _is_tried_again(world, "apps.get_or_create", text(599, b"?"))


@case(
    id="sdk-retries.idempotency-in-progress",
    requirement="SDK-40",
    profile="sdk-retries",
    kills=["never-repeats-after-an-answer", "knows-no-409-that-passes"],
)
def in_progress(world: SdkWorld) -> None:
    """The 409 that says that the first request is still running is tried again."""
    world.client(max_retries=1)
    _is_tried_again(world, "endpoints.create", problem(409, "idempotency_in_progress"))


@case(
    id="sdk-retries.broken-connections",
    requirement="SDK-41",
    profile="sdk-retries",
    kills=["gives-up-when-connections-break"],
)
def broken_connections(world: SdkWorld) -> None:
    """Reset, closed, and cut off in the middle of an answer."""
    world.client(max_retries=1)
    _is_tried_again(world, "apps.get", reset())
    _is_tried_again(world, "trigger.send", close())
    _is_tried_again(world, "trigger.send", truncated())


@case(
    id="sdk-retries.timeouts",
    requirement="SDK-41",
    profile="sdk-retries",
    kills=["gives-up-when-connections-break"],
)
def timeouts(world: SdkWorld) -> None:
    """A try that timed out is followed by another."""
    one = world.example("trigger.send")
    late = Answer("200, far too late", (Pause(world.long_s), *_success(world).steps))
    world.client(max_retries=5)
    # Its own success may take longer than that, on a busy machine: so there are five tries.
    world.script(late, _success(world))
    given = world.call_example(one, timeout_seconds=1)
    world.require_same(one.value, given, "trigger.send after a timeout")
    enough = len(world.sent) >= 2
    require(enough, "requests that were sent", "2 or more", len(world.sent))


@case(
    id="sdk-retries.refusals-are-final",
    requirement="SDK-42",
    profile="sdk-retries",
    kills=["repeats-whatever-failed"],
)
def refusals(world: SdkWorld) -> None:
    """What another try cannot change is not tried again."""
    world.client(max_retries=2)
    for status, code in (
        (400, "validation_error"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (409, "app_inactive"),
        (409, "endpoint_deleted"),
        (413, "payload_too_large"),
        (415, "unsupported_media_type"),
        (422, "url_not_allowed"),
        (431, "headers_too_large"),
    ):
        _is_not_tried_again(world, "endpoints.create", problem(status, code), status)
        _is_not_tried_again(world, "apps.get", problem(status, code), status)
    _is_not_tried_again(world, "apps.get", text(410, b"gone"), 410)
    _is_not_tried_again(world, "apps.get", text(409, b"<h1>Conflict</h1>"), 409)
    _is_not_tried_again(world, "apps.get", redirect("/v1/apps"), 302)


@case(
    id="sdk-retries.twice-by-default",
    requirement="SDK-43",
    profile="sdk-retries",
    kills=["repeats-once-too-often", "never-repeats-after-an-answer"],
)
def twice_by_default(world: SdkWorld) -> None:
    """Three tries in all; the error is that of the last one."""
    world.client()
    world.script(
        problem(500, "internal_error"), problem(502, "first"), problem(503, "unavailable"),
    )  # fmt: skip
    error = world.fails("api", **world.example("trigger.send").members)
    require_equal((503, "unavailable"), (error["status"], error.get("code")), "the error")
    world.require_requests(3)


@case(
    id="sdk-retries.as-often-as-asked",
    requirement="SDK-43",
    profile="sdk-retries",
    kills=["repeats-once-too-often", "hears-no-max-retries-of-a-call"],
)
def as_often_as_asked(world: SdkWorld) -> None:
    """`max_retries` of the client, and of a call, which goes before it; 0 is none."""
    one = world.example("trigger.send")
    for of_client, of_call, tries in ((0, None, 1), (1, None, 2), (1, 0, 1), (0, 1, 2)):
        world.client(max_retries=of_client)
        world.script(problem(500, "internal_error"))
        options: dict[str, Any] = {} if of_call is None else {"max_retries": of_call}
        world.fails("api", **one.members, **options)
        world.require_requests(tries)


@case(
    id="sdk-retries.retry-after-in-seconds",
    requirement="SDK-44",
    profile="sdk-retries",
    kills=["ignores-retry-after"],
)
def retry_after_seconds(world: SdkWorld) -> None:
    """The next try comes as many seconds later as the answer says, or more."""
    one = world.example("trigger.send")
    world.client(max_retries=1)
    world.script(problem(429, "rate_limited", [("Retry-After", "2")]), _success(world))
    world.call_example(one)
    first, second = world.require_requests(2)
    gap = second.began - first.ended_at
    require(gap >= 2 - _EARLY_S, "seconds between the tries", "2 or more", f"{gap:.3f}")


@case(
    id="sdk-retries.retry-after-as-a-date",
    requirement="SDK-44",
    profile="sdk-retries",
    kills=["ignores-retry-after", "reads-no-dates"],
)
def retry_after_date(world: SdkWorld) -> None:
    """The next try does not come before the date that the answer names."""
    one = world.example("trigger.send")
    dates: list[float] = []

    def choose(request: Received) -> Answer:
        if dates:
            return _success(world)
        del request
        moment = dt.datetime.fromtimestamp(int(time.time()) + 3, dt.UTC)
        dates.append(moment.timestamp())
        date = format_datetime(moment, usegmt=True)
        return problem(503, "unavailable", [("Retry-After", date)])

    world.client(max_retries=1)
    world.api.hook.respond_with(choose)
    world.call_example(one)
    _, second = world.require_requests(2)
    early = dates[0] - second.wall
    require(early <= _EARLY_S, "the second try", "at the date or later", f"{early:.3f} s before it")


@case(
    id="sdk-retries.long-retry-after-ends-the-call",
    requirement="SDK-45",
    profile="sdk-retries",
    kills=["repeats-sooner-than-asked", "ignores-retry-after", "reads-no-dates"],
)
def long_retry_after(world: SdkWorld) -> None:
    """Who is to wait for more than two minutes decides for himself."""
    one = world.example("trigger.send")
    date = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1), usegmt=True)
    world.client(max_retries=1)
    for value in (str(_TOO_LONG_S), date):
        world.script(problem(503, "unavailable", [("Retry-After", value)]), _success(world))
        error = world.fails("api", **one.members)
        require_equal(503, error["status"], f"status of the error with Retry-After {value}")
        world.require_requests(1)


@case(
    id="sdk-retries.all-tries-are-one-request",
    requirement="SDK-46",
    profile="sdk-retries",
    kills=["makes-a-key-for-each-try", "has-one-idempotency-key"],
)
def one_request(world: SdkWorld) -> None:
    """Path, query, body and Idempotency-Key stay over the tries; the next call has another key."""
    one = world.example("endpoints.create")
    world.client(max_retries=2)
    world.script(problem(503, "unavailable"), reset(), reply(one.status, one.value))
    world.call_example(one)
    tries = world.require_requests(3)
    alike = {
        (each.method, each.target, each.body, tuple(each.values("idempotency-key")))
        for each in tries
    }
    require_equal(1, len(alike), "different requests among the tries of a call")
    world.script(reply(one.status, one.value))
    world.call_example(one)
    again = world.only_request().header("idempotency-key")
    fresh = again != tries[0].header("idempotency-key")
    require(fresh, "Idempotency-Key of the next call", "a fresh one", again)


@case(
    id="sdk-retries.deleted-after-all",
    requirement="SDK-47",
    profile="sdk-retries",
    kills=["forgets-that-it-may-have-deleted"],
)
def deleted_after_all(world: SdkWorld) -> None:
    """A DELETE whose first try may have worked is done when the next finds nothing."""
    one = world.example("apps.delete")
    world.client(max_retries=1)
    for first in (reset(), problem(500, "internal_error")):
        world.script(first, problem(404, "not_found"))
        require_equal(None, world.call_example(one), "what apps.delete returns")
    world.script(problem(404, "not_found"))
    error = world.fails("api", **one.members)
    require_equal(404, error["status"], "status of the error of a DELETE that finds nothing")
