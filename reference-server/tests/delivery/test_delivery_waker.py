"""The contract of wakers, in memory and through Redis."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from delivery_lab import eventually

from hookwright_server.delivery.redis_waker import RedisWaker, connect
from hookwright_server.delivery.waker import MemoryWaker, Waker


@dataclass(frozen=True)
class Line:
    """Hints go in at one end and come out at the other."""

    near: Waker
    far: Waker


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.needs_service("redis"))])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    """Both kinds: through Redis the ends are two wakers, as in two processes."""
    if request.param == "memory":
        waker = MemoryWaker()
        yield Line(waker, waker)
        return
    url: str = request.getfixturevalue("redis_url")
    near, far = (RedisWaker(connect(url), lambda: None) for _ in range(2))
    over = threading.Event()

    def receive() -> None:
        while not over.is_set():
            far.receive(0.05)

    thread = threading.Thread(target=receive)
    thread.start()
    near.start()
    yield Line(near, far)
    over.set()
    thread.join()
    near.close()


def test_a_hint_reaches_every_listener(line: Line) -> None:
    """Each of them is called."""
    heard = [threading.Event(), threading.Event()]
    for event in heard:
        line.far.subscribe(event.set)

    line.near.wake()

    assert all(event.wait(60) for event in heard)


def test_a_listener_that_left_hears_nothing(line: Line) -> None:
    """The others still do."""
    left, stayed = threading.Event(), threading.Event()
    unsubscribe = line.far.subscribe(left.set)
    line.far.subscribe(stayed.set)
    unsubscribe()

    line.near.wake()

    assert stayed.wait(60)
    assert not left.is_set()


def test_the_last_hint_is_heard_after_it_was_given(line: Line) -> None:
    """Hints may be merged, but what was written before one is looked for after it."""
    written, seen = [0], [0]

    def look() -> None:
        seen[0] = written[0]

    line.far.subscribe(look)
    for number in range(1, 301):
        written[0] = number
        line.near.wake()

    eventually(lambda: seen == [300])


def test_many_threads_may_wake(line: Line) -> None:
    """None of them is kept waiting for another, and the last one's hint is heard."""
    finished: list[int] = []
    seen = [0]

    def look() -> None:
        seen[0] = len(finished)

    def wake(number: int) -> None:
        finished.append(number)
        line.near.wake()

    line.far.subscribe(look)
    threads = [threading.Thread(target=wake, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    eventually(lambda: seen == [20])
