"""Time, handed in. Instants are integer milliseconds since the Unix epoch, UTC."""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_OFFSET_BYTES = 8


class Clock(Protocol):
    """What the server asks for the time."""

    def now_ms(self) -> int:
        """The present instant in milliseconds since the Unix epoch."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class TestClock:
    """The machine's clock plus an offset that only grows (`POST /_test/clock`)."""

    __test__ = False

    def __init__(self, base: Clock, shared: int | None = None) -> None:
        """`shared`: the file of `shared_offset`. Every process that has it sees the same time."""
        self._base = base
        memory = bytearray(_OFFSET_BYTES) if shared is None else mmap.mmap(shared, _OFFSET_BYTES)
        self._offset_ms = memoryview(memory).cast("q")
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        return self._base.now_ms() + self._offset_ms[0]

    def advance_to(self, instant_ms: int) -> None:
        """Move to `instant_ms`; an instant in the past changes nothing. In one process only."""
        with self._lock:
            self._offset_ms[0] = max(self._offset_ms[0], instant_ms - self._base.now_ms())


def shared_offset() -> int:
    """A file descriptor of memory that the test clocks of several processes can share."""
    with tempfile.TemporaryFile() as file:
        file.truncate(_OFFSET_BYTES)
        return os.dup(file.fileno())


class SteadyClock:
    """The machine's clock as it was at the start, carried on by its monotonic one.

    For lengths of time and for the log: nobody compares it with another machine's.
    """

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ms(self) -> int:
        return (time.monotonic_ns() + self._offset_ns) // 1_000_000


class FollowingClock:
    """The clock that it is told to follow; none of its own, so that it cannot be wrong."""

    def __init__(self, before: Callable[[], Clock]) -> None:
        """`before` is asked each time until there is a clock to follow; it may raise."""
        self._followed = before

    def now_ms(self) -> int:
        return self._followed().now_ms()

    def follow(self, clock: Clock) -> None:
        """Show what `clock` shows from now on."""
        self._followed = lambda: clock


@dataclass(frozen=True, slots=True)
class ClockSample:
    """One look at another clock, from `asked_ns` to `answered_ns` of the monotonic one.

    `epoch_us`: what it showed at some instant in between, microseconds since the Unix epoch.
    """

    asked_ns: int
    epoch_us: int
    answered_ns: int

    @property
    def round_trip_ns(self) -> int:
        """How far the two instants may lie apart, in both directions together."""
        return self.answered_ns - self.asked_ns

    @property
    def offset_ns(self) -> int:
        """What to add to the monotonic clock, taken in the middle of the round trip."""
        return self.epoch_us * 1000 - (self.asked_ns + self.answered_ns) // 2

    def agrees_with(self, other: ClockSample) -> bool:
        """Whether both may have looked at one steady clock."""
        apart = abs(self.offset_ns - other.offset_ns)
        between = abs(self.answered_ns - other.answered_ns)
        return apart * 2 <= self.round_trip_ns + other.round_trip_ns + between // _DRIFT


_DRIFT = 1_000  # two clocks that are kept right come apart by less than a thousandth
_KEPT_NS = 60 * 1_000_000_000
_FIRST_SAMPLES = 5


class DatabaseClock:
    """The database's clock, carried on by this machine's monotonic one between looks at it.

    So all processes of a database agree on the time, and a wall clock that jumps on one machine
    changes nothing. Of the samples of the last minute the one with the shortest round trip
    counts; when the newest contradicts it, the database's clock was set, and older ones go.
    """

    def __init__(
        self,
        sample: Callable[[], ClockSample],
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Looks a few times. Raises what `sample` raises."""
        self._sample = sample
        self._monotonic_ns = monotonic_ns
        self._lock = threading.Lock()
        self._samples: tuple[ClockSample, ...] = ()
        self._offset_ns = 0
        for _ in range(_FIRST_SAMPLES):
            self.measure()

    def now_ms(self) -> int:
        return (self._monotonic_ns() + self._offset_ns) // 1_000_000

    def measure(self) -> None:
        """Look again; to be called every few seconds. Raises what `sample` raises."""
        new = self._sample()
        with self._lock:
            kept = (
                one
                for one in self._samples
                if new.answered_ns - one.answered_ns <= _KEPT_NS and new.agrees_with(one)
            )
            self._samples = (*kept, new)
            self._offset_ns = min(self._samples, key=_round_trip).offset_ns


def _round_trip(sample: ClockSample) -> int:
    return sample.round_trip_ns
