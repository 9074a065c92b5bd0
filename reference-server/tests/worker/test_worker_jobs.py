"""The RQ side of a worker, with an engine that only says when it may claim."""

# pyright: reportUnknownMemberType=false
# redis is typed in part only.
from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from redis import Redis
from rq import Queue
from rq.registry import StartedJobRegistry
from service_fixtures import StartService

from hookwright_server.delivery.jobs import QUEUE, DrainQueue, Resident, drain, work_on
from hookwright_server.delivery.redis_waker import RedisWaker, connect

pytestmark = pytest.mark.needs_service("redis")

_PATIENCE_S = 240.0


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


@dataclass
class _Engine:
    """Notes when it is resumed and paused."""

    claims: bool = False
    slices: int = 0
    longest_pause_s: float = 0.0
    _paused_at: float = field(default_factory=time.monotonic)

    def resume(self) -> None:
        if self.slices:
            self.longest_pause_s = max(self.longest_pause_s, time.monotonic() - self._paused_at)
        self.claims = True
        self.slices += 1

    def pause(self) -> None:
        self.claims = False
        self._paused_at = time.monotonic()


def _has_had_more_than(slices: int, engine: _Engine) -> bool:
    return engine.slices > slices


@contextmanager
def _working(url: str, *, slice_s: float = 0.3, timeout_s: float = 1.0) -> Generator[_Engine]:
    engine, stopping = _Engine(), threading.Event()
    redis = connect(url, timeout_s=timeout_s)
    resident = Resident(engine, RedisWaker(redis, lambda: None), stopping, slice_s)
    thread = threading.Thread(target=work_on, args=(redis, resident))
    thread.start()
    try:
        yield engine
    finally:
        stopping.set()
        thread.join(_PATIENCE_S)
        assert not thread.is_alive()
        assert not engine.claims


def _queue(redis: Redis) -> Queue:
    return DrainQueue(redis).rq


def test_jobs_carry_nothing(redis_url: str) -> None:
    """A job is the name of what to do, as JSON: no data that could be lost, leaked or stale."""
    redis = connect(redis_url)
    DrainQueue(redis).ask_for_drain()
    [job] = _queue(redis).jobs
    stored = cast("dict[bytes, bytes]", redis.hgetall(job.key))

    assert ["hookwright_server.delivery.jobs.drain", None, [], {}] == json.loads(
        zlib.decompress(stored[b"data"])
    )


def test_asking_often_leaves_one_job(redis_url: str) -> None:
    """While one waits, no other is added."""
    drains = DrainQueue(connect(redis_url))

    for _ in range(50):
        drains.ask_for_drain()

    assert 1 == drains.rq.count


def test_a_drain_needs_the_engine() -> None:
    """RQ's own command cannot run it, and says what can."""
    with pytest.raises(RuntimeError, match="hookwright-server worker"):
        drain()


def test_one_slice_follows_the_other(redis_url: str) -> None:
    """Each is a job of its own; between them the engine rests for a moment only."""
    redis = connect(redis_url)
    with _working(redis_url) as engine:
        _until(lambda: engine.slices >= 4)

    assert engine.longest_pause_s < 30.0
    assert 0 == _queue(redis).failed_job_registry.count


def test_a_suspended_worker_claims_nothing(redis_url: str) -> None:
    """`rq suspend` holds it, as every worker of RQ, when the slice ends."""
    redis = connect(redis_url)
    with _working(redis_url) as engine:
        _until(lambda: engine.claims)
        redis.set("rq:suspended", 1)
        _until(lambda: redis.get("hookwright:drained") is None and not engine.claims)
        slices = engine.slices
        redis.delete("rq:suspended")
        _until(lambda: engine.slices > slices)


def test_a_suspended_worker_ends_when_told(redis_url: str) -> None:
    """`rq suspend` keeps no process from stopping, and it leaves no worker behind in Redis."""
    redis = connect(redis_url)
    with _working(redis_url) as engine:
        _until(lambda: engine.claims)
        redis.set("rq:suspended", 1)
        [key] = cast("list[bytes]", redis.keys("rq:worker:*"))
        _until(lambda: redis.hget(key, "state") == b"suspended")
        began = time.monotonic()
    took_s = time.monotonic() - began

    assert took_s < 30.0
    assert not redis.smembers("rq:workers")


def test_a_worker_that_stops_does_not_claim_once_more(redis_url: str) -> None:
    """Told to stop while idle, it ends without another slice: its engine may be gone already."""
    engine, stopping = _Engine(), threading.Event()
    redis = connect(redis_url)
    redis.set("rq:suspended", 1)
    resident = Resident(engine, RedisWaker(redis, lambda: None), stopping, 0.1)
    thread = threading.Thread(target=work_on, args=(redis, resident))
    thread.start()
    _until(lambda: redis.smembers("rq:workers"))
    stopping.set()
    thread.join(_PATIENCE_S)

    assert not thread.is_alive()
    assert 0 == engine.slices


def test_nothing_is_left_behind(redis_url: str) -> None:
    """After some slices, Redis holds no finished, failed or started job."""
    redis = connect(redis_url)
    with _working(redis_url, slice_s=0.1) as engine:
        _until(lambda: engine.slices >= 5)
    jobs = redis.keys("rq:job:*")

    assert _queue(redis).count >= len(cast("list[bytes]", jobs))
    assert [] == redis.keys("rq:wip:*")
    assert b"rq:workers" not in cast("list[bytes]", redis.keys("*"))


def test_flushall_costs_seconds(redis_url: str) -> None:
    """Slices go on, whatever moment it comes at."""
    redis = connect(redis_url)
    with _working(redis_url) as engine:
        for _ in range(10):
            slices = engine.slices
            redis.flushdb()
            _until(partial(_has_had_more_than, slices, engine))

    assert engine.longest_pause_s < 30.0


def test_abandoned_jobs_are_cleaned_away(redis_url: str) -> None:
    """What a killed worker was at is no started job for ever."""
    redis = connect(redis_url)
    registry = StartedJobRegistry(QUEUE, connection=redis)
    redis.zadd(registry.key, {"job:execution": time.time() - 1})
    with _working(redis_url):
        _until(lambda: redis.zscore(registry.key, "job:execution") is None)


def test_a_worker_begins_without_redis(tmp_path: Path, start_service: StartService) -> None:
    """It delivers by looking, and becomes an RQ worker when Redis comes."""
    folder = tmp_path / "redis"
    gone = start_service("redis", folder=folder)
    gone.stop()
    with _working(gone.url) as engine:
        _until(lambda: engine.claims)
        slices = engine.slices
        start_service("redis", folder=folder, port=gone.port)
        workers = connect(gone.url)
        _until(lambda: workers.smembers("rq:workers"))
        _until(lambda: engine.slices > slices + 2)


def test_a_killed_redis_does_not_end_the_delivering(
    tmp_path: Path, start_service: StartService
) -> None:
    """The slice goes on until it is back, and then jobs run again."""
    folder = tmp_path / "redis"
    first = start_service("redis", folder=folder)
    with _working(first.url) as engine:
        _until(lambda: engine.slices >= 2)
        first.stop()
        time.sleep(1.5)  # several slices long
        _until(lambda: engine.claims)
        start_service("redis", folder=folder, port=first.port)
        slices = engine.slices
        _until(lambda: engine.slices >= slices + 3)

    assert engine.longest_pause_s < 30.0
