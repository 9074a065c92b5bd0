"""The test clock: moves time forward and waits until everything due by then has run."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Protocol

from hookwright_server.clock import TestClock
from hookwright_server.domain.instants import LATEST_MS
from hookwright_server.errors import Refusal, invalid

_FORM = re.compile(
    r"P(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_LONGEST_STEP_S = 60.0
# What is planned from here on still has a date.
_LATEST_MS = LATEST_MS - 365 * 86_400_000


class Deliverer(Protocol):
    """The part of the delivery engine that the test clock drives."""

    def next_due_at(self) -> int | None:
        """The next instant at which a delivery falls due."""
        ...

    def run_until_quiescent(self, timeout_s: float) -> bool:
        """Wait until nothing due is left; False if it took longer."""
        ...

    def do_chores(self, timeout_s: float) -> bool:
        """Erase what has run out; False if it took longer."""
        ...


class TestClockService:
    """`test_clock.advance`; without a test clock there is no such operation (404)."""

    __test__ = False

    def __init__(self, clock: TestClock | None, deliverer: Deliverer | None) -> None:
        self._clock = clock
        self._deliverer = deliverer

    def advance(self, duration: str) -> int:
        """Move by an ISO 8601 duration, stopping wherever something falls due; the new time.

        So an attempt that fails on the way is retried as late as it would be in real time.
        """
        clock, deliverer = self._clock, self._deliverer
        if clock is None or deliverer is None:
            raise Refusal(
                "not_found", "This server has no test clock. The operator switches it on."
            )
        until = clock.now_ms() + _milliseconds(duration)
        if until > _LATEST_MS:
            raise invalid("/advance", "maximum", "The clock does not go beyond the year 9998.")
        _settle(deliverer)
        while (due_at := deliverer.next_due_at()) is not None and due_at <= until:
            clock.advance_to(due_at)
            _settle(deliverer)
        clock.advance_to(until)
        _settle(deliverer)
        if not deliverer.do_chores(_LONGEST_STEP_S):
            raise _not_in_time("What has run out has not been erased within a minute.")
        return clock.now_ms()


def _settle(deliverer: Deliverer) -> None:
    if not deliverer.run_until_quiescent(_LONGEST_STEP_S):
        raise _not_in_time("The deliveries that fell due have not ended within a minute.")


def _not_in_time(what: str) -> Refusal:
    return Refusal("unavailable", f"{what} Ask again.", retry_after_s=5)


def _milliseconds(duration: str) -> int:
    found = _FORM.fullmatch(duration)
    parts = found.groupdict(default="0") if found else {}
    return timedelta(**{name: float(value) for name, value in parts.items()}) // timedelta(
        milliseconds=1
    )
