"""What can be measured, as the measured parts see it. Labels are bounded: no ids of tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

LostLease = Literal["interrupted", "session_lost", "stale_completion"]
"""A dead session's attempt, those of a session of ours that was declared dead, a late result."""

Limit = Literal["app", "ingest_queue", "key"]
"""Which limit refused a request: a rate of the app or the key, or the wait for the writer."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The pending deliveries of the whole database, whichever process asks.

    `due` ones can be sent now, `scheduled` ones wait for their time, `held` ones for their
    endpoint to be enabled. `oldest_due_at` (epoch ms) is None when nothing is due.
    """

    due: int
    scheduled: int
    held: int
    oldest_due_at: int | None


class RequestMeter(Protocol):
    """The API. Durations are seconds."""

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """A request was answered; `operation` is an operation id, or `none` without one."""
        ...

    def refused(self, limit: Limit) -> None:
        """A request was refused by a limit."""
        ...

    def accepted(self, deliveries: int) -> None:
        """A message was committed with so many deliveries."""
        ...


class WriterMeter(Protocol):
    """The group commit."""

    def committed(self, jobs: int, waiting: int, seconds: float) -> None:
        """A group of `jobs` was committed; `waiting` jobs had queued meanwhile."""
        ...


class DeliveryMeter(Protocol):
    """The engine."""

    def claimed(self, deliveries: int, seconds: float) -> None:
        """A claim took so many deliveries, and so long, the wait for the writer included."""
        ...

    def recorded(
        self, outcomes: Mapping[str, int], durations: Sequence[float], delays: Sequence[float]
    ) -> None:
        """A batch of attempts was recorded: how many of each outcome, how long each took.

        `delays` are the seconds from acceptance to the start of those that were first attempts.
        """
        ...

    def in_flight(self, deliveries: int) -> None:
        """So many deliveries are between claim and record now."""
        ...

    def lost(self, cause: LostLease, leases: int) -> None:
        """So many leases were lost."""
        ...

    def disabled(self, reason: str) -> None:
        """An endpoint was disabled by its failures."""
        ...


class RedisMeter(Protocol):
    """What uses Redis."""

    def redis_failed(self, use: str) -> None:
        """A call failed and was done without; `use`: waker, limiter or worker."""
        ...


class Meters(RequestMeter, WriterMeter, DeliveryMeter, RedisMeter, Protocol):
    """All of them."""


class _Silent:
    """Measures nothing."""

    def answered(self, operation: str, status: int, seconds: float) -> None:
        pass

    def refused(self, limit: Limit) -> None:
        pass

    def accepted(self, deliveries: int) -> None:
        pass

    def committed(self, jobs: int, waiting: int, seconds: float) -> None:
        pass

    def claimed(self, deliveries: int, seconds: float) -> None:
        pass

    def recorded(
        self, outcomes: Mapping[str, int], durations: Sequence[float], delays: Sequence[float]
    ) -> None:
        pass

    def in_flight(self, deliveries: int) -> None:
        pass

    def lost(self, cause: LostLease, leases: int) -> None:
        pass

    def disabled(self, reason: str) -> None:
        pass

    def redis_failed(self, use: str) -> None:
        pass


SILENT: Meters = _Silent()
"""For when nobody looks."""
