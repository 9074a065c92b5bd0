"""Analytics: what is counted, and when."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from hookwright_conformance.answers import delayed, reset, status
from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.world import Document, World, instant

_NO_RETRY: Document = {"delays_seconds": [], "jitter": 0}
_STATUSES = ("delivered", "failed", "dead_letter", "cancelled", "pending")


def _summary(world: World, app: str, **query: str) -> Document:
    return dict(world.api.call("analytics.summary", app, expect=200, query=query).json())


def _counts(deliveries: Document) -> dict[str, int]:
    """The statuses of which there are any."""
    total = sum(deliveries[name] for name in _STATUSES)
    require_equal(deliveries["total"], total, "the sum of all statuses")
    return {name: deliveries[name] for name in _STATUSES if deliveries[name]}


def _one_of_each(world: World, app: str) -> dict[str, str]:
    """An endpoint for each end, and the delivery of one event to it that has come to this end."""
    answers = {"delivered": status(200), "failed": status(404), "dead_letter": status(500)}
    ids: dict[str, str] = {}
    for name, answer in answers.items():
        ids[name] = world.endpoint(app, world.hook(answer), retry_policy=_NO_RETRY)["id"]
    ids["pending"] = world.endpoint(app, world.hook(), active=False)["id"]
    cancelled = world.endpoint(app, world.hook(), active=False)["id"]
    ids["cancelled"] = cancelled
    accepted = world.publish(app)
    body = {"release": False}
    world.api.call("endpoints.enable", app, cancelled, expect=200, body=body)
    listed = world.api.call("deliveries.list", app, expect=200).json()["data"]
    of_endpoint = {row["endpoint_id"]: row["id"] for row in listed}
    require_equal(set(accepted["delivery_ids"]), set(of_endpoint.values()), "deliveries")
    for name in (*answers, "cancelled"):
        world.finished(app, of_endpoint[ids[name]], name)
    return ids


@case(
    id="analytics.deliveries-count-by-status",
    requirement="ANALYTICS-1",
    profile="analytics",
    kills=["counts-attempts-as-deliveries"],
)
def deliveries_count_by_status(world: World) -> None:
    """One delivery for each end, one that was retried, and one that waits."""
    app = world.app()
    _one_of_each(world, app)
    retried = world.endpoint(app, world.hook(status(500), status(200)))["id"]
    accepted = world.publish(app, endpoint_ids=[retried])
    world.finished(app, accepted["delivery_ids"][0], "delivered")
    found = _summary(world, app)

    expected = {"delivered": 2, "failed": 1, "dead_letter": 1, "cancelled": 1, "pending": 1}
    require_equal(expected, _counts(found["deliveries"]), "deliveries")
    require_equal(2, found["message_count"], "message_count")


@case(
    id="analytics.attempts-count-by-outcome",
    requirement="ANALYTICS-2",
    profile="analytics",
    kills=["counts-no-failed-attempts"],
)
def attempts_count_by_outcome(world: World) -> None:
    """Every attempt counts, and failed ones by their reason."""
    app, hook = world.app(), world.hook(status(500), reset(), status(200))
    endpoint = world.endpoint(app, hook)
    delivery_id = world.publish(app)["delivery_ids"][0]
    world.finished(app, delivery_id, "delivered")
    found = _summary(world, app)
    path = (app, endpoint["id"])
    stats = world.api.call("endpoints.stats", *path, expect=200, query={"period": "1h"}).json()

    expected = {"total": 3, "succeeded": 1, "failed": 2}
    require_equal(expected, found["attempts"], "attempts")
    require_equal(expected, stats["attempts"], "attempts of the endpoint")
    shown: list[str | None] = [one["failure_reason"] for one in world.attempts(app, delivery_id)]
    counted = {one["failure_reason"]: one["attempt_count"] for one in found["failure_reasons"]}
    require_equal(dict(Counter(reason for reason in shown if reason)), counted, "failure_reasons")


@case(
    id="analytics.success-rate-is-a-share",
    requirement="ANALYTICS-3",
    profile="analytics",
    kills=["success-rate-in-percent"],
)
def success_rate_is_a_share(world: World) -> None:
    """null before anything has ended, then a third; cancelled and waiting ones do not count."""
    app = world.app()
    before = world.api.call("analytics.stats", app, expect=200).json()
    _one_of_each(world, app)
    after = world.api.call("analytics.stats", app, expect=200).json()

    require_equal(None, before["success_rate"], "success_rate of nothing")
    rate = after["success_rate"]
    require(abs(rate - 1 / 3) < 1e-9, "success_rate of one in three", 1 / 3, rate)


@case(
    id="analytics.retry-takes-its-end-back",
    requirement="ANALYTICS-4",
    profile="analytics",
    kills=["keeps-the-end-of-a-retried-delivery"],
)
def retry_takes_its_end_back(world: World) -> None:
    """A failed delivery that is delivered after a retry by hand counts as delivered alone."""
    app, hook = world.app(), world.hook(status(404), status(200))
    world.endpoint(app, hook)
    delivery_id = world.publish(app)["delivery_ids"][0]
    world.finished(app, delivery_id, "failed")
    before = _counts(_summary(world, app)["deliveries"])
    world.api.call("deliveries.retry", app, delivery_id, expect=200)
    world.finished(app, delivery_id, "delivered")
    after = _counts(_summary(world, app)["deliveries"])

    require_equal({"failed": 1}, before, "deliveries before")
    require_equal({"delivered": 1}, after, "deliveries after")


@case(
    id="analytics.test-counts-nowhere",
    requirement="ANALYTICS-5",
    profile="analytics",
    kills=["counts-tests-of-endpoints"],
)
def test_counts_nowhere(world: World) -> None:
    """After a test of an endpoint every count is zero."""
    app = world.app()
    endpoint = world.endpoint(app, world.hook())
    world.api.call("endpoints.test", app, endpoint["id"], expect=200)
    found = _summary(world, app)

    require_equal(0, found["message_count"], "message_count")
    require_equal({}, _counts(found["deliveries"]), "deliveries")
    require_equal(0, found["attempts"]["total"], "attempts")
    require_equal(None, found["latency"], "latency")


@case(
    id="analytics.series-is-complete",
    requirement="ANALYTICS-6",
    profile="analytics",
    kills=["leaves-out-empty-intervals"],
)
def series_is_complete(world: World) -> None:
    """Two hours by five minutes: every interval is there and the counts add up."""
    app = world.app()
    world.endpoint(app, world.hook())
    world.finished(app, world.publish(app)["delivery_ids"][0], "delivered")
    seen = instant(_summary(world, app)["before"])
    query = {"after": (seen - dt.timedelta(hours=2)).isoformat(), "interval": "5m"}
    series = world.api.call("analytics.timeseries", app, expect=200, query=query).json()

    step = dt.timedelta(minutes=5)
    begins = [instant(point["at"]) for point in series["data"]]
    whole = (instant(series["before"]) - instant(series["after"])) // step
    wanted = [instant(series["after"]) + number * step for number in range(whole)]
    require_equal(wanted, begins, "where intervals begin")
    require(whole >= 24, "intervals", "at least 24", whole)
    counts = [point["deliveries"]["delivered"] for point in series["data"]]
    require_equal(1, sum(counts), "deliveries in all intervals")
    require_equal(1, sum(1 for count in counts if count), "intervals with a delivery")


@case(
    id="analytics.latency-is-of-answers",
    requirement="ANALYTICS-7",
    profile="analytics",
    kills=["measures-what-did-not-answer"],
)
def latency_is_of_answers(world: World) -> None:
    """Mean and percentiles of answers of different speed; a reset connection does not count."""
    app = world.app()
    waits = (0.0, 0.1, 0.2, 0.4)
    hook = world.hook(*(delayed(seconds) for seconds in waits), reset(), status(200))
    world.endpoint(app, hook, max_concurrency=1)
    for _ in (*waits, None):
        world.finished(app, world.publish(app)["delivery_ids"][0], "delivered")
    found = _summary(world, app)["latency"]
    rows = world.api.call("deliveries.list", app, expect=200).json()["data"]
    tried = [attempt for row in rows for attempt in world.attempts(app, row["id"])]
    answered = sorted(one["latency_ms"] for one in tried if one["status_code"] is not None)

    require_equal(len(waits) + 1, len(answered), "answers")
    mean = sum(answered) / len(answered)
    require(abs(found["avg_ms"] - mean) < 0.01, "avg_ms", mean, found["avg_ms"])
    for name, rank in (("p50_ms", 3), ("p95_ms", 5), ("p99_ms", 5)):
        true = answered[rank - 1]
        require(abs(found[name] - true) <= 0.02 * true, f"{name} within 2 %", true, found[name])


@case(
    id="analytics.filters-narrow",
    requirement="ANALYTICS-8",
    profile="analytics",
    kills=["counts-whatever-is-not-asked-for"],
)
def filters_narrow(world: World) -> None:
    """By endpoint, by event, by both; lists begin with what has most."""
    app = world.app()
    one = world.endpoint(app, world.hook(), events=["a.first"])["id"]
    two = world.endpoint(app, world.hook())["id"]
    for name in ("a.first", "a.second", "a.second"):
        for delivery_id in world.publish(app, event_name=name)["delivery_ids"]:
            world.finished(app, delivery_id, "delivered")

    def total(**query: str) -> int:
        return int(_summary(world, app, **query)["deliveries"]["total"])

    require_equal(4, total(), "of all")
    require_equal((1, 3), (total(endpoint_id=one), total(endpoint_id=two)), "by endpoint")
    require_equal(2, total(event_name="a.first"), "by event")
    require_equal(1, total(endpoint_id=two, event_name="a.first"), "by both")
    found = _summary(world, app)
    ranked = [
        (each["endpoint_id"], each["deliveries"]["total"]) for each in found["endpoint_performance"]
    ]
    require_equal([(two, 3), (one, 1)], ranked, "endpoint_performance")
    events = {each["event_name"]: each["deliveries"]["total"] for each in found["top_events"]}
    require_equal({"a.first": 2, "a.second": 2}, events, "top_events")


@case(
    id="analytics.overview-is-sealed",
    requirement="ANALYTICS-9",
    profile="analytics",
    kills=["tells-a-bound-key-of-other-apps"],
)
def overview_is_sealed(world: World) -> None:
    """A key that is bound to an app is told of this app alone, in the overview and the timeline."""
    mine, other = world.app(), world.app()
    for app in (mine, other):
        world.endpoint(app, world.hook())
        world.finished(app, world.publish(app)["delivery_ids"][0], "delivered")
    bound = world.api.using(world.key(["read"], app_slug=mine)[0])
    overview = bound.call("analytics.overview", expect=200).json()
    query = {"period": "1h", "interval": "5m"}
    timeline = bound.call("analytics.timeline", expect=200, query=query).json()
    of_all = world.api.call("analytics.overview", expect=200).json()

    require_equal({"delivered": 1}, _counts(overview["deliveries"]), "deliveries")
    require_equal((1, 0), (overview["endpoints"]["healthy"], overview["queue_depth"]), "now")
    counted = sum(point["deliveries"]["total"] for point in timeline["data"])
    require_equal(1, counted, "deliveries in the timeline")
    seen = of_all["deliveries"]["delivered"]
    require(seen >= 2, "deliveries of the account", "at least 2", seen)


@case(
    id="analytics.agrees-with-lists",
    requirement="ANALYTICS-10",
    profile="analytics",
    kills=["counts-no-failed-attempts"],
)
def agrees_with_lists(world: World) -> None:
    """A recount of what the lists show gives the counts, at once."""
    app = world.app()
    _one_of_each(world, app)
    world.publish(app)
    rows = world.api.call("deliveries.list", app, expect=200, query={"limit": 100}).json()["data"]
    for row in rows:
        if row["status"] in ("pending", "sending"):
            world.delivery_once(
                app, row["id"], lambda now: now["completed_at"] is not None, "an end"
            )
    rows = world.api.call("deliveries.list", app, expect=200, query={"limit": 100}).json()["data"]
    found = _summary(world, app)

    shown = Counter("pending" if row["status"] == "held" else row["status"] for row in rows)
    require_equal(dict(shown), _counts(found["deliveries"]), "deliveries")
    attempts = sum(len(world.attempts(app, row["id"])) for row in rows)
    require_equal(attempts, found["attempts"]["total"], "attempts")


@case(
    id="analytics.bad-times-are-refused",
    requirement="ANALYTICS-11",
    profile="analytics",
    kills=["takes-any-time"],
)
def bad_times_are_refused(world: World) -> None:
    """Backwards, too long, too many intervals, too fine: each is a 400."""
    app = world.app()
    for query in (
        {"after": "2026-01-02T00:00:00Z", "before": "2026-01-01T00:00:00Z"},
        {"after": "2024-01-01T00:00:00Z", "before": "2026-01-01T00:00:00Z", "interval": "1w"},
        {"after": "2025-01-01T00:00:00Z", "before": "2025-12-31T00:00:00Z", "interval": "1h"},
        {"after": "1970-01-01T00:00:00Z", "before": "1970-01-02T00:00:00Z", "interval": "5m"},
    ):
        refused = world.api.call("analytics.timeseries", app, expect=400, query=query)
        require_equal("validation_error", refused.code, f"code for {query}")
