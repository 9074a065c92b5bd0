"""Rate limits over several processes, and what they do without Redis."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import redis

from hookwright_server.clock import SystemClock
from hookwright_server.http.rate_limit import Policy
from hookwright_server.http.redis_rate_limit import RedisRateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from service_fixtures import RunningService, StartService

pytestmark = pytest.mark.needs_service("redis")

POLICY = Policy("key", 50, 60)
PROCESSES = 8
# A busy machine may let Redis wait; only what is about silence is about the limiter's patience.
PATIENT_S = 10.0


@pytest.fixture
def service(start_service: StartService) -> RunningService:
    """A Redis that the test may stop."""
    return start_service("redis")


@pytest.fixture
def limiters(service: RunningService) -> Iterator[list[RedisRateLimiter]]:
    """The limiters of several processes."""
    with _made(service, PATIENT_S) as made:
        yield made


@contextmanager
def _made(service: RunningService, patience_s: float) -> Generator[list[RedisRateLimiter]]:
    made = [
        RedisRateLimiter(service.url, SystemClock(), patience_s=patience_s)
        for _ in range(PROCESSES)
    ]
    try:
        yield made
    finally:
        for each in made:
            each.close()


def _granted(limiters: list[RedisRateLimiter], requests: int, subject: str = "k") -> int:
    """How many of `requests` requests, sent to each limiter at the same time, are granted."""

    def ask(limiter: RedisRateLimiter) -> int:
        return sum(not limiter.count(POLICY, subject).exceeded for _ in range(requests))

    with ThreadPoolExecutor(len(limiters)) as pool:
        return sum(pool.map(ask, limiters))


@contextmanager
def _stopped(service: RunningService) -> Generator[None]:
    os.kill(service.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(service.pid, signal.SIGCONT)


def _until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_processes_share_one_quota(limiters: list[RedisRateLimiter]) -> None:
    """Over all processes exactly the quota is granted in a window."""
    assert POLICY.quota == _granted(limiters, 20)


def test_requests_of_a_moment_share_an_exchange(service: RunningService) -> None:
    """Threads of one process that ask while an exchange is under way are counted by the next."""
    limiter = RedisRateLimiter(service.url, SystemClock(), patience_s=PATIENT_S)
    with redis.from_url(service.url) as client:
        with ThreadPoolExecutor(12) as pool, _stopped(service):
            asked = [pool.submit(limiter.count, POLICY, "k") for _ in range(12)]
            _until(lambda: threading.active_count() > 12)
        remaining = sorted(each.result().remaining for each in asked)
        calls = client.info("commandstats")["cmdstat_eval"]["calls"]  # pyright: ignore[reportUnknownMemberType] - its **kwargs
    limiter.close()

    assert (list(range(38, 50)), True) == (remaining, calls < 12)


def test_silent_redis_delays_once_and_bounds_the_grants(service: RunningService) -> None:
    """Without an answer each process goes on from what it knows, and at once after the first."""
    with _made(service, 0.05) as limiters:
        _until(lambda: all(each.answers() for each in limiters))
        granted = _granted(limiters, 2)
        with _stopped(service):
            began = time.monotonic()
            granted += _granted(limiters, 2 * POLICY.quota)
            took_s = time.monotonic() - began
        _until(lambda: all(each.answers() for each in limiters))

        assert POLICY.quota < granted <= POLICY.quota * PROCESSES
        assert took_s < POLICY.quota * 0.05  # half of what it takes when every request waits


def test_absent_redis_is_no_trouble(service: RunningService) -> None:
    """A process that starts without Redis counts for itself, and with it when it comes."""
    port, folder = service.port, service.folder
    service.stop()
    limiter = RedisRateLimiter(f"redis://:x@127.0.0.1:{port}/0", SystemClock())
    try:
        assert not folder.exists()
        assert (False, POLICY.quota) == (limiter.answers(), _granted([limiter], 60))
    finally:
        limiter.close()


def test_restarted_redis_counts_again(
    service: RunningService, start_service: StartService, limiters: list[RedisRateLimiter]
) -> None:
    """After a restart the processes find Redis again and share one quota."""
    password = service.url.split("@")[0].rpartition(":")[2]
    os.kill(service.pid, signal.SIGKILL)
    assert _granted(limiters, 1) == PROCESSES
    assert not any(each.answers() for each in limiters)

    start_service("redis", port=service.port, requirepass=password)
    _until(lambda: all(each.answers() for each in limiters))

    assert POLICY.quota == _granted(limiters, 20, "another")


def test_lost_connection_is_made_anew(service: RunningService) -> None:
    """A connection that Redis closes costs no request more than its count over all processes."""
    limiter = RedisRateLimiter(service.url, SystemClock(), patience_s=PATIENT_S)
    limiter.count(POLICY, "k")
    with redis.from_url(service.url) as client:
        client.execute_command("CLIENT KILL TYPE normal SKIPME yes")  # pyright: ignore[reportUnknownMemberType] - untyped

    assert 48 == limiter.count(POLICY, "k").remaining
    _until(limiter.answers)
    limiter.close()


def test_flushed_windows_do_not_refuse_more(
    service: RunningService, limiters: list[RedisRateLimiter]
) -> None:
    """FLUSHALL begins new windows; who was refused stays so to the end of the known window."""
    assert POLICY.quota == _granted(limiters, 20)
    assert 0 == _granted(limiters, 1)
    with redis.from_url(service.url) as client:
        client.flushall()  # pyright: ignore[reportUnknownMemberType] - its **kwargs

    assert 0 == _granted(limiters, 1)


def test_used_up_quota_asks_redis_no_more(service: RunningService) -> None:
    """A flood of refused requests costs Redis nothing."""
    limiter = RedisRateLimiter(service.url, SystemClock(), patience_s=PATIENT_S)
    _granted([limiter], 1000)
    with redis.from_url(service.url) as client:
        used = client.get("hookwright:limit:key:k")
    limiter.close()

    assert str(POLICY.quota).encode() == used


@pytest.mark.parametrize("url", ["", "http://x", "postgresql://x"])
def test_foreign_url_is_refused(url: str) -> None:
    """What is no URL of Redis is refused when the process starts."""
    with pytest.raises(ValueError, match="Redis URL must specify"):
        RedisRateLimiter(url, SystemClock())
