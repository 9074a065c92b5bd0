"""The meters for Prometheus: every name and help text (listed in docs/observability.md).

With `PROMETHEUS_MULTIPROC_DIR` set before this module is imported, all processes that share the
folder are shown as one, and each of them can show it (prometheus_client's multiprocess mode).
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)
from prometheus_client.registry import Collector

from hookwright_server.telemetry.meters import Limit, LostLease
from hookwright_server.telemetry.watch import MULTIPROCESS_FOLDER

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ATTEMPT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
_DELAY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600)
_GROUP = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

_LIVE_GAUGE = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


# Series of their own for when a counter was made: nobody looks at them.
_without_created = cast("Callable[[], None]", disable_created_metrics)


class PrometheusMeters:
    """See `Meters`. `registry` gets every metric; one object a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        _without_created()
        self._requests = Counter(
            "hookwright_requests",
            "Answered requests by operation and status.",
            ("operation", "status"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "hookwright_request_duration_seconds",
            "From the request's arrival in the worker process to its answer.",
            ("operation",),
            buckets=_REQUEST,
            registry=registry,
        )
        self._refused = Counter(
            "hookwright_limit_refusals",
            "Requests refused by a limit: the rate of a key or an app, or the wait for the writer.",
            ("limit",),
            registry=registry,
        )
        for limit in get_args(Limit):
            self._refused.labels(limit)
        self._messages = Counter(
            "hookwright_messages_accepted", "Messages committed.", registry=registry
        )
        self._deliveries = Counter(
            "hookwright_deliveries_accepted",
            "Deliveries committed with their messages.",
            registry=registry,
        )
        self._group_jobs = Histogram(
            "hookwright_writer_group_jobs",
            "Writes that were committed together.",
            buckets=_GROUP,
            registry=registry,
        )
        self._commit_seconds = Histogram(
            "hookwright_writer_commit_duration_seconds",
            "Time of a group's transaction, the commit included.",
            buckets=_FAST,
            registry=registry,
        )
        self._writer_queue = Gauge(
            "hookwright_writer_queue_jobs",
            "Writes that waited for the writer when the last group was committed.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._claimed = Counter(
            "hookwright_deliveries_claimed", "Deliveries leased.", registry=registry
        )
        self._claim_seconds = Histogram(
            "hookwright_claim_duration_seconds",
            "Time of a claim, the wait for the writer included.",
            buckets=_FAST,
            registry=registry,
        )
        self._attempts = Counter(
            "hookwright_attempts",
            "Recorded attempts by outcome: delivered, or the failure reason.",
            ("outcome",),
            registry=registry,
        )
        self._attempt_seconds = Histogram(
            "hookwright_attempt_duration_seconds",
            "Time of an attempt, from name resolution to the last byte of the answer.",
            buckets=_ATTEMPT,
            registry=registry,
        )
        self._delay_seconds = Histogram(
            "hookwright_first_attempt_delay_seconds",
            "From a message's acceptance to the start of each delivery's first attempt.",
            buckets=_DELAY,
            registry=registry,
        )
        self._in_flight = Gauge(
            "hookwright_deliveries_in_flight",
            "Deliveries between claim and record.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._lost = Counter(
            "hookwright_leases_lost",
            "Leases lost, by cause: session_lost (this process was declared dead), interrupted "
            "(a dead session's attempt was taken back), stale_completion (a result came too late).",
            ("cause",),
            registry=registry,
        )
        for cause in get_args(LostLease):
            self._lost.labels(cause)
        self._disabled = Counter(
            "hookwright_endpoints_disabled",
            "Endpoints disabled by their failures.",
            ("reason",),
            registry=registry,
        )
        self._redis_failed = Counter(
            "hookwright_redis_errors",
            "Calls to Redis that failed and were done without, by purpose.",
            ("use",),
            registry=registry,
        )
        # `labels` costs more than counting does.
        self._answered: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def answered(self, operation: str, status: int, seconds: float) -> None:
        children = self._answered.get((operation, status))
        if children is None:
            children = (
                self._requests.labels(operation, str(status)),
                self._request_seconds.labels(operation),
            )
            self._answered[operation, status] = children
        children[0].inc()
        children[1].observe(seconds)

    def refused(self, limit: Limit) -> None:
        self._refused.labels(limit).inc()

    def accepted(self, deliveries: int) -> None:
        self._messages.inc()
        self._deliveries.inc(deliveries)

    def committed(self, jobs: int, waiting: int, seconds: float) -> None:
        self._group_jobs.observe(jobs)
        self._commit_seconds.observe(seconds)
        self._writer_queue.set(waiting)

    def claimed(self, deliveries: int, seconds: float) -> None:
        self._claimed.inc(deliveries)
        self._claim_seconds.observe(seconds)

    def recorded(
        self, outcomes: Mapping[str, int], durations: Sequence[float], delays: Sequence[float]
    ) -> None:
        for outcome, count in outcomes.items():
            self._attempts.labels(outcome).inc(count)
        for seconds in durations:
            self._attempt_seconds.observe(seconds)
        for seconds in delays:
            self._delay_seconds.observe(seconds)

    def in_flight(self, deliveries: int) -> None:
        self._in_flight.set(deliveries)

    def lost(self, cause: LostLease, leases: int) -> None:
        self._lost.labels(cause).inc(leases)

    def disabled(self, reason: str) -> None:
        self._disabled.labels(reason).inc()

    def redis_failed(self, use: str) -> None:
        self._redis_failed.labels(use).inc()


class Exposition:
    """What a scrape gets: the metrics of this process, or of all that share a folder."""

    def __init__(self, own: CollectorRegistry, *shared: Collector) -> None:
        """`shared` collectors tell what is the same whichever process is asked."""
        folder = os.environ.get(MULTIPROCESS_FOLDER)
        self._folder = None if folder is None else Path(folder)
        self._registry = own
        if self._folder is None:
            ProcessCollector(registry=own)
            GCCollector(registry=own)
        else:
            self._registry = CollectorRegistry()
            _collect_folder(self._registry, str(self._folder))
        for collector in shared:
            self._registry.register(collector)
        self._lock = threading.Lock()

    def page(self) -> bytes:
        """The text format."""
        with self._lock:
            if self._folder is not None:
                _forget_dead(self._folder)
            return generate_latest(self._registry)


# It has no annotations.
_collect_folder = cast(
    "Callable[[CollectorRegistry, str], object]", multiprocess.MultiProcessCollector
)


def _forget_dead(folder: Path) -> None:
    """Gauges of processes that have ended count no more; their counters stay."""
    for path in folder.iterdir():
        found = _LIVE_GAUGE.fullmatch(path.name)
        if found and not _is_alive(int(found[1])):
            path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
