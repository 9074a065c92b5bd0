"""Analytics: what is counted, of which time, and who may see it."""

from __future__ import annotations

from typing import Any

import pytest
from http_lab import Client, Document, Lab
from http_sink import ONCE, Open, path_to, reply, waits

from hookwright_server.domain import instants

NOWHERE = "http://127.0.0.1:1/hook"
DAY_MS = 86_400_000
NONE: Document = {
    "total": 0,
    "delivered": 0,
    "failed": 0,
    "dead_letter": 0,
    "cancelled": 0,
    "pending": 0,
}


def count(total: int, **statuses: int) -> Document:
    """Counts of deliveries; statuses that are not named have none."""
    return {**NONE, "total": total, **statuses}


def summary(client: Client, slug: str, query: str = "") -> Document:
    """The summary of an app."""
    found: Document = client.get(f"/v1/apps/{slug}/analytics/summary?{query}").require(200)
    return found


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def test_every_end_counts_where_it_belongs(lab: Lab, sink: Open) -> None:
    """Deliveries by their status, attempts by their outcome, and both by event and endpoint."""
    client = lab.client
    slug = client.new_app()["slug"]
    answers = {"delivered": reply(200), "failed": reply(404), "dead_letter": reply(500)}
    ids = {
        status: client.new_endpoint(slug, sink(answer).url, retry_policy=ONCE, events=["order.*"])[
            "id"
        ]
        for status, answer in answers.items()
    }
    pending = client.new_endpoint(slug, NOWHERE, retry_policy=waits(604800), events=["order.*"])
    held = client.new_endpoint(slug, NOWHERE, active=False, events=["order.*"])
    client.trigger(slug, event_name="order.paid")
    client.trigger(slug, event_name="order.sent", endpoint_ids=[ids["delivered"]])
    client.trigger(slug, event_name="other")
    client.advance("PT0S")
    found = summary(client, slug)
    client.post(f"{path_to(held)}/enable", {"release": False}).require(200)
    path = f"/v1/apps/{slug}/endpoints"
    of_failed = client.get(f"{path}/{ids['failed']}/stats?period=1h").require(200)
    of_held = client.get(f"{path}/{held['id']}/stats").require(200)

    assert (3, 5) == (found["message_count"], found["filtered_count"])
    assert count(6, delivered=2, failed=1, dead_letter=1, pending=2) == found["deliveries"]
    assert {"total": 5, "succeeded": 2, "failed": 3} == found["attempts"]
    assert 0.5 == found["success_rate"]
    assert [("order.paid", 5), ("order.sent", 1)] == [
        (one["event_name"], one["deliveries"]["total"]) for one in found["top_events"]
    ]
    assert [(ids["delivered"], count(2, delivered=2), 1.0)] == [
        (one["endpoint_id"], one["deliveries"], one["success_rate"])
        for one in found["endpoint_performance"][:1]
    ]
    reasons = {one["failure_reason"]: one["attempt_count"] for one in found["failure_reasons"]}
    assert {"http_4xx": 1, "http_5xx": 1, "connect_error": 1} == reasons
    assert (1, 0, count(1, failed=1), 0.0) == (
        of_failed["message_count"],
        of_failed["filtered_count"],
        of_failed["deliveries"],
        of_failed["success_rate"],
    )
    assert (count(1, cancelled=1), None, None) == (
        of_held["deliveries"],
        of_held["success_rate"],
        of_held["latency"],
    )
    assert count(1, delivered=1) == summary(client, slug, "event_name=order.sent")["deliveries"]
    both = f"event_name=order.paid&endpoint_id={pending['id']}"
    assert count(1, pending=1) == summary(client, slug, both)["deliveries"]


def test_a_retry_by_hand_takes_its_end_back(client: Client, slug: str, sink: Open) -> None:
    """A failed delivery that is sent again counts once, by what became of it; attempts add up."""
    client.new_endpoint(slug, sink(reply(404), reply(200)).url)
    [delivery_id] = client.trigger(slug)["delivery_ids"]
    client.finished(delivery_id, "failed")
    before = summary(client, slug)
    client.post(f"/v1/apps/{slug}/deliveries/{delivery_id}/retry").require(200)
    client.finished(delivery_id, "delivered")
    after = summary(client, slug)

    assert [count(1, failed=1), count(1, delivered=1)] == [
        before["deliveries"],
        after["deliveries"],
    ]
    assert {"total": 2, "succeeded": 1, "failed": 1} == after["attempts"]
    latency = after["latency"]
    assert latency["p50_ms"] <= latency["p95_ms"] <= latency["p99_ms"]


def test_a_test_of_an_endpoint_counts_nowhere(client: Client, slug: str, sink: Open) -> None:
    """endpoints.test leaves no trace."""
    endpoint = client.new_endpoint(slug, sink(reply(200)).url)
    client.post(f"{path_to(endpoint)}/test").require(200)
    found = summary(client, slug)

    assert (0, NONE, 0) == (
        found["message_count"],
        found["deliveries"],
        found["attempts"]["total"],
    )


def test_every_interval_is_there(lab: Lab, sink: Open) -> None:
    """Deliveries count when they were accepted, attempts when they began; the rest is zero."""
    client = lab.client
    slug = client.new_app()["slug"]
    now = instants.parse(client.advance("PT0S")["now"])
    to_midnight = DAY_MS - now % DAY_MS
    client.advance(f"PT{to_midnight / 1000}S")
    client.new_endpoint(slug, sink(reply(500), reply(200)).url, retry_policy=waits(7_200))
    client.trigger(slug)
    client.advance("PT3H31M")

    def points(path: str) -> list[tuple[int, int, int]]:
        found = client.get(path).require(200)
        data: list[Document] = found["data"]
        assert data[0]["at"] == found["after"]
        return [
            (
                one["message_count"],
                one["deliveries"]["delivered"],
                one["attempts"]["total"],
            )
            for one in data
        ]

    series = f"/v1/apps/{slug}/analytics/timeseries"
    midnight = instants.render(now + to_midnight)
    hours = [(1, 1, 1), (0, 0, 0), (0, 0, 1), (0, 0, 0)]
    assert hours == points(f"{series}?after={midnight}")
    fine = points(f"{series}?after={midnight}&interval=5m")
    assert (43, [0, 24]) == (len(fine), [i for i, point in enumerate(fine) if any(point)])
    for interval in ("1d", "1w"):
        assert [(1, 1, 2)] == points(f"{series}?after={midnight}&interval={interval}")
    assert hours == points("/v1/analytics/timeline?period=24h")[-4:]
    assert 169 == len(points(series))


def test_a_time_begins_and_ends_with_whole_steps(lab: Lab) -> None:
    """Five minutes of late, hours of what is older, days of what is older still."""
    client = lab.client
    slug = client.new_app()["slug"]
    now = instants.parse(client.advance("PT0S")["now"])

    def steps(days: int) -> list[bool]:
        after = instants.render(now - days * DAY_MS - 1)
        found = summary(client, slug, f"after={after}")
        begins, ends = instants.parse(found["after"]), instants.parse(found["before"])
        assert begins <= now - days * DAY_MS - 1
        assert ends >= now
        return [begins % step == 0 == ends % step for step in (300_000, 3_600_000, DAY_MS)]

    assert (True, False) == (steps(1)[0], steps(1)[2])
    assert ([True, True], False) == (steps(32)[:2], steps(32)[2])
    assert steps(93) == [True, True, True]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("after=2026-01-02T00:00:00Z&before=2026-01-02T00:00:00Z", "query/after"),
        ("after=2024-01-02T00:00:00Z&before=2026-01-02T00:00:00Z", "query/after"),
        ("after=2026-01-02T00:00:00Z&before=2026-02-20T00:00:00Z&interval=1h", "query/interval"),
        ("after=1970-01-01T00:00:00Z&before=1970-01-02T00:00:00Z&interval=5m", "query/interval"),
        ("after=9999-12-31T00:00:00Z&before=9999-12-31T23:59:59Z", "query/after"),
        ("after=1970-01-01T00:00:00Z&before=1970-01-02T00:00:00Z&interval=1w", "query/after"),
        ("interval=2h", "query/interval"),
    ],
)
def test_times_that_cannot_be_told_are_refused(
    client: Client, slug: str, query: str, pointer: str
) -> None:
    """An empty or too long time, too many intervals, and ones finer than what is kept."""
    answer = client.get(f"/v1/apps/{slug}/analytics/timeseries?{query}")

    assert (400, [pointer]) == (answer.status, [fault[0] for fault in answer.faults])


def test_the_overview_is_of_all_apps_that_the_key_may_see(lab: Lab, sink: Open) -> None:
    """A key bound to an app sees its app alone; deleted apps stay in the counts of the account."""
    client = lab.client
    slugs = [client.new_app()["slug"] for _ in range(2)]
    url = sink(reply(200)).url
    for slug in slugs:
        client.new_endpoint(slug, url)
        client.finished(client.trigger(slug)["delivery_ids"][0], "delivered")
    client.new_endpoint(slugs[0], NOWHERE, active=False)
    failing = client.new_endpoint(slugs[0], NOWHERE, retry_policy=waits(604800))
    client.trigger(slugs[0], endpoint_ids=[failing["id"]])
    client.advance("PT0S")
    bound = client.with_key(client.new_key("read", app_slug=slugs[0])["key"])
    client.delete(f"/v1/apps/{slugs[1]}").require(204)

    def told(who: Client) -> tuple[Any, ...]:
        found = who.get("/v1/analytics/overview").require(200)
        states = tuple(found["endpoints"][name] for name in ("healthy", "degraded", "disabled"))
        return (
            found["message_count"],
            found["deliveries"]["delivered"],
            found["queue_depth"],
            states,
        )

    assert (3, 2, 1, (1, 1, 1)) == told(client)
    assert (2, 1, 1, (1, 1, 1)) == told(bound)
    client.advance("P2D")
    assert (0, 0, 1, (1, 1, 1)) == told(client)


def test_only_what_is_there_has_counts(client: Client, slug: str) -> None:
    """Unknown apps and endpoints are 404; an unknown endpoint to look for has zeros."""
    paths = (
        "/v1/apps/no-such-app/analytics/stats",
        f"/v1/apps/{slug}/endpoints/ep_none/stats",
    )

    assert [404, 404] == [client.get(path).status for path in paths]
    assert NONE == summary(client, slug, "endpoint_id=ep_none")["deliveries"]
    assert NONE == client.get(f"/v1/apps/{slug}/analytics/stats").require(200)["deliveries"]
