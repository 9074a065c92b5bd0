"""What a receiver may do to us, over real sockets."""

from __future__ import annotations

import gzip
import itertools
import socket
import struct
import threading
import time

import pytest
from egress_lab import OK, Script, Send, Start, answering, answering_once, read_request

from hookwright_server.domain.outcome import (
    DeadlineExceeded,
    Delivered,
    Overflow,
    Refused,
    Unreachable,
)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LATE_MS = 300
SLACK_MS = 30_000


def flooding(start: bytes, piece: bytes) -> tuple[list[int], Script]:
    """A script that sends `piece` until the client hangs up, and what it managed to send."""
    sent = [0]

    def script(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(start)
        for _ in itertools.count():
            peer.sendall(piece)
            sent[0] += len(piece)

    return sent, script


def dripping(text: bytes, then: bytes) -> Script:
    """A script that sends `text` at once and one byte of `then` every 20 ms."""

    def script(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(text)
        for byte in then:
            time.sleep(0.02)
            peer.sendall(bytes([byte]))

    return script


def test_the_request_on_the_wire_is_exactly_what_was_asked_for(send: Send, receiver: Start) -> None:
    """One POST with our framing, the given headers and the body, byte for byte."""
    seen: list[bytes] = []

    def script(peer: socket.socket) -> None:
        seen.append(read_request(peer))
        peer.sendall(OK)

    sink = receiver(script)
    attempted = send(sink.url("/in?a=b"), headers=[("webhook-id", "msg_1")], body=b"\x00\xff{}")

    expected = (
        f"POST /in?a=b HTTP/1.1\r\nHost: 127.0.0.1:{sink.port}\r\nAccept-Encoding: identity\r\n"
        "Content-Length: 4\r\nwebhook-id: msg_1\r\n\r\n"
    ).encode() + b"\x00\xff{}"
    assert [expected] == seen
    assert Delivered(200) == attempted.outcome
    assert (200, b"ok", False) == (
        attempted.status_code,
        attempted.response_body,
        attempted.response_body_truncated,
    )


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        ("200 OK", Delivered(200)),
        ("204 No Content", Delivered(204)),
        ("299", Delivered(299)),
        ("304 Not Modified", Refused(304)),
        ("404 Not Found", Refused(404)),
        ("410 Gone", Refused(410)),
        ("429 Slow\r\nRetry-After: 120", Refused(429, 120_000)),
        ("503 Busy\r\nretry-after: 1e99", Refused(503)),
        ("503 Busy\r\nRetry-After: -1", Refused(503)),
        ("500 Oops\r\nRetry-After: 999999999", Refused(500, 86_400_000)),
        ("999 Odd", Refused(999)),
    ],
)
def test_the_status_decides(
    send: Send, receiver: Start, head: str, outcome: Delivered | Refused
) -> None:
    """2xx is delivered, any other status is a refusal with the wait it asks for."""
    sink = receiver(answering(f"HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n".encode()))

    assert outcome == send(sink.url()).outcome


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 306, 307, 308])
def test_redirects_are_never_followed(send: Send, receiver: Start, status: int) -> None:
    """A 3xx is a recorded answer; nobody is sent to its Location."""
    canary = receiver(answering(OK))
    reply = f"HTTP/1.1 {status} Go\r\nLocation: {canary.url()}\r\nContent-Length: 0\r\n\r\n"
    sink = receiver(answering(reply.encode()))

    assert Refused(status) == send(sink.url()).outcome
    assert (1, 0) == (sink.connections, canary.connections)


def test_bodies_are_not_decompressed(send: Send, receiver: Start) -> None:
    """A compressed body is kept as it came: no bomb can grow here."""
    packed = gzip.compress(bytes(5_000_000))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    sink = receiver(answering(head.encode() + packed))
    attempted = send(sink.url())

    assert packed[:4096] == attempted.response_body
    assert attempted.response_body_truncated


@pytest.mark.parametrize(
    ("length", "kept", "truncated"),
    [(0, 0, False), (4096, 4096, False), (4097, 4096, True), (65536, 4096, True)],
)
def test_the_first_4_kib_of_a_body_are_kept(
    send: Send, receiver: Start, length: int, kept: int, truncated: bool
) -> None:
    """A longer body is read on for the sake of the connection, and marked as truncated."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()
    sink = receiver(answering(head + b"x" * length))
    attempted = send(sink.url())

    assert (kept, truncated) == (len(attempted.response_body), attempted.response_body_truncated)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n", b"x" * 4096),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096),
        (CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n"),
        (CHUNKED, b"1\r\nx\r\n" * 500),
        (CHUNKED + b"1;", b"extension" * 400),
        (CHUNKED + b"0\r\nTrailer: ", b"trailer" * 500),
    ],
    ids=["50 MB", "no length", "endless chunks", "tiny chunks", "chunk extension", "trailer"],
)
def test_an_endless_body_is_cut_and_the_status_counts(
    send: Send, receiver: Start, start: bytes, piece: bytes
) -> None:
    """Reading stops at the cap; what the receiver said before stands."""
    sent, script = flooding(start, piece)
    sink = receiver(script)
    attempted = send(sink.url())

    assert Delivered(200) == attempted.outcome
    assert attempted.response_body_truncated
    assert 20_000_000 > sent[0]  # what fits into the kernel's buffers, and no more


def test_endless_trailer_fields_are_cut(send: Send, receiver: Start) -> None:
    """Trailers count against the same limits as headers."""
    _, script = flooding(CHUNKED + b"0\r\n", b"T: v\r\n" * 100)

    assert Overflow("header_count") == send(receiver(script).url()).outcome


@pytest.mark.parametrize(
    ("start", "piece", "limit"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 2000, "header_count"),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 100_000, "header_count"),
        (b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 1000 + b"\r\n", "head_bytes"),
        (b"HTTP/1.1 200 OK\r\nA: ", b"b" * 100_000, "head_bytes"),
        (b"HTTP/1.1 200 ", b"O" * 100_000, "head_bytes"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "interim_answers"),
    ],
    ids=["2,000 headers", "100,000 headers", "long head", "huge header", "status line", "1xx"],
)
def test_an_endless_head_is_an_overflow(
    send: Send, receiver: Start, start: bytes, piece: bytes, limit: str
) -> None:
    """A head past its limits ends the attempt before any status can be trusted."""
    sent, script = flooding(start, piece)
    attempted = send(receiver(script).url())

    assert Overflow(limit) == attempted.outcome
    assert (None, b"") == (attempted.status_code, attempted.response_body)
    assert 20_000_000 > sent[0]


@pytest.mark.parametrize(
    "reply",
    [
        b"<html>HTTP/0.9</html>",
        b"\x16\x03\x01\x02\x00\x01",
        b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 9999 High\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        CHUNKED + b"zz\r\nok\r\n",
        CHUNKED + b"-2\r\nok\r\n",
        CHUNKED + b"2\r\nokay\r\n",
    ],
)
def test_what_is_no_http_1_answer_is_a_protocol_error(
    send: Send, receiver: Start, reply: bytes
) -> None:
    """Nothing is guessed from an answer that breaks the grammar."""
    attempted = send(receiver(answering_once(reply)).url())

    assert Unreachable("protocol_error") == attempted.outcome
    assert b"" == attempted.response_body


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
        CHUNKED + b"2\r\nok\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_answer_cut_short_is_a_reset(
    send: Send, receiver: Start, reply: bytes, how: str
) -> None:
    """A connection that ends before the answer does leaves no answer."""

    def script(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(reply)
        if how == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert Unreachable("connection_reset") == send(receiver(script).url()).outcome


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 103 Early\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_an_answer_without_length_ends_with_the_connection(
    send: Send, receiver: Start, head: bytes
) -> None:
    """Closing is how HTTP/1 ends such a body, so it is complete."""
    attempted = send(receiver(answering_once(head + b"body")).url())

    assert (Delivered(200), b"body") == (attempted.outcome, attempted.response_body)


@pytest.mark.parametrize(
    ("text", "then"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x" * 400),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 400),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x" * 400),
        (b"", b"HTTP/1.1 200 OK\r\n" + b"x" * 400),
    ],
    ids=["body", "body without length", "header", "status line"],
)
def test_a_drip_is_bounded_by_the_total_deadline(
    send: Send, receiver: Start, text: bytes, then: bytes
) -> None:
    """One byte at a time keeps no attempt alive: the deadline covers the last byte."""
    attempted = send(receiver(dripping(text, then)).url(), timeout_ms=LATE_MS)

    assert DeadlineExceeded("response") == attempted.outcome
    assert LATE_MS - 10 <= attempted.latency_ms <= LATE_MS + SLACK_MS


def test_a_receiver_that_does_not_read_is_bounded_by_the_deadline(
    send: Send, receiver: Start
) -> None:
    """A body that cannot be sent in time ends in the send phase."""
    release = threading.Event()

    def script(peer: socket.socket) -> None:
        release.wait(60)

    sink = receiver(script)
    attempted = send(sink.url(), body=bytes(20_000_000), timeout_ms=LATE_MS)
    release.set()

    assert DeadlineExceeded("send") == attempted.outcome


def test_an_early_answer_counts_before_the_body_is_sent(send: Send, receiver: Start) -> None:
    """A receiver may refuse a body that it has not read."""
    release = threading.Event()

    def script(peer: socket.socket) -> None:
        peer.recv(100)
        peer.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        release.wait(60)

    attempted = send(receiver(script).url(), body=bytes(20_000_000))
    release.set()

    assert Refused(413) == attempted.outcome


def test_hostile_bytes_in_a_body_are_handed_on_as_they_are(send: Send, receiver: Start) -> None:
    """NUL, escapes and invalid UTF-8 are for those who show the body to make safe."""
    body = b"\x00\x1b[31m<script>\xff\xfe"
    head = f"HTTP/1.1 500 X\r\nContent-Length: {len(body)}\r\nSet-Cookie: a=b\r\n\r\n".encode()
    attempted = send(receiver(answering(head + body)).url())

    assert (Refused(500), body) == (attempted.outcome, attempted.response_body)
