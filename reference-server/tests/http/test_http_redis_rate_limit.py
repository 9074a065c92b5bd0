"""Rate limits over several processes, and what they do without Redis."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import redis
from http_lab import Document, Lab, OpenLab

from hookwright_server import wiring
from hookwright_server.clock import Clock, SystemClock
from hookwright_server.http import redis_rate_limit
from hookwright_server.http.rate_limit import Policy
from hookwright_server.http.redis_rate_limit import RedisRateLimiter
from hookwright_server.http.redis_wire import Wire, wires

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from service_fixtures import RunningService, StartService

pytestmark = pytest.mark.needs_service("redis")

POLICY = Policy("key", 50, 60)
PROCESSES = 8
EVENT: Document = {"event_name": "order.paid", "payload": {}}
TO_NOBODY: Document = {**EVENT, "endpoint_ids": ["ep_00000000000000000000000000"]}
UseUp = Callable[[str], object]
# A busy machine may let Redis wait; only what is about silence is about the limiter's patience.
PATIENT_S = 60.0


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
        return sum(not limiter.count(POLICY, subject).standing().exceeded for _ in range(requests))

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
    give_up_at = time.monotonic() + 60
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
            asked = [pool.submit(limiter.count(POLICY, "k").standing) for _ in range(12)]
        remaining = sorted(each.result().remaining for each in asked)
        calls = client.info("commandstats")["cmdstat_eval"]["calls"]  # pyright: ignore[reportUnknownMemberType] - its **kwargs
    limiter.close()

    assert (list(range(38, 50)), True) == (remaining, calls < 12)


def test_silent_redis_delays_once_and_bounds_the_grants(service: RunningService) -> None:
    """Without an answer each process goes on from what it knows, and at once after the first."""
    silence_s = 0.5
    with _made(service, silence_s) as limiters:
        _until(lambda: all(each.answers() for each in limiters))
        granted = _granted(limiters, 2)
        with _stopped(service):
            began = time.monotonic()
            granted += _granted(limiters, 2 * POLICY.quota)
            took_s = time.monotonic() - began
        _until(lambda: all(each.answers() for each in limiters))

        assert POLICY.quota < granted <= POLICY.quota * PROCESSES
        assert took_s < POLICY.quota * silence_s  # half of what it takes when every one waits


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


def test_connections_may_be_lost_for_ever() -> None:
    """However many were lost, there is another."""
    make = wires("redis://127.0.0.1:1/0", PATIENT_S)
    made = [make() for _ in range(300)]

    assert 300 == len(set(map(id, made)))


def test_lost_connection_is_made_anew(service: RunningService) -> None:
    """A connection that Redis closes costs no request more than its count over all processes."""
    limiter = RedisRateLimiter(service.url, SystemClock(), patience_s=PATIENT_S)
    limiter.count(POLICY, "k").standing()
    with redis.from_url(service.url) as client:
        client.execute_command("CLIENT KILL TYPE normal SKIPME yes")  # pyright: ignore[reportUnknownMemberType] - untyped

    assert 48 == limiter.count(POLICY, "k").standing().remaining
    _until(limiter.answers)
    limiter.close()


def test_question_of_a_lost_exchange_is_counted_here(service: RunningService) -> None:
    """Who asks only when Redis is back, after another's exchange for both was lost, is answered."""
    limiter = RedisRateLimiter(service.url, SystemClock())
    _until(limiter.answers)
    with _stopped(service):
        first, second = (limiter.count(POLICY, "k") for _ in range(2))
        first.standing()
    _until(limiter.answers)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(second.standing)
        try:
            remaining = asked.result(60).remaining
        finally:
            limiter.close()

    assert 48 == remaining


class _Peer:
    """What the limiter connects to, once: it logs in, and then hears what the test writes."""

    def __init__(self) -> None:
        self._here, self.there = socket.socketpair()
        self.there.sendall(b"+PONG\r\n")
        self._has_connected = False

    def connect(self) -> None:
        if self._has_connected:
            raise ConnectionRefusedError
        self._has_connected = True

    def disconnect(self) -> None:
        self._here.close()

    def _get_socket(self) -> socket.socket:
        return self._here


def test_peer_that_speaks_otherwise_is_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are no answer of Redis end the connection; the process counts for itself."""
    peer = _Peer()

    def wires(_url: str, patience_s: float) -> Callable[[], Wire]:
        return lambda: Wire(peer, patience_s)

    monkeypatch.setattr(redis_rate_limit, "wires", wires)
    limiter = RedisRateLimiter("redis://x", SystemClock())
    question = limiter.count(POLICY, "k")
    with peer.there:
        peer.there.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        remaining = question.standing().remaining
    still_up = limiter.answers()
    limiter.close()

    assert (49, False) == (remaining, still_up)


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


@pytest.fixture
def limited(
    new_lab: OpenLab, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Lab, UseUp]]:
    """A server that counts in Redis, and who uses up an app's quota in another process."""
    limiter = RedisRateLimiter(redis_url, SystemClock(), patience_s=PATIENT_S)
    monkeypatch.setattr(wiring, "ProcessRateLimiter", partial(_given, limiter))
    with redis.from_url(redis_url) as client:
        yield (
            new_lab(messages_per_second=5),
            lambda app_id: client.set(f"hookwright:limit:app:{app_id}", 5, px=30_000),
        )
    limiter.close()


def _given(limiter: RedisRateLimiter, _clock: Clock) -> RedisRateLimiter:
    return limiter


def test_publishers_share_the_quota(limited: tuple[Lab, UseUp]) -> None:
    """What another process granted counts here: 429 with the window's end, and nothing written."""
    lab, use_up = limited
    app = lab.client.new_app()
    granted = lab.client.post(f"/v1/apps/{app['slug']}/trigger", EVENT)
    before = lab.snapshot("idempotency_keys")
    use_up(app["id"])

    refused = lab.client.post(f"/v1/apps/{app['slug']}/trigger", EVENT)

    assert (202, "4") == (granted.status, granted.headers["x-ratelimit-remaining"])
    assert (429, "rate_limited") == (refused.status, refused.code)
    assert 28 < int(refused.headers["retry-after"]) <= 30
    assert f'"app";r=0;t={refused.headers["retry-after"]}' == refused.headers["ratelimit"]
    assert before == lab.snapshot("idempotency_keys")


@pytest.mark.parametrize("body", [{"event_name": "order.paid"}, TO_NOBODY])
def test_used_up_quota_comes_before_other_refusals(
    limited: tuple[Lab, UseUp], body: Document
) -> None:
    """A request that would be refused anyway is told about its quota first."""
    lab, use_up = limited
    app = lab.client.new_app()
    use_up(app["id"])

    assert "rate_limited" == lab.client.post(f"/v1/apps/{app['slug']}/trigger", body).code


@pytest.mark.parametrize("body", [EVENT, TO_NOBODY])
def test_idempotency_key_keeps_no_429(limited: tuple[Lab, UseUp], body: Document) -> None:
    """A request refused for its quota uses up no idempotency key."""
    lab, use_up = limited
    app = lab.client.new_app()
    before = lab.snapshot()
    use_up(app["id"])

    answer = lab.client.post(f"/v1/apps/{app['slug']}/trigger", body, idempotency_key="one")

    assert (429, before) == (answer.status, lab.snapshot())
