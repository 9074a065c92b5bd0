"""Counts as both clients read them from a socket."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from hookwright import AsyncHookwright, Hookwright, models

if TYPE_CHECKING:
    from sdk_harness import ScriptedApi

HOUR = dt.timedelta(hours=1)
BEGIN = dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC)
COUNTS = {
    "message_count": 1,
    "deliveries": {
        "total": 2,
        "delivered": 1,
        "failed": 0,
        "dead_letter": 1,
        "cancelled": 0,
        "pending": 0,
    },
    "attempts": {"total": 3, "succeeded": 1, "failed": 2},
    "success_rate": 0.5,
    "latency": {"avg_ms": 12.5, "p50_ms": 12, "p95_ms": 13, "p99_ms": 13},
}
TIME = {"after": "2026-11-21T08:00:00.000Z", "before": "2026-11-21T10:00:00.000Z"}


def _answer(document: dict[str, Any]) -> bytes:
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def test_a_series_has_points(api: ScriptedApi) -> None:
    """What was asked for goes into the query; each point has its time and its counts."""
    empty = {**COUNTS, "success_rate": None, "latency": None}
    points = [{"at": "2026-11-21T08:00:00.000Z", **COUNTS}, {"at": TIME["before"], **empty}]
    api.steps = [_answer({**TIME, "interval": "1h", "data": points})]

    with Hookwright("hw_test_key", base_url=api.base_url) as client:
        series = client.analytics.timeseries(
            "shop", after=BEGIN, before=BEGIN + 2 * HOUR, interval="1h", event_name="a.b"
        )

    first, second = series.data
    assert "/v1/apps/shop/analytics/timeseries?" in api.requests[0].target
    assert "interval=1h&event_name=a.b" in api.requests[0].target
    assert (BEGIN, 2, 0.5) == (first.at, first.deliveries.total, first.success_rate)
    assert 13 == (first.latency.p99_ms if first.latency else None)
    assert (None, None) == (second.success_rate, second.latency)


def test_stats_and_overview_are_read_by_asyncio_too(api: ScriptedApi) -> None:
    """An endpoint's counts of a period, then those of all apps."""
    now = {
        "endpoints": {"healthy": 3, "degraded": 0, "failing": 1, "disabled": 0},
        "queue_depth": 7,
    }
    stats = {**TIME, **COUNTS, "filtered_count": 4}
    api.steps = [_answer(stats), _answer({**stats, **now})]

    async def read() -> tuple[models.AnalyticsStats, models.AnalyticsOverview]:
        async with AsyncHookwright("hw_test_key", base_url=api.base_url) as client:
            of_endpoint = await client.endpoints.stats("shop", "ep_1", period="7d")
            return of_endpoint, await client.analytics.overview()

    found, overview = asyncio.run(read())

    assert ["/v1/apps/shop/endpoints/ep_1/stats?period=7d", "/v1/analytics/overview"] == [
        request.target for request in api.requests
    ]
    assert (4, 2) == (found.filtered_count, found.attempts.failed)
    assert (1, 7) == (overview.endpoints.failing, overview.queue_depth)
