"""Well-formed requests reach the server byte for byte, and its answers come back in order."""

from __future__ import annotations

import hashlib
import os
import socket
from typing import Any

import pytest

_GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


def test_connection_is_reused(served: Any, connect: Any) -> None:
    """One connection carries many requests, one after the other."""
    wire = connect(served.port)

    statuses = [wire.send(_GET).read()[0].status for _ in range(20)]

    assert [200] * 20 == statuses


def test_pipelined_answers_keep_their_order(served: Any, connect: Any) -> None:
    """Requests sent without waiting are answered in the order in which they were sent."""
    raw = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(200))
    wire = connect(served.port)

    paths = [answer.body.split()[1] for answer in wire.send(raw).read(200)]

    assert [b"/%d" % number for number in range(200)] == paths


def test_refusal_follows_earlier_answers(served: Any, connect: Any) -> None:
    """A malformed request behind good ones is answered after them; then the connection ends."""
    wire = connect(served.port)

    answers = wire.send(_GET * 3 + b"GET / HTTP/9\r\n\r\n" + _GET).read_to_end()

    assert [200, 200, 200, 400] == [answer.status for answer in answers]


def test_chunked_upload_arrives(served: Any, connect: Any) -> None:
    """A chunked body with extensions and trailers reaches the application decoded."""
    body = os.urandom(300_000)
    chunks = b"".join(
        b"%x;n=v\r\n%b\r\n" % (len(body[at : at + 7000]), body[at : at + 7000])
        for at in range(0, len(body), 7000)
    )
    wire = connect(served.port)
    wire.send(b"PUT /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    wire.send(chunks + b"0\r\nX-Trailer: t\r\n\r\n" + _GET)

    first, second = wire.read(2)

    assert f"PUT /up 300000 {hashlib.sha256(body).hexdigest()}" == first.body.decode()
    assert second.body.startswith(b"GET /a 0 ")


def test_large_upload_arrives(served: Any, connect: Any) -> None:
    """A body near the cap reaches the application unharmed."""
    body = os.urandom(8 << 20)
    wire = connect(served.port)
    wire.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    digest = hashlib.sha256(body).hexdigest()

    assert f"POST /up {8 << 20} {digest}" == wire.read()[0].body.decode()


def test_client_is_told_to_continue(served: Any, connect: Any) -> None:
    """Expect: 100-continue is answered once, before the body is sent."""
    wire = connect(served.port)
    wire.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")

    assert b"HTTP/1.1 100 Continue\r\n\r\n" == wire.socket.recv(4096)

    wire.send(b"hi")

    assert b"POST /x 2 " == wire.read()[0].body[:10]
    assert b"100 Continue" not in wire.raw


def test_head_answers_do_not_shift_the_next(served: Any, connect: Any) -> None:
    """An answer to HEAD names a length but has no body; the next answer is found after it."""
    wire = connect(served.port)
    wire.send(b"HEAD /h HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    while data := wire.socket.recv(65536):
        wire.raw += data
    pipelined = connect(served.port)
    pipelined.send(b"HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n" + b"GET / HTTP/9\r\n\r\n")
    while data := pipelined.socket.recv(65536):
        pipelined.raw += data

    assert wire.raw.endswith(b"\r\n\r\n")
    assert 1 == pipelined.raw.count(b"HTTP/1.1 200 ")
    assert 1 == pipelined.raw.count(b"HTTP/1.1 400 ")


def test_half_closed_client_is_answered(served: Any, connect: Any) -> None:
    """A client that has sent everything and closed its writing side still gets its answers."""
    wire = connect(served.port)

    answers = wire.send(_GET * 2).half_close().read_to_end()

    assert [200, 200] == [answer.status for answer in answers]


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /x HTTP/1.0\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/9\r\n\r\n",
    ],
)
def test_connection_ends_when_asked(served: Any, connect: Any, raw: bytes) -> None:
    """HTTP/1.0 and `Connection: close` get their answer and then the end."""
    answers = connect(served.port).send(raw).read_to_end()

    assert [200] == [answer.status for answer in answers]


def test_streamed_response_is_relayed(served: Any, connect: Any) -> None:
    """A chunked response arrives whole and the connection goes on."""
    wire = connect(served.port)

    first, second = wire.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n" + _GET).read(2)

    assert 2 << 20 == len(first.body)
    assert b"GET /a 0 " == second.body[:9]


def test_crash_of_the_application_is_a_problem(served: Any, connect: Any) -> None:
    """What the HTTP server answers by itself when the application raises becomes a problem."""
    answers = connect(served.port).send(b"GET /boom HTTP/1.1\r\nHost: a\r\n\r\n").read_to_end()

    assert ["internal_error"] == [answer.problem["code"] for answer in answers]


def test_slow_reader_does_not_fill_the_memory(served: Any, connect: Any, wait_until: Any) -> None:
    """A 64 MiB response to a client that does not read stays with the application."""
    wire = connect(served.port)
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    before = _resident_bytes(served.process.pid)
    wire.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.raw += wire.socket.recv(4096)
    others = [connect(served.port).send(_GET).read()[0].status for _ in range(50)]
    growth = _resident_bytes(served.process.pid) - before
    received = len(wire.raw)
    while received < 64 << 20:
        received += len(wire.socket.recv(1 << 20))

    assert [200] * 50 == others
    assert growth < 8 << 20


def _resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:  # noqa: PTH123 - one line
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_bytes_are_relayed_unchanged(house: Any, connect: Any) -> None:
    """Nothing is added to, taken from or reordered in a well-formed request."""
    raw = (
        b"\r\nPOST /%zz%00/../x?a=%FF&&b HTTP/1.1\r\nhOsT:  a \r\nX-Odd:\t \xff\xfe \r\n"
        b"transfer-encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\n00\r\nT: u\r\n\r\n"
        b"GET http://other/ HTTP/1.1\r\nHost: a\r\nHost2: b\r\nEmpty:\r\n\r\n"
        b"OPTIONS * HTTP/1.1\r\nHost:\r\nContent-Length: 000\r\n\r\n"
    )
    house.received = b""
    wire = connect(house.port)

    wire.send(raw).read(3)

    assert raw == house.received
