"""Slow, silent and greedy clients are shed in time and cost the others nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

_ANSWER = b"HTTP/1.1 200 OK\r\nx-request-id: r\r\ncontent-length: 2\r\n\r\nok"
_GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
_POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"


def _has_ended(wire: Any) -> bool:
    """Take what comes next; whether that was the end."""
    data = wire.socket.recv(65536)
    wire.raw += data
    return not data


@pytest.mark.parametrize(
    ("limits", "raw"),
    [
        ({"head_timeout_s": 0.2}, b"GET / HTTP/1.1\r\nHost: a\r\n"),
        ({"body_silence_s": 0.2}, _POST + b"abc"),
        ({"body_timeout_s": 0.2}, _POST),
    ],
    ids=["head", "silent body", "body"],
)
def test_slow_request_is_ended(
    open_house: Any, connect: Any, limits: dict[str, float], raw: bytes
) -> None:
    """A request that does not come to its end in time is answered with 408."""
    with open_house(**limits) as house:
        started = time.monotonic()
        answers = connect(house.port).send(raw).read_to_end()
        took = time.monotonic() - started

    assert ["request_timeout"] == [answer.problem["code"] for answer in answers]
    assert 0.19 <= took < 30
    assert 0 == house.requests


def test_dripping_body_is_ended(open_house: Any, connect: Any) -> None:
    """A byte now and then resets the silence, but not the total time."""
    with open_house(body_silence_s=5.0, body_timeout_s=0.4) as house:
        wire = connect(house.port).send(_POST)
        wire.socket.settimeout(0.02)
        while not wire.raw:
            wire.send(b"x")
            try:
                wire.raw += wire.socket.recv(4096)
            except TimeoutError:
                continue

    assert b"HTTP/1.1 408 " in wire.raw


@pytest.mark.parametrize("raw", [b"", _GET], ids=["never spoke", "has spoken"])
def test_idle_connection_is_closed_silently(open_house: Any, connect: Any, raw: bytes) -> None:
    """A connection without a request under way is closed without a word."""
    with open_house(keep_alive_s=0.5, head_timeout_s=0.5) as house:
        wire = connect(house.port).send(raw)

        assert [200] * bool(raw) == [answer.status for answer in wire.read_to_end()]


def test_late_answer_is_a_problem(open_house: Any, connect: Any) -> None:
    """When the server does not answer in time, the client gets 503 with Retry-After."""
    with open_house(response_timeout_s=0.2) as house:
        house.answer = b""
        answers = connect(house.port).send(_GET).read_to_end()

    assert ["unavailable"] == [answer.problem["code"] for answer in answers]
    assert "1" == answers[0].headers["retry-after"]


def test_missing_server_is_a_problem(open_house: Any, connect: Any) -> None:
    """Without a server behind the door every request gets 503 with Retry-After."""
    with open_house(with_server=False) as house:
        answers = connect(house.port).send(_GET * 2).read_to_end()

    assert ["unavailable"] == [answer.problem["code"] for answer in answers]
    assert "1" == answers[0].headers["retry-after"]


def test_server_that_hangs_up_is_a_problem(open_house: Any, connect: Any) -> None:
    """A server that ends the connection instead of answering makes a 503."""
    with open_house() as house:
        house.hang_up = True
        answers = connect(house.port).send(_GET).read_to_end()

    assert ["unavailable"] == [answer.problem["code"] for answer in answers]


def test_stalled_reader_is_dropped(open_house: Any, connect: Any, wait_until: Any) -> None:
    """A client that does not take its answer is dropped."""
    with open_house(write_stall_s=0.2) as house:
        size = 32 << 20
        house.answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size
        connect(house.port).send(_GET)
        wait_until(lambda: house.requests == 1)

        wait_until(lambda: house.call(lambda: house.door.connections) == 0)


def test_one_connection_too_many(open_house: Any, connect: Any, wait_until: Any) -> None:
    """Beyond the limit a client is told to come back; when one leaves there is room again."""
    with open_house(max_connections=3, linger_s=0.2) as house:
        wires = [connect(house.port).send(_GET) for _ in range(3)]
        statuses = [wire.read()[0].status for wire in wires]
        refused = connect(house.port).send(_GET).read_to_end()
        for wire in wires:
            wire.close()
        wait_until(lambda: house.call(lambda: house.door.connections) == 0)
        again = connect(house.port).send(_GET).read()

    assert [200] * 3 == statuses
    assert ["unavailable"] == [answer.problem["code"] for answer in refused]
    assert 200 == again[0].status


def test_memory_for_bodies_is_bounded(open_house: Any, connect: Any, wait_until: Any) -> None:
    """What all incomplete requests hold together is bounded, and given back."""
    with open_house(max_buffered_bytes=100_000, linger_s=0.2) as house:
        head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"
        first = connect(house.port).send(head + b"x" * 50_000)
        wait_until(lambda: house.call(lambda: house.door.buffered_bytes) > 50_000)
        second = connect(house.port).send(head + b"x" * 59_000).read_to_end()
        answered = first.send(b"x" * 10_000).read()
        wait_until(lambda: house.call(lambda: house.door.buffered_bytes) == 0)

    assert ["unavailable"] == [answer.problem["code"] for answer in second]
    assert 200 == answered[0].status


def test_an_answer_gives_its_request_back(open_house: Any, connect: Any, wait_until: Any) -> None:
    """A client that always has another request under way is charged for that one only."""
    post = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20_000
    with open_house(max_buffered_bytes=100_000) as house:
        house.answer = b""
        wire = connect(house.port)
        for answered in range(20):
            wire.send(post)
            wait_until(lambda count=answered: house.requests == count + 1)
            if answered:
                house.call(lambda: house.reply(_ANSWER))
                wire.read()
        wire.send(post[:100])
        wait_until(lambda: house.call(lambda: house.door.buffered_bytes) == len(post) + 100)

        assert not wire.raw.count(b"HTTP/1.1 503 ")


def test_more_requests_than_a_server_may_have_are_turned_away(
    open_house: Any, connect: Any, wait_until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond the limit the front door answers 503 at once; an answer makes room again."""
    with open_house(max_open_requests=2) as house:
        house.answer = b""
        first, second = (connect(house.port) for _ in range(2))
        for number, wire in enumerate((first, second), start=1):
            wire.send(_GET)
            wait_until(lambda count=number: house.requests == count)
        trace = f"{7:032x}"
        traced = b"Host: a\r\ntraceparent: 00-%s-%s-01\r\n" % (trace.encode(), b"1" * 16)
        refused = connect(house.port).send(_GET.replace(b"Host: a\r\n", traced)).read_to_end()
        headless = connect(house.port).send(_GET.replace(b"GET", b"HEAD"))
        wait_until(lambda: _has_ended(headless))
        house.call(lambda: house.reply(_ANSWER))
        statuses = [second.read()[0].status]
        house.answer = _ANSWER
        statuses.append(connect(house.port).send(_GET).read()[0].status)

    assert ["unavailable"] == [answer.problem["code"] for answer in refused]
    assert ("1", "close", trace) == tuple(
        refused[0].headers[name] for name in ("retry-after", "connection", "x-request-id")
    )
    assert headless.raw.startswith(b"HTTP/1.1 503 ")
    assert headless.raw.endswith(b"\r\n\r\n")
    assert ([200, 200], 3) == (statuses, house.requests)
    assert "requests_turned_away count=2" in caplog.text


def test_a_full_server_answers_what_was_sent_before(
    open_house: Any, connect: Any, wait_until: Any
) -> None:
    """Of pipelined requests those within the limit are answered, and then the next is refused."""
    with open_house(max_open_requests=2) as house:
        house.answer = b""
        wire = connect(house.port).send(_GET * 4)
        wait_until(lambda: house.requests == 2)
        house.call(lambda: house.reply(_ANSWER * 2))
        answers = wire.read_to_end()

    assert [200, 200, 503] == [answer.status for answer in answers]
    assert 2 == house.requests


def test_a_worker_that_is_held_up_does_not_gather_requests(
    serve: Any, connect: Any, tmp_path: Path, wait_until: Any
) -> None:
    """While its only thread is busy, one request waits for it and the others are refused."""
    options: dict[str, Any] = {
        "limits": {"max_open_requests": 2},
        "process": {"blocking_threads": 1},
    }
    with serve(tmp_path, **options) as served:
        held = connect(served.port).send(_GET.replace(b"/a", b"/hold") + _GET)
        wait_until(served.file("holding").exists)
        started = time.monotonic()
        others = [connect(served.port).send(_GET).read_to_end()[0] for _ in range(5)]
        took_s = time.monotonic() - started
        served.file("release").touch()
        statuses = [answer.status for answer in held.read(2)]
        statuses.append(connect(served.port).send(_GET).read()[0].status)

    assert ["unavailable"] * 5 == [answer.problem["code"] for answer in others]
    assert ["1"] * 5 == [answer.headers["retry-after"] for answer in others]
    assert [200, 200, 200] == statuses
    assert took_s < 15


def test_slow_clients_do_not_hinder_others(served: Any, connect: Any) -> None:
    """200 idle and 200 dripping connections hold no thread: others are served at once."""
    slow = [connect(served.port) for _ in range(400)]
    for wire in slow[:200]:
        wire.send(_POST + b"x")
    started = time.monotonic()
    statuses = [connect(served.port).send(_GET).read()[0].status for _ in range(50)]
    took = time.monotonic() - started

    assert [200] * 50 == statuses
    assert took < 15
