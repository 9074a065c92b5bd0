"""Rate limits: fixed windows that begin with the first request, counted by one process.

`redis_rate_limit` counts over all processes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hookwright_server.clock import Clock
from hookwright_server.errors import Refusal

_FIRST_SWEEP_AT = 100_000


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


class Counted(Protocol):
    """One request that has been counted, or is being counted."""

    @property
    def known(self) -> bool:
        """Whether its standing is known without waiting."""
        ...

    def standing(self) -> Standing:
        """Where the caller stands; this may wait a moment, and is the same each time."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A request whose standing is known."""

    value: Standing
    known: bool = True

    def standing(self) -> Standing:
        return self.value


class Several:
    """One request that may count several times: judged by the first, told by the last."""

    def __init__(self, count: Callable[[], Counted]) -> None:
        self._count = count
        self._last = count()

    @property
    def known(self) -> bool:
        return True  # it is judged before it is served

    def standing(self) -> Standing:
        return self._last.standing()

    def count_more(self, times: int) -> None:
        """Count it so many times more."""
        for _ in range(times):
            self._last = self._count()


class RateLimiter(Protocol):
    """Counts requests by subject."""

    def count(self, policy: Policy, *subject: str) -> Counted:
        """Count one request of `subject`; the standing says whether it was one too many."""
        ...


class ProcessRateLimiter:
    """Exact for what this process serves; each process grants the quota anew."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, ...], tuple[int, int]] = {}  # (ends at, used)
        self._sweep_at = _FIRST_SWEEP_AT

    def count(self, policy: Policy, *subject: str) -> Counted:
        return Known(self.count_now(policy, *subject))

    def count_now(self, policy: Policy, *subject: str) -> Standing:
        """The standing at once."""
        now_ms = self._clock.now_ms()
        key = (policy.name, *subject)
        with self._lock:
            ends_at, used = self._windows.get(key, (0, 0))
            if now_ms >= ends_at:
                ends_at, used = now_ms + policy.window_s * 1000, 0
            used += 1
            self._keep(key, ends_at, used, now_ms)
        return standing(policy, used, ends_at - now_ms)

    def learn(self, policy: Policy, subject: tuple[str, ...], used: int, left_ms: int) -> None:
        """Take over a window that others count too: it ends in `left_ms` milliseconds."""
        now_ms = self._clock.now_ms()
        with self._lock:
            self._keep((policy.name, *subject), now_ms + left_ms, used, now_ms)

    def exceeded(self, policy: Policy, *subject: str) -> Standing | None:
        """The standing of a subject whose quota is known to be used up; nothing is counted."""
        ends_at, used = self._windows.get((policy.name, *subject), (0, 0))
        left_ms = ends_at - self._clock.now_ms()
        return standing(policy, used + 1, left_ms) if used >= policy.quota and left_ms > 0 else None

    def _keep(self, key: tuple[str, ...], ends_at: int, used: int, now_ms: int) -> None:
        self._windows[key] = (ends_at, used)
        if len(self._windows) > self._sweep_at:
            self._windows = {k: v for k, v in self._windows.items() if v[0] > now_ms}
            self._sweep_at = max(_FIRST_SWEEP_AT, 2 * len(self._windows))


def standing(policy: Policy, used: int, left_ms: int) -> Standing:
    """Where the caller of request number `used` stands, `left_ms` before the window's end."""
    return Standing(
        policy=policy,
        remaining=max(0, policy.quota - used),
        reset_s=-(-left_ms // 1000),
        exceeded=used > policy.quota,
    )
