"""The depth of the queue, asked of the database when somebody looks, but not too often."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hookwright_server.telemetry.meters import QueueDepth

_log = logging.getLogger(__name__)

_KEPT_S = 5.0
# A long queue takes long to count: counting it never takes more than this share of the time.
_SHARE = 0.05


class QueueCollector(Collector):
    """`read` asks the database and may raise; `now_ms` is the clock that deliveries go by."""

    def __init__(
        self,
        read: Callable[[], QueueDepth],
        now_ms: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._depth: QueueDepth | None = None
        self._fresh_until = float("-inf")

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Names only: registering must not ask the database."""
        return _families()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        depth = self._present()
        deliveries, age, answers = _families()
        answers.add_metric((), 0 if depth is None else 1)
        if depth is not None:
            deliveries.add_metric(("due",), depth.due)
            deliveries.add_metric(("scheduled",), depth.scheduled)
            deliveries.add_metric(("held",), depth.held)
            age.add_metric((), self._age_s(depth))
        return deliveries, age, answers

    def _age_s(self, depth: QueueDepth) -> float:
        if depth.oldest_due_at is None:
            return 0.0
        return max(0, self._now_ms() - depth.oldest_due_at) / 1000

    def _present(self) -> QueueDepth | None:
        with self._lock:
            asked_at = self._monotonic()
            if asked_at >= self._fresh_until:
                self._depth = self._asked()
                now = self._monotonic()
                self._fresh_until = now + max(_KEPT_S, (now - asked_at) / _SHARE)
            return self._depth

    def _asked(self) -> QueueDepth | None:
        try:
            return self._read()
        except Exception as error:  # noqa: BLE001 - the other metrics are wanted all the more
            _log.warning("queue_not_read error=%r", error)
            return None


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(
            "hookwright_queue_deliveries",
            "Pending deliveries of the whole database, counted up to 1,000,000: due now, "
            "scheduled for later, held by a disabled endpoint. The same from every process.",
            labels=("state",),
        ),
        GaugeMetricFamily(
            "hookwright_queue_oldest_due_age_seconds",
            "How long the oldest due delivery has been due; 0 when none is.",
        ),
        GaugeMetricFamily(
            "hookwright_database_up", "Whether the database answered when it was asked last."
        ),
    )
