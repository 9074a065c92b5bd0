"""Analytics: counts of a time, from sums that are kept as things happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hookwright_server.clock import Clock
from hookwright_server.domain.contract import AnalyticsInterval, AnalyticsPeriod, Limits
from hookwright_server.domain.instants import LATEST_MS
from hookwright_server.errors import Refusal, invalid
from hookwright_server.services.principal import Principal, require_app
from hookwright_server.store import endpoints
from hookwright_server.store.database import Connection
from hookwright_server.store.rollup_counts import ANY, STEP_MS, Counts
from hookwright_server.store.rollup_folding import DAY_MS, HOUR_MS
from hookwright_server.store.rollups import WEEK_MS, Rollups, Span

PERIODS_MS: Final[dict[AnalyticsPeriod, int]] = {
    "1h": HOUR_MS,
    "24h": DAY_MS,
    "7d": WEEK_MS,
    "30d": 30 * DAY_MS,
}
INTERVALS_MS: Final[dict[AnalyticsInterval, int]] = {
    "5m": STEP_MS,
    "1h": HOUR_MS,
    "1d": DAY_MS,
    "1w": WEEK_MS,
}
_TOP = Limits.analytics_top


@dataclass(frozen=True, slots=True)
class Asked:
    """A time, and of what; None: up to now, from 7 days before, of everything."""

    after: int | None = None
    before: int | None = None
    endpoint_id: str | None = None
    event_name: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """The counts of a time."""

    span: Span
    counts: Counts


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of a time, and the events and endpoints with most deliveries in it."""

    stats: Stats
    events: list[tuple[str, Counts]]
    endpoints: list[tuple[str, Counts]]


@dataclass(frozen=True, slots=True)
class Series:
    """The counts of each interval of a time; each with the instant at which it begins."""

    span: Span
    interval: AnalyticsInterval
    points: list[tuple[int, Counts]]


@dataclass(frozen=True, slots=True)
class Overview:
    """The last 24 hours, endpoints by their state of health, and deliveries that have not ended."""

    stats: Stats
    endpoints: dict[str, int]
    queue_depth: int


class Analytics:
    """The service of the tag `analytics`. Every method runs inside the caller's transaction."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def stats(self, tx: Connection, principal: Principal, app_slug: str) -> Stats:
        """The last 30 days of an app."""
        return self._stats(_of_app(tx, principal, app_slug), "30d")

    def of_endpoint(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        period: AnalyticsPeriod,
    ) -> Stats:
        """The last `period` of an endpoint that the principal may see."""
        return self._stats(_of_app(tx, principal, app_slug), period, endpoint_id)

    def summary(self, tx: Connection, principal: Principal, app_slug: str, asked: Asked) -> Summary:
        """The counts of a time, and where things happened."""
        rollups = _of_app(tx, principal, app_slug)
        after, before = self._times(asked)
        span = _span(after, before, self._finest_step_ms(after))
        only = (asked.endpoint_id or ANY, asked.event_name or ANY)
        return Summary(
            Stats(span, rollups.total(span, *only)),
            rollups.top_events(span, _TOP, *only),
            rollups.top_endpoints(span, _TOP, *only),
        )

    def timeseries(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        interval: AnalyticsInterval,
        asked: Asked,
    ) -> Series:
        """The counts of each interval of a time."""
        rollups = _of_app(tx, principal, app_slug)
        only = (asked.endpoint_id or ANY, asked.event_name or ANY)
        return self._series(rollups, interval, *self._times(asked), only)

    def overview(self, tx: Connection, principal: Principal) -> Overview:
        """All apps of the principal: the last 24 hours, and how things are now."""
        rollups = _of_all(tx, principal)
        return Overview(
            self._stats(rollups, "24h"),
            endpoints.by_state(tx, principal.realm),
            rollups.unfinished(),
        )

    def timeline(
        self,
        tx: Connection,
        principal: Principal,
        period: AnalyticsPeriod,
        interval: AnalyticsInterval,
    ) -> Series:
        """The counts of each interval of a period, over all apps of the principal."""
        now_ms = self._clock.now_ms()
        after = max(0, now_ms - PERIODS_MS[period])
        return self._series(_of_all(tx, principal), interval, after, now_ms, (ANY, ANY))

    def _stats(self, rollups: Rollups, period: AnalyticsPeriod, endpoint_id: str = ANY) -> Stats:
        now_ms = self._clock.now_ms()
        span = _span(max(0, now_ms - PERIODS_MS[period]), now_ms, STEP_MS)
        return Stats(span, rollups.total(span, endpoint_id))

    def _series(
        self,
        rollups: Rollups,
        interval: AnalyticsInterval,
        after: int,
        before: int,
        only: tuple[str, str],
    ) -> Series:
        interval_ms = INTERVALS_MS[interval]
        if interval_ms < self._finest_step_ms(after):
            raise invalid(
                "query/interval",
                "interval",
                f"Counts by {interval!r} are not kept for so long. Ask for longer intervals.",
            )
        span = _span(after, before, interval_ms)
        if span.before - span.after > Limits.analytics_points * interval_ms:
            raise invalid(
                "query/interval",
                "interval",
                f"These are more than {Limits.analytics_points} intervals. "
                "Ask for longer ones or a shorter time.",
            )
        return Series(span, interval, rollups.by_interval(span, interval_ms, *only))

    def _times(self, asked: Asked) -> tuple[int, int]:
        before = self._clock.now_ms() if asked.before is None else asked.before
        after = max(0, before - WEEK_MS) if asked.after is None else asked.after
        if after >= before:
            raise _bad_time("The time ends before it begins: 'after' must lie before 'before'.")
        if before - after > Limits.analytics_days * DAY_MS:
            raise _bad_time(f"A time is at most {Limits.analytics_days} days long.")
        return after, before

    def _finest_step_ms(self, at_ms: int) -> int:
        """The finest step that is kept of an instant."""
        age_ms = self._clock.now_ms() - at_ms
        if age_ms <= Limits.analytics_5m_kept_days * DAY_MS:
            return STEP_MS
        return HOUR_MS if age_ms <= Limits.analytics_hours_kept_days * DAY_MS else DAY_MS


def _of_app(tx: Connection, principal: Principal, app_slug: str) -> Rollups:
    app = require_app(tx, principal, app_slug)
    return Rollups(tx, app.account_id, app.environment, app.id)


def _of_all(tx: Connection, principal: Principal) -> Rollups:
    return Rollups(tx, principal.account_id, principal.environment, principal.app_id or ANY)


def _span(after: int, before: int, step_ms: int) -> Span:
    span = Span.around(after, before, step_ms)
    if span.after < 0 or span.before > LATEST_MS:
        raise _bad_time("In whole steps this time goes beyond the years 1970 to 9999.")
    return span


def _bad_time(text: str) -> Refusal:
    return invalid("query/after", "range", text)
