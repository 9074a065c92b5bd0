"""What every rate limiter does: of one process, and over all of them with Redis."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import pytest

from hookwright_server.clock import SystemClock
from hookwright_server.errors import Refusal
from hookwright_server.http.rate_limit import Policy, ProcessRateLimiter, RateLimiter
from hookwright_server.http.redis_rate_limit import RedisRateLimiter

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = Policy("key", 3, 60)
SECOND = Policy("app", 5, 1)


class Wait(Protocol):
    """Lets a little more than that many seconds pass for the limiter."""

    def __call__(self, seconds: float) -> None: ...


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000_000_123

    def now_ms(self) -> int:
        return self.now


def _in_process() -> tuple[RateLimiter, Wait]:
    clock = HandClock()

    def wait(seconds: float) -> None:
        clock.now += int(seconds * 1000) + 1

    return ProcessRateLimiter(clock), wait


@pytest.fixture(params=["process", pytest.param("redis", marks=pytest.mark.needs_service("redis"))])
def limited(request: pytest.FixtureRequest) -> Iterator[tuple[RateLimiter, Wait]]:
    """A limiter, and how time passes for it: Redis' own clock cannot be moved."""
    if request.param == "process":
        yield _in_process()
        return
    url = request.getfixturevalue("redis_url")
    limiter = RedisRateLimiter(url, SystemClock(), patience_s=60)
    yield limiter, lambda seconds: time.sleep(seconds + 0.01)
    limiter.close()


@pytest.fixture
def limiter(limited: tuple[RateLimiter, Wait]) -> RateLimiter:
    """The limiter alone."""
    return limited[0]


def test_quota_is_granted_and_no_more(limiter: RateLimiter) -> None:
    """A window grants its quota, tells what is left, and refuses the rest."""
    standings = [limiter.count(MINUTE, "k").standing() for _ in range(5)]

    expected = [(2, False), (1, False), (0, False), (0, True), (0, True)]
    assert expected == [(each.remaining, each.exceeded) for each in standings]


def test_window_begins_with_the_first_request(limited: tuple[RateLimiter, Wait]) -> None:
    """The reset counts down from the window's length; after it the quota is there anew."""
    limiter, wait = limited
    first = [limiter.count(SECOND, "a").standing() for _ in range(6)]

    wait(first[-1].reset_s)

    assert ([1] * 6, True) == ([each.reset_s for each in first], first[-1].exceeded)
    fresh = limiter.count(SECOND, "a").standing()
    assert (4, 1, False) == (fresh.remaining, fresh.reset_s, fresh.exceeded)


def test_subjects_and_policies_are_apart(limiter: RateLimiter) -> None:
    """One subject's requests are none of another's, nor of another policy's."""
    for _ in range(4):
        limiter.count(MINUTE, "one").standing()

    others = (limiter.count(MINUTE, "two").standing(), limiter.count(SECOND, "one").standing())
    assert [2, 4] == [each.remaining for each in others]


def test_quota_may_change_within_a_window(limiter: RateLimiter) -> None:
    """A quota that is raised or lowered holds at once, for what the window has granted."""
    limiter.count(MINUTE, "k").standing()
    limiter.count(MINUTE, "k").standing()

    lowered = limiter.count(Policy("key", 2, 60), "k").standing()
    raised = limiter.count(Policy("key", 10, 60), "k").standing()

    assert [True, False] == [lowered.exceeded, raised.exceeded]


def test_many_threads_get_exactly_the_quota(limiter: RateLimiter) -> None:
    """However many ask at the same time, exactly the quota is granted, each number once."""
    policy = Policy("key", 100, 60)
    remaining: Counter[int] = Counter()
    barrier = threading.Barrier(16)

    def ask() -> None:
        barrier.wait(60)
        granted = [
            each for _ in range(25) if not (each := limiter.count(policy, "k").standing()).exceeded
        ]
        remaining.update(each.remaining for each in granted)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert dict.fromkeys(range(100), 1) == dict(remaining)


def test_headers_and_refusal_tell_the_standing(limiter: RateLimiter) -> None:
    """The headers have the forms of the draft, and Retry-After never ends before the window."""
    standings = [limiter.count(MINUTE, "k").standing() for _ in range(4)]

    headers = standings[-1].headers()
    assert '"key";q=3;w=60' == headers["RateLimit-Policy"]
    assert re.fullmatch(r'"key";r=0;t=(5\d|60)', headers["RateLimit"])
    assert ("3", "0") == (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"])
    standings[2].require()
    with pytest.raises(Refusal, match=r"More than 3 requests in 60 s \(key\)") as refusal:
        standings[3].require()
    assert standings[3].reset_s == refusal.value.retry_after_s
