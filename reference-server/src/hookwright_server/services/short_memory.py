"""What may be a moment old: kept so that not every request asks the database for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ShortMemory(Generic[K, V]):
    """Keeps values for `fresh_for_s` seconds, at most `most` of them. Thread-safe.

    When a value has grown old one caller reads it anew; the others go on with it meanwhile
    instead of all asking at once.
    """

    def __init__(
        self, fresh_for_s: float, most: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._fresh_for_s = fresh_for_s
        self._most = most
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: dict[K, tuple[float, V]] = {}
        self._generation = 0

    def get(self, key: K, load: Callable[[], V]) -> V:
        """The value of `key`, read by `load` unless it is fresh; None is not kept."""
        now = self._monotonic()
        entry = self._entries.get(key)
        if entry is not None and (now - entry[0] < self._fresh_for_s or not self._mine(key, now)):
            return entry[1]
        generation = self._generation
        try:
            value = load()
        except BaseException:
            self.forget(key)
            raise
        with self._lock:
            if value is None:
                self._entries.pop(key, None)
            elif generation == self._generation:  # else it may be from before the change
                if len(self._entries) >= self._most:
                    self._entries.clear()
                self._entries[key] = (now, value)
        return value

    def forget(self, key: K) -> None:
        """Read this one anew the next time."""
        with self._lock:
            self._generation += 1
            self._entries.pop(key, None)

    def forget_all(self) -> None:
        """Read every one anew the next time."""
        with self._lock:
            self._generation += 1
            self._entries.clear()

    def _mine(self, key: K, now: float) -> bool:
        """Whether the caller is the one who reads the old value of `key` anew."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return True
            if now - entry[0] < self._fresh_for_s:
                return False
            self._entries[key] = (now, entry[1])
            return True
