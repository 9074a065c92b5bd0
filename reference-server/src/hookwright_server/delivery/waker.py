"""Hints that deliveries may be due. A lost hint costs the time to the next poll, nothing more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

Listener = Callable[[], None]


class Waker(Protocol):
    """Carries hints from whoever makes deliveries due to the engines. Thread-safe."""

    def wake(self) -> None:
        """Tell every listener that something may be due now."""
        ...

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on each hint, on the waking thread; returns what ends that."""
        ...


class MemoryWaker:
    """Hints within one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()

    def wake(self) -> None:
        for listener in self._listeners:
            listener()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        with self._lock:
            self._listeners = (*self._listeners, listener)
        return lambda: self._unsubscribe(listener)

    def _unsubscribe(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known is not listener)
