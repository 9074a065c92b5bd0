"""Rate limits of one process: exact fixed windows that begin with the first request."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from hookwright_server.clock import Clock
from hookwright_server.errors import Refusal

_MOST_WINDOWS = 100_000


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `quota` requests in each window of `window_s` seconds."""

    name: str
    quota: int
    window_s: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands in its window after this request."""

    policy: Policy
    remaining: int
    reset_s: int
    exceeded: bool

    def headers(self) -> dict[str, str]:
        """The headers that tell it: the usual three and the IETF draft's two."""
        policy = self.policy
        return {
            "X-RateLimit-Limit": str(policy.quota),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_s),
            "RateLimit": f'"{policy.name}";r={self.remaining};t={self.reset_s}',
            "RateLimit-Policy": f'"{policy.name}";q={policy.quota};w={policy.window_s}',
        }

    def require(self) -> None:
        """Refuse the request when it exceeds the quota."""
        if self.exceeded:
            policy = self.policy
            raise Refusal(
                "rate_limited",
                f"More than {policy.quota} requests in {policy.window_s} s ({policy.name}). "
                f"Repeat it in {self.reset_s} s.",
                retry_after_s=self.reset_s,
            )


class RateLimiter:
    """Counts requests by subject."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, ...], tuple[int, int]] = {}  # (ends at, used)

    def count(self, policy: Policy, *subject: str) -> Standing:
        """Count one request of `subject`; the standing says whether it was one too many."""
        now_ms = self._clock.now_ms()
        key = (policy.name, *subject)
        with self._lock:
            ends_at, used = self._windows.get(key, (0, 0))
            if now_ms >= ends_at:
                ends_at, used = now_ms + policy.window_s * 1000, 0
                if len(self._windows) >= _MOST_WINDOWS:
                    self._drop_ended(now_ms)
            used += 1
            self._windows[key] = (ends_at, used)
        return Standing(
            policy=policy,
            remaining=max(0, policy.quota - used),
            reset_s=-((now_ms - ends_at) // 1000),
            exceeded=used > policy.quota,
        )

    def _drop_ended(self, now_ms: int) -> None:
        self._windows = {k: v for k, v in self._windows.items() if v[0] > now_ms}
