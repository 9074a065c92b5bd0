"""What came of an attempt, and what follows for its delivery."""

from __future__ import annotations

from hookwright_conformance.answers import (
    close,
    garbage,
    gone,
    large_body,
    many_headers,
    redirect,
    status,
    truncated,
)
from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.world import World

REDIRECTS = (301, 302, 303, 307, 308)
QUIET = 1.0
"""For so long nothing may come where nothing should: well beyond the longest wait of `QUICK`."""


@case(
    id="outcomes.any-2xx-is-delivered",
    requirement="OUTCOME-1",
    profile="core",
    kills=["knows-200-alone"],
)
def any_2xx_is_delivered(world: World) -> None:
    """200, 201, 202, 204 and an unassigned 299 all deliver, in one attempt."""
    app, codes = world.app(), (200, 201, 202, 204, 299)
    for code in codes:
        world.endpoint(app, world.hook(status(code)))
    sent = world.publish_to(len(codes), app)

    seen: list[int] = []
    for delivery_id in sent:
        delivery = world.finished(app, delivery_id, "delivered")
        require_equal(1, delivery["attempt_count"], "attempts")
        seen.append(delivery["last_status_code"])
    require_equal(sorted(codes), sorted(seen), "status codes")


@case(
    id="outcomes.client-error-fails-at-once",
    requirement="OUTCOME-2",
    profile="core",
    kills=["retries-4xx-forever"],
)
def client_error_fails_at_once(world: World) -> None:
    """400, 401, 404 and 422 end the delivery as failed after one request."""
    app = world.app()
    hooks = [world.hook(status(code)) for code in (400, 401, 404, 422)]
    for hook in hooks:
        world.endpoint(app, hook)

    for delivery_id in world.publish_to(len(hooks), app):
        delivery = world.finished(app, delivery_id, "failed")
        require_equal("http_4xx", delivery["last_failure_reason"], "failure reason")
        require_equal(None, delivery["next_attempt_at"], "next_attempt_at")
    hooks[0].stays_at(1, QUIET)
    require_equal([1] * len(hooks), [len(hook.requests) for hook in hooks], "requests")


@case(
    id="outcomes.temporary-errors-are-retried",
    requirement="OUTCOME-3",
    profile="core",
    kills=["never-retries-5xx", "never-retries-429"],
)
def temporary_errors_are_retried(world: World) -> None:
    """408, 409, 425, 429, 500 and 503 are followed by a second attempt, which delivers."""
    app, codes = world.app(), (408, 409, 425, 429, 500, 503)
    for code in codes:
        world.endpoint(app, world.hook(status(code), status(200)))

    for delivery_id in world.publish_to(len(codes), app):
        delivery = world.finished(app, delivery_id, "delivered")
        require_equal(2, delivery["attempt_count"], "attempts")


@case(
    id="outcomes.gone-disables-the-endpoint",
    requirement="OUTCOME-4",
    profile="core",
    kills=["gone-does-not-disable"],
)
def gone_disables_the_endpoint(world: World) -> None:
    """410 fails the delivery, disables the endpoint, and the next event is held."""
    app, hook = world.app(), world.hook(gone())
    endpoint = world.endpoint(app, hook)
    first = world.publish(app)
    world.finished(app, first["delivery_ids"][0], "failed")

    found = world.api.call("endpoints.get", app, endpoint["id"], expect=200).json()
    require_equal((False, "gone"), (found["active"], found["disabled_reason"]), "active, reason")
    require_equal("disabled", found["health"]["state"], "health")
    second = world.publish(app)
    held = world.delivery(app, second["delivery_ids"][0])
    require_equal("held", held["status"], "status of the next delivery")
    hook.stays_at(1, QUIET)


@case(
    id="redirects.are-not-followed",
    requirement="OUTCOME-5",
    profile="core",
    kills=["follows-redirects"],
)
def redirects_are_not_followed(world: World) -> None:
    """301, 302, 303, 307 and 308 reach nothing at their Location."""
    app, elsewhere = world.app(), world.hook()
    hooks = [world.hook(redirect(elsewhere.url, code)) for code in REDIRECTS]
    for hook in hooks:
        world.endpoint(app, hook)
    world.publish(app)
    for hook in hooks:
        hook.wait_for(3, world.patience)

    elsewhere.stays_at(0, 0.2)


@case(
    id="redirects.are-recorded-and-retried",
    requirement="OUTCOME-6",
    profile="core",
    kills=["follows-redirects"],
)
def redirects_are_recorded_and_retried(world: World) -> None:
    """Each redirect is an attempt that failed with http_3xx; the last one makes it dead_letter."""
    app, elsewhere = world.app(), world.hook()
    for code in REDIRECTS:
        world.endpoint(app, world.hook(redirect(elsewhere.url, code)))

    for delivery_id in world.publish_to(len(REDIRECTS), app):
        world.finished(app, delivery_id, "dead_letter")
        reasons = [one["failure_reason"] for one in world.attempts(app, delivery_id)]
        require_equal(["http_3xx"] * 3, reasons, "failure reasons")


@case(
    id="outcomes.broken-answers-are-retried",
    requirement="OUTCOME-7",
    profile="core",
    kills=["never-retries-network-errors"],
)
def broken_answers_are_retried(world: World) -> None:
    """Garbage, a truncated body and a closed connection fail with a reason and are retried."""
    app, answers = world.app(), (garbage(), truncated(), close(), close(reads_body=False))
    for broken in answers:
        world.endpoint(app, world.hook(broken, status(200)))

    for delivery_id in world.publish_to(len(answers), app):
        world.finished(app, delivery_id, "delivered")
        first, *_ = world.attempts(app, delivery_id)
        allowed = ("protocol_error", "connection_reset")
        reason = first["failure_reason"]
        require(reason in allowed, "failure reason of attempt 1", " or ".join(allowed), reason)


@case(
    id="outcomes.long-body-is-cut-not-punished",
    requirement="OUTCOME-8",
    profile="core",
    kills=["reads-all-of-an-answer"],
)
def long_body_is_cut_not_punished(world: World) -> None:
    """A 200 with 50 MB is delivered; 4 KiB of it are kept."""
    app, hook = world.app(), world.hook(large_body())
    world.endpoint(app, hook)
    accepted = world.publish(app)

    world.finished(app, accepted["delivery_ids"][0], "delivered")
    (attempt,) = world.attempts(app, accepted["delivery_ids"][0])
    kept = attempt["response_body"]
    require_equal((4096, True), (len(kept), attempt["response_body_truncated"]), "kept, truncated")
    ending = hook.wait_for_end(1, world.patience)
    require_equal("client", ending.by, "who ended the exchange")


@case(
    id="outcomes.attempts-are-listed",
    requirement="OUTCOME-9",
    profile="core",
    kills=["never-retries-5xx", "shows-answers-of-others"],
)
def attempts_are_listed(world: World) -> None:
    """Each attempt shows number, status, reason, code, latency, answer and the headers it sent."""
    app = world.app()
    hook = world.hook(status(500, body=b"first answer"), status(200, body=b"second answer"))
    world.endpoint(app, hook)
    accepted = world.publish(app)
    world.finished(app, accepted["delivery_ids"][0], "delivered")
    attempts = world.attempts(app, accepted["delivery_ids"][0])

    shown = [
        (
            one["number"],
            one["status"],
            one["failure_reason"],
            one["status_code"],
            one["response_body"],
        )
        for one in attempts
    ]
    expected = [
        (1, "failed", "http_5xx", 500, "first answer"),
        (2, "succeeded", None, 200, "second answer"),
    ]
    require_equal(expected, shown, "attempts")
    for attempt, request in zip(attempts, hook.requests, strict=True):
        sent = {name.lower(): value for name, value in attempt["request_headers"].items()}
        for name in ("webhook-id", "webhook-timestamp"):
            require_equal(request.header(name), sent.get(name), f"recorded {name}")


@case(
    id="outcomes.client-errors-are-retried-on-request",
    requirement="OUTCOME-10",
    profile="core",
    kills=["never-retries-client-errors"],
)
def client_errors_are_retried_on_request(world: World) -> None:
    """With retry_client_errors a 404 is retried, a 410 is not."""
    app, policy = world.app(), {"delays_seconds": [0.2], "jitter": 0, "retry_client_errors": True}
    missing, ended = world.hook(status(404), status(200)), world.hook(gone())
    endpoints = [world.endpoint(app, hook, retry_policy=policy) for hook in (missing, ended)]
    retried, failed = world.deliveries_to(app, world.publish(app), *endpoints)

    world.finished(app, retried, "delivered")
    world.finished(app, failed, "failed")
    require_equal((2, 1), (len(missing.requests), len(ended.requests)), "requests")


@case(
    id="outcomes.many-headers-do-no-harm",
    requirement="OUTCOME-11",
    profile="core",
    kills=["calls-a-long-head-a-timeout"],
)
def many_headers_do_no_harm(world: World) -> None:
    """An answer with 2,000 header fields ends in an attempt, not in a lost delivery."""
    app, hook = world.app(), world.hook(many_headers(), status(200))
    world.endpoint(app, hook)
    accepted = world.publish(app)

    world.finished(app, accepted["delivery_ids"][0], "delivered")
    first, *_ = world.attempts(app, accepted["delivery_ids"][0])
    reason = first["failure_reason"]
    require(reason in (None, "protocol_error"), "failure reason", "protocol_error or none", reason)
