"""What is counted of an app, an endpoint and an event in one step of time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from hookwright_server.domain.latency import Histogram

STEP_MS = 300_000
_REASONS = TypeAdapter(dict[str, int])

ANY = ""
"""In place of an app, an endpoint or an event: all of them together."""
OTHER = "*"
"""In place of an event: those beyond the names that are counted one by one."""


@dataclass(slots=True)
class Counts:
    """Sums. Latencies are of attempts that got an answer."""

    messages: int = 0
    filtered: int = 0
    deliveries: int = 0
    delivered: int = 0
    failed: int = 0
    dead_letter: int = 0
    cancelled: int = 0
    attempts: int = 0
    succeeded: int = 0
    answered: int = 0
    latency_sum_ms: int = 0
    latencies: Histogram = field(default_factory=Histogram, kw_only=True)
    reasons: dict[str, int] = field(default_factory=dict[str, int], kw_only=True)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The plain numbers, in the order of `NUMBERS`."""
        return (
            self.messages,
            self.filtered,
            self.deliveries,
            self.delivered,
            self.failed,
            self.dead_letter,
            self.cancelled,
            self.attempts,
            self.succeeded,
            self.answered,
            self.latency_sum_ms,
        )

    @property
    def finished(self) -> int:
        """Deliveries that were tried to their end."""
        return self.delivered + self.failed + self.dead_letter

    @property
    def pending(self) -> int:
        """Deliveries that have not ended."""
        return self.deliveries - self.finished - self.cancelled

    def ended(self, status: str, times: int = 1) -> None:
        """Deliveries have come to this status, if it is an end; -1: one has left it."""
        match status:
            case "delivered":
                self.delivered += times
            case "failed":
                self.failed += times
            case "dead_letter":
                self.dead_letter += times
            case "cancelled":
                self.cancelled += times
            case _:
                pass

    def attempted(
        self, failure_reason: str | None, status_code: int | None, latency_ms: int | None
    ) -> None:
        """One more attempt."""
        self.attempts += 1
        if failure_reason is None:
            self.succeeded += 1
        else:
            self.reasons[failure_reason] = self.reasons.get(failure_reason, 0) + 1
        if status_code is not None and latency_ms is not None:
            self.answered += 1
            self.latency_sum_ms += latency_ms
            self.latencies.count(latency_ms)

    def add(self, other: Counts) -> None:
        """Add what `other` has counted."""
        self.messages += other.messages
        self.filtered += other.filtered
        self.deliveries += other.deliveries
        self.delivered += other.delivered
        self.failed += other.failed
        self.dead_letter += other.dead_letter
        self.cancelled += other.cancelled
        self.attempts += other.attempts
        self.succeeded += other.succeeded
        self.answered += other.answered
        self.latency_sum_ms += other.latency_sum_ms
        self.latencies.add(other.latencies)
        for reason, number in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + number


NUMBERS = tuple(Counts.__dataclass_fields__)[:-2]


@dataclass(frozen=True, slots=True)
class Cell:
    """Counts of one event at one endpoint in the step that begins at `bucket`.

    `endpoint_id` is ANY for what belongs to a message and no endpoint.
    """

    bucket: int
    endpoint_id: str
    event_name: str
    counts: Counts

    def document(self) -> list[Any]:
        """As JSON; `cell_of` reads it."""
        c = self.counts
        return [
            self.bucket,
            self.endpoint_id,
            self.event_name,
            c.latencies.bins,
            c.reasons,
            *c.numbers,
        ]


def cell_of(document: Sequence[Any]) -> Cell:
    """The cell of which this is the document."""
    bucket, endpoint_id, event_name, latencies, reasons, *numbers = document
    counts = Counts(*numbers, latencies=Histogram.named(latencies), reasons=reasons)
    return Cell(bucket, endpoint_id, event_name, counts)


RollupKey = tuple[str, str, str, int, str, str, int]
"""The primary key of a row of `rollups`, in its order."""


EventHour = tuple[str, str, str, int]
"""Account, environment, app, and where an hour begins."""


def rollup_row(key: RollupKey, counts: Counts) -> tuple[object, ...]:
    """The values of a row of `rollups`, in the order of its columns."""
    return (*key, *counts.numbers, counts.latencies.text(), encode(counts.reasons))


def rollup_of(row: Sequence[Any]) -> tuple[RollupKey, Counts]:
    """Key and counts of such a row."""
    account_id, environment, app_id, step_ms, endpoint_id, event_name, bucket, *rest = row
    key = (account_id, environment, app_id, step_ms, endpoint_id, event_name, bucket)
    return key, counts_of(rest)


def counts_of(columns: Sequence[Any]) -> Counts:
    """The counts of a row without its key."""
    *numbers, latencies, reasons = columns
    return Counts(
        *numbers, latencies=Histogram.read(latencies), reasons=_REASONS.validate_json(reasons)
    )


encode = json.JSONEncoder(separators=(",", ":")).encode
"""As compact JSON text."""


def sum_of(many: Iterable[Counts]) -> Counts:
    """All of them together."""
    total = Counts()
    for each in many:
        total.add(each)
    return total
