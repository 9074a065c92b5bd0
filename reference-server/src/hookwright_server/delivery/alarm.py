"""When the engine looks again by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookwright_server.clock import Clock


class Alarm:
    """Calls `ring` once when the time has come; belongs to an event loop's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        longest_ms: int,
        ring: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._longest_ms = longest_ms
        self._ring = ring
        self._handle: asyncio.Handle | None = None
        self._rings_at = 0.0

    def set(self, due_at: int | None) -> None:
        """Ring when the next delivery falls due, and in any case after the longest time."""
        wait_ms = self._longest_ms
        if due_at is not None:
            wait_ms = min(wait_ms, self._wait_ms(due_at))
        self._ring_at(self._loop.time() + wait_ms / 1000)

    def set_before(self, due_at: int) -> None:
        """Ring at `due_at` unless it is set to ring earlier."""
        when = self._loop.time() + self._wait_ms(due_at) / 1000
        if self._handle is None or when < self._rings_at:
            self._ring_at(when)

    def cancel(self) -> None:
        """Do not ring."""
        if self._handle is not None:
            self._handle.cancel()

    def _wait_ms(self, due_at: int) -> int:
        return max(1, due_at - self._clock.now_ms() + 1)

    def _ring_at(self, when: float) -> None:
        self.cancel()
        # Its time is kept apart: what is due at once gets a handle without one from uvloop.
        self._handle = self._loop.call_at(when, self._ring)
        self._rings_at = when
