"""What only the waker through Redis has to do: keep working without it, and see that one drains."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from delivery_lab import eventually
from redis import Redis
from service_fixtures import StartService

from hookwright_server.delivery import redis_waker
from hookwright_server.delivery.redis_waker import RedisWaker, connect

pytestmark = pytest.mark.needs_service("redis")

_SILENCE_S = 0.2


@pytest.fixture
def black_hole() -> Iterator[str]:
    """The URL of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _holds(redis: Redis, hints: int) -> bool:
    return int(redis.llen("hookwright:hints")) >= hints


def test_hints_do_not_pile_up(redis_url: str) -> None:
    """With nobody to take them, a few are kept."""
    redis = connect(redis_url)
    waker = RedisWaker(redis, lambda: None)
    waker.start()
    for pushed in range(60):
        waker.wake()
        eventually(partial(_holds, redis, min(pushed + 1, 32)))
    waker.close()

    assert 32 == redis.llen("hookwright:hints")


def test_a_drain_is_asked_for_while_nobody_drains(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the first hint at once, and not again by each of the following."""
    monkeypatch.setattr(redis_waker, "_ASK_EVERY_S", 3600.0)  # whatever the machine does meanwhile
    asked: list[None] = []
    waker = RedisWaker(connect(redis_url), lambda: asked.append(None))
    waker.start()
    waker.wake()
    eventually(lambda: bool(asked))
    for _ in range(20):
        waker.wake()
        time.sleep(0.002)  # lets each be pushed
    waker.close()

    assert 1 == len(asked)


def test_no_drain_is_asked_for_while_one_receives(redis_url: str) -> None:
    """Whoever receives says that it drains."""
    asked: list[None] = []
    receiving = RedisWaker(connect(redis_url), lambda: None)
    assert receiving.receive(0.01)
    waker = RedisWaker(connect(redis_url), lambda: asked.append(None))
    waker.start()
    waker.wake()
    heard = threading.Event()
    receiving.subscribe(heard.set)
    eventually(lambda: receiving.receive(0.05) and heard.is_set())
    waker.close()

    assert [] == asked


def test_a_silent_redis_slows_nobody(black_hole: str) -> None:
    """A thousand hints into a black hole cost no time, and the waker still closes."""
    waker = RedisWaker(connect(black_hole, timeout_s=_SILENCE_S), lambda: None)
    waker.start()
    began = time.monotonic()
    for _ in range(1_000):
        waker.wake()
    took_s = time.monotonic() - began
    eventually(lambda: not waker.answers())
    waker.close()

    assert took_s < 100 * _SILENCE_S  # a thousand waits would be ten times that


def test_receiving_from_a_silent_redis_ends(black_hole: str) -> None:
    """It is false instead of waiting for ever."""
    waker = RedisWaker(connect(black_hole, timeout_s=0.1), lambda: None)

    assert not waker.receive(0.05)


def test_an_owed_hint_is_given_when_redis_comes(
    tmp_path: Path, start_service: StartService
) -> None:
    """What could not be pushed is pushed then."""
    port = _closed_port()
    folder = tmp_path / "redis"
    first = start_service("redis", folder=folder, port=port)
    first.stop()
    waker = RedisWaker(connect(first.url), lambda: None)
    waker.start()
    waker.wake()
    eventually(lambda: waker.trouble.count > 0)
    start_service("redis", folder=folder, port=port)
    far = RedisWaker(connect(first.url), lambda: None)
    heard = threading.Event()
    far.subscribe(heard.set)
    eventually(lambda: far.receive(0.1) and heard.is_set())
    waker.close()

    assert waker.answers()
