"""What may be a moment old: kept so that not every request asks the database for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V
    read_at: float
    asked_at: float
    """When somebody last began to read it."""


class ShortMemory(Generic[K, V]):
    """Keeps values for `fresh_for_s` seconds, at most `most` of them. Thread-safe.

    When a value has grown old one caller reads it anew; the others go on with it meanwhile
    instead of all asking at once, but never longer than for the same time again.
    """

    def __init__(
        self, fresh_for_s: float, most: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._fresh_for_s = fresh_for_s
        self._most = most
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: dict[K, _Entry[V]] = {}
        self._generation = 0
        self._forgotten: dict[K, int] = {}  # how often, each apart from all others

    def get(self, key: K, load: Callable[[], V]) -> V:
        """The value of `key`, read by `load` unless it is fresh; None is not kept."""
        now = self._monotonic()
        entry = self._entries.get(key)
        if entry is None or not self._is_fresh(entry, now):
            entry = self._still_good(key, now)
        if entry is not None:
            return entry.value
        generation = self._generation_of(key)
        try:
            value = load()
        except BaseException:
            self.forget(key)
            raise
        with self._lock:
            if value is None:
                self._entries.pop(key, None)
            elif generation == self._generation_of(key):  # else it may be from before the change
                self._keep(key, _Entry(value, read_at=now, asked_at=now))
        return value

    def forget(self, key: K) -> None:
        """Read this one anew the next time."""
        with self._lock:
            if len(self._forgotten) >= self._most:
                self._forgotten.clear()
                self._generation += 1
            self._forgotten[key] = self._forgotten.get(key, 0) + 1
            self._entries.pop(key, None)

    def forget_all(self) -> None:
        """Read every one anew the next time."""
        with self._lock:
            self._generation += 1
            self._entries.clear()

    def _generation_of(self, key: K) -> tuple[int, int]:
        return self._generation, self._forgotten.get(key, 0)

    def _is_fresh(self, entry: _Entry[V], now: float) -> bool:
        return now - entry.read_at < self._fresh_for_s

    def _still_good(self, key: K, now: float) -> _Entry[V] | None:
        """What another caller reads anew or has just read; None: the caller is to read it."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or now - entry.read_at >= 2 * self._fresh_for_s:
                return None
            if now - entry.asked_at < self._fresh_for_s:
                return entry
            entry.asked_at = now
            return None

    def _keep(self, key: K, entry: _Entry[V]) -> None:
        known = self._entries.get(key)
        if known is not None and known.read_at > entry.read_at:
            return  # reading it took so long that another caller has read it since
        if len(self._entries) >= self._most:
            self._entries.clear()
        self._entries[key] = entry
