"""A bounded queue and the one thread that works on it."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

IDLE_SECONDS: Final = 5.0


class BackgroundQueue(Generic[T]):
    """
    Hands items to `work`, in order, in a thread of its own. `work` must not raise.

    The thread is started by the first item and ends when it has been idle for a while, so that a
    queue that nobody uses any more costs nothing.
    """

    def __init__(self, work: Callable[[T], None], most: int) -> None:
        self._work = work
        self._most = most
        self._closed = False
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew: in a forked child there is no thread, and what waits is the parent's."""
        self._changed = threading.Condition()
        self._waiting: deque[T] = deque()
        self._busy: list[T] = []
        self._thread: threading.Thread | None = None

    def put(self, item: T) -> bool:
        """False at once when the queue is full or closed."""
        with self._changed:
            if self._closed or len(self._waiting) >= self._most:
                return False
            self._waiting.append(item)
            self._changed.notify_all()
            return self._thread is not None or self._started()

    def flush(self, timeout: float | None) -> bool:
        """Wait until nothing is left; False when `timeout` seconds were not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def close(self, timeout: float | None) -> list[T]:
        """Take no more and flush. What is left is given back; the first of it may be under way."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.flush(timeout)
        with self._changed:
            left = [*self._busy, *self._waiting]
            self._waiting.clear()
            return left

    def _started(self) -> bool:
        self._thread = threading.Thread(target=self._run, name="hookwright-emitter", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads, or the interpreter is ending
            self._thread = None
            self._waiting.pop()
            return False
        return True

    def _run(self) -> None:
        while self._take():
            try:
                self._work(self._busy[0])
            finally:
                with self._changed:
                    self._busy.clear()
                    self._changed.notify_all()

    def _take(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, IDLE_SECONDS)
            if not self._waiting:
                self._thread = None
                return False
            self._busy.append(self._waiting.popleft())
            return True
