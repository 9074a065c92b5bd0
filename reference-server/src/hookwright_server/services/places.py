"""Places for work that keeps a request thread waiting: few in all, fewer for one account."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from hookwright_server.errors import Refusal


class Places:
    """At most `in_all` at a time, at most `for_one` of the same account."""

    def __init__(self, in_all: int, for_one: int, refusal: str) -> None:
        """`refusal` says, as a sentence, what there is too much of."""
        self._refusal = refusal
        self._in_all = in_all
        self._for_one = for_one
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, account_id: str) -> Generator[None]:
        """Hold a place; `unavailable` when none is free."""
        self._take(account_id)
        try:
            yield
        finally:
            with self._lock:
                self._taken[account_id] -= 1
                self._taken += Counter()  # drops accounts that hold none

    def _take(self, account_id: str) -> None:
        with self._lock:
            if self._taken.total() >= self._in_all or self._taken[account_id] >= self._for_one:
                raise Refusal(
                    "unavailable",
                    f"{self._refusal} Repeat it in a moment.",
                    retry_after_s=1,
                )
            self._taken[account_id] += 1
