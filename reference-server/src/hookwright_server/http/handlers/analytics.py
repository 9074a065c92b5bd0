"""Handlers of the tag `analytics`, and how counts are shown."""

from __future__ import annotations

from typing import Any, cast

from hookwright_server.domain import instants
from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import responses
from hookwright_server.services.analytics import Analytics, Asked, Series, Stats
from hookwright_server.store.rollup_counts import OTHER, Counts


class AnalyticsHandlers:
    """See `edge.handlers.AnalyticsHandlers`."""

    def __init__(self, analytics: Analytics) -> None:
        self._analytics = analytics

    def stats(self, context: Context, params: p.AnalyticsStatsParams) -> responses.AnalyticsStats:
        return stats(self._analytics.stats(context.tx, context.principal, params.app_slug))

    def summary(
        self, context: Context, params: p.AnalyticsSummaryParams
    ) -> responses.AnalyticsSummary:
        found = self._analytics.summary(
            context.tx, context.principal, params.app_slug, _asked(params)
        )
        reasons = found.stats.counts.reasons.items()
        return {
            **stats(found.stats),
            "top_events": [_event(name, counts) for name, counts in found.events],
            "endpoint_performance": [_endpoint(each, counts) for each, counts in found.endpoints],
            "failure_reasons": [
                {"failure_reason": cast("Any", reason), "attempt_count": count}
                for reason, count in sorted(reasons, key=lambda one: (-one[1], one[0]))
            ],
        }

    def timeseries(
        self, context: Context, params: p.AnalyticsTimeseriesParams
    ) -> responses.AnalyticsTimeseries:
        found = self._analytics.timeseries(
            context.tx, context.principal, params.app_slug, params.interval, _asked(params)
        )
        return _series(found)

    def overview(self, context: Context) -> responses.AnalyticsOverview:
        found = self._analytics.overview(context.tx, context.principal)
        return {
            **stats(found.stats),
            "endpoints": {
                "healthy": found.endpoints.get("healthy", 0),
                "degraded": found.endpoints.get("degraded", 0),
                "failing": found.endpoints.get("failing", 0),
                "disabled": found.endpoints.get("disabled", 0),
            },
            "queue_depth": found.queue_depth,
        }

    def timeline(
        self, context: Context, params: p.AnalyticsTimelineParams
    ) -> responses.AnalyticsTimeseries:
        return _series(
            self._analytics.timeline(context.tx, context.principal, params.period, params.interval)
        )


def stats(found: Stats) -> responses.AnalyticsStats:
    """The counts of a time as the contract shows them."""
    counts = found.counts
    return {
        "after": instants.render(found.span.after),
        "before": instants.render(found.span.before),
        "message_count": counts.messages,
        "filtered_count": counts.filtered,
        "deliveries": _deliveries(counts),
        "attempts": _attempts(counts),
        "success_rate": _success_rate(counts),
        "latency": _latency(counts),
    }


def _asked(params: p.AnalyticsSummaryParams | p.AnalyticsTimeseriesParams) -> Asked:
    return Asked(params.after, params.before, params.endpoint_id, params.event_name)


def _series(found: Series) -> responses.AnalyticsTimeseries:
    return {
        "after": instants.render(found.span.after),
        "before": instants.render(found.span.before),
        "interval": found.interval,
        "data": [
            {
                "at": instants.render(at),
                "message_count": counts.messages,
                "deliveries": _deliveries(counts),
                "attempts": _attempts(counts),
                "success_rate": _success_rate(counts),
                "latency": _latency(counts),
            }
            for at, counts in found.points
        ],
    }


def _event(name: str, counts: Counts) -> responses.EventCounts:
    return {
        "event_name": None if name == OTHER else name,
        "deliveries": _deliveries(counts),
        "success_rate": _success_rate(counts),
    }


def _endpoint(endpoint_id: str, counts: Counts) -> responses.EndpointCounts:
    return {
        "endpoint_id": endpoint_id,
        "deliveries": _deliveries(counts),
        "success_rate": _success_rate(counts),
        "avg_latency_ms": _average(counts),
    }


def _deliveries(counts: Counts) -> responses.DeliveryCounts:
    return {
        "total": counts.deliveries,
        "delivered": counts.delivered,
        "failed": counts.failed,
        "dead_letter": counts.dead_letter,
        "cancelled": counts.cancelled,
        "pending": counts.pending,
    }


def _attempts(counts: Counts) -> responses.AttemptCounts:
    return {
        "total": counts.attempts,
        "succeeded": counts.succeeded,
        "failed": counts.attempts - counts.succeeded,
    }


def _success_rate(counts: Counts) -> float | None:
    return counts.delivered / counts.finished if counts.finished else None


def _average(counts: Counts) -> float | None:
    return counts.latency_sum_ms / counts.answered if counts.answered else None


def _latency(counts: Counts) -> responses.LatencySummary | None:
    average = _average(counts)
    if average is None:
        return None
    p50, p95, p99 = counts.latencies.percentiles(50, 95, 99)
    return {"avg_ms": average, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}
