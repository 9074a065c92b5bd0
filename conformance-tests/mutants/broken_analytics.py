"""Mutants of analytics: what is counted, and how it is shown."""

# ruff: noqa: INP001 - launch.py puts this folder on the path
# What replaces a method sees what the method sees.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import dataclasses
from typing import Any

from replacing import nothing, replace

from hookwright_server.http.handlers import analytics as handlers
from hookwright_server.services.analytics import Analytics, Asked, Overview
from hookwright_server.services.endpoint_tests import EndpointTests, TestResult
from hookwright_server.services.principal import Principal
from hookwright_server.store import deliveries
from hookwright_server.store.database import Connection
from hookwright_server.store.rollup_counts import Counts
from hookwright_server.store.rollup_deltas import Tally
from hookwright_server.store.rollups import Rollups, Span

_A_WEEK_MS = 7 * 86_400_000


def counts_attempts_as_deliveries() -> None:
    """Every attempt is counted as a delivery of its own."""
    attempted = Counts.attempted

    def attempted_twice(
        self: Counts, failure_reason: str | None, status_code: int | None, latency_ms: int | None
    ) -> None:
        attempted(self, failure_reason, status_code, latency_ms)
        self.deliveries += 1

    replace(Counts, "attempted", attempted_twice)


def success_rate_in_percent() -> None:
    """0 to 100."""

    def rate(counts: Counts) -> float | None:
        return 100 * counts.delivered / counts.finished if counts.finished else None

    replace(handlers, "_success_rate", rate)


def keeps_the_end_of_a_retried_delivery() -> None:
    """A delivery that is retried by hand counts as failed for ever."""
    replace(deliveries, "count_reopened", nothing)


def leaves_out_empty_intervals() -> None:
    """Only intervals in which something happened are told."""
    by_interval = Rollups.by_interval

    def not_empty(
        self: Rollups, span: Span, interval_ms: int, endpoint_id: str = "", event_name: str = ""
    ) -> list[tuple[int, Counts]]:
        points = by_interval(self, span, interval_ms, endpoint_id, event_name)
        return [(at, counts) for at, counts in points if any(counts.numbers)]

    replace(Rollups, "by_interval", not_empty)


def counts_no_failed_attempts() -> None:
    """Only attempts that succeeded are attempts."""
    attempted = Counts.attempted

    def succeeded(
        self: Counts, failure_reason: str | None, status_code: int | None, latency_ms: int | None
    ) -> None:
        if failure_reason is None:
            attempted(self, failure_reason, status_code, latency_ms)

    replace(Counts, "attempted", succeeded)


def measures_what_did_not_answer() -> None:
    """A connection that was reset counts as an answer that came quickly."""
    attempted = Counts.attempted

    def answered(
        self: Counts, failure_reason: str | None, _status_code: int | None, latency_ms: int | None
    ) -> None:
        attempted(self, failure_reason, 200, latency_ms or 0)

    replace(Counts, "attempted", answered)


def counts_whatever_is_not_asked_for() -> None:
    """`endpoint_id` and `event_name` narrow nothing."""

    def asked(params: Any) -> Asked:
        return Asked(params.after, params.before)

    replace(handlers, "_asked", asked)


def tells_a_bound_key_of_other_apps() -> None:
    """The overview is of the whole account, whoever asks."""
    overview = Analytics.overview

    def of_the_account(self: Analytics, tx: Connection, principal: Principal) -> Overview:
        return overview(self, tx, dataclasses.replace(principal, app_id=None))

    replace(Analytics, "overview", of_the_account)


def takes_any_time() -> None:
    """A time may end before it begins, and be as long as it likes."""

    def times(self: Analytics, asked: Asked) -> tuple[int, int]:
        before = self._clock.now_ms() if asked.before is None else asked.before
        return (before - _A_WEEK_MS if asked.after is None else asked.after), before

    replace(Analytics, "_times", times)


def counts_tests_of_endpoints() -> None:
    """A test event is an attempt like any other."""
    run = EndpointTests.run

    def counted(
        self: EndpointTests,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        event_name: str,
        payload: bytes,
    ) -> TestResult:
        done = run(self, principal, app_slug, endpoint_id, event_name, payload)

        def count(tx: Connection) -> None:
            app_id = self._endpoints.get(tx, principal, app_slug, endpoint_id).app_id
            place = (principal.account_id, principal.environment, app_id)
            tally = Tally()
            at_ms = self._parts.clock.now_ms()
            tally.counts(place, at_ms, endpoint_id, event_name).attempted(
                done.failure_reason, done.status_code, done.latency_ms
            )
            tally.write(tx)

        self._database.write(count)
        return done

    replace(EndpointTests, "run", counted)
