"""Time, handed in. Instants are integer milliseconds since the Unix epoch, UTC."""

from __future__ import annotations

import threading
import time
from typing import Protocol


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

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._offset_ms = 0
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        return self._base.now_ms() + self._offset_ms

    def advance_to(self, instant_ms: int) -> None:
        """Move to `instant_ms`; an instant in the past changes nothing."""
        with self._lock:
            self._offset_ms = max(self._offset_ms, instant_ms - self._base.now_ms())
