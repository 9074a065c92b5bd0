"""Malformed and hostile requests: each gets a problem document and never reaches the server."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

_BODY = b"POST /x HTTP/1.1\r\nHost: a\r\n"
_CHUNKED = _BODY + b"Transfer-Encoding: chunked\r\n\r\n"

_MALFORMED = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "words": b"hello there\r\n\r\n",
    "lower-case method": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown method": b"FROB / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
    "relative target": b"GET foo HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "tab in target": b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in target": b"GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n",
    "raw byte in target": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "quote in target": b'GET /"x" HTTP/1.1\r\nHost: a\r\n\r\n',
    "angle in target": b"GET /<script> HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment in target": b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "empty authority": b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
    "broken IPv6 authority": b"GET http://[::1/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/3": b"GET / HTTP/3\r\nHost: a\r\n\r\n",
    "other protocol": b"GET / RTSP/1.0\r\nHost: a\r\n\r\n",
    "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    "websocket": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "h2c": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two Authorizations": _BODY + b"Authorization: x\r\nauthorization: x\r\n\r\n",
    "two Content-Types": _BODY + b"Content-Type: x\r\nContent-Type: y\r\n\r\n",
    "two Idempotency-Keys": _BODY + b"Idempotency-Key: x\r\nIdempotency-Key:\r\n\r\n",
    "user in Host": b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "path in Host": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "header without colon": b"GET / HTTP/1.1\r\nHost: a\r\nfoo\r\n\r\n",
    "header without name": b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    "space in header name": b"GET / HTTP/1.1\r\nHost: a\r\nX Y: y\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
    "NUL in header": b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
    "bare CR in header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "bare LF lines": b"GET / HTTP/1.1\nHost: a\n\n",
    "non-ASCII header name": b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: y\r\n\r\n",
    "length is a word": _BODY + b"Content-Length: five\r\n\r\nhello",
    "length is negative": _BODY + b"Content-Length: -5\r\n\r\nhello",
    "length has a sign": _BODY + b"Content-Length: +5\r\n\r\nhello",
    "length is hexadecimal": _BODY + b"Content-Length: 0x5\r\n\r\nhello",
    "length is empty": _BODY + b"Content-Length:\r\n\r\nhello",
    "length overflows": _BODY + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "two lengths": _BODY + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "list of lengths": _BODY + b"Content-Length: 5, 5\r\n\r\nhello",
    "length and chunked": _BODY
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": _BODY
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "coding gzip": _BODY + b"Transfer-Encoding: gzip\r\n\r\nhello",
    "coding gzip, chunked": _BODY + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding twice": _BODY + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "coding obscured": _BODY + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk size is a word": _CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n",
    "chunk size is negative": _CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "chunk size with 0x": _CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size overflows": _CHUNKED + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "chunk line with bare LF": _CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "chunk too short": _CHUNKED + b"3\r\nhello\r\n0\r\n\r\n",
    "chunk too long": _CHUNKED + b"7\r\nhello\r\n0\r\n\r\n",
    "endless chunk extension": _CHUNKED + b"5;" + b"x" * 8192 + b"\r\nhello\r\n0\r\n\r\n",
    "trailer without colon": _CHUNKED + b"0\r\nfoo\r\n\r\n",
    "head cut off": b"GET / HTTP/1.1\r\nHost: a\r\n",
    "body cut off": _BODY + b"Content-Length: 10\r\n\r\nhello",
    "chunks cut off": _CHUNKED + b"5\r\nhel",
    "request line cut off": b"GE",
}
_OVERSIZED = {
    "long target": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "uri_too_long"),
    "endless target": (b"GET /" + b"a" * 70_000, "uri_too_long"),
    "large header": (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 33_000 + b"\r\n\r\n",
        "headers_too_large",
    ),
    "endless header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000, "headers_too_large"),
    "endless header name": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a" * 70_000, "headers_too_large"),
    "101 headers": (
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n",
        "headers_too_large",
    ),
    "100,000 headers": (
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        "headers_too_large",
    ),
    "declared large body": (_BODY + b"Content-Length: 99999999\r\n\r\n", "payload_too_large"),
    "chunked large body": (
        _CHUNKED + (b"100000\r\n" + b"x" * 0x100000 + b"\r\n") * 9,
        "payload_too_large",
    ),
}
_CASES = {
    **{name: (raw, "validation_error") for name, raw in _MALFORMED.items()},
    **_OVERSIZED,
}


@pytest.mark.parametrize(("raw", "code"), _CASES.values(), ids=_CASES)
def test_hostile_bytes_get_one_problem(served: Any, connect: Any, raw: bytes, code: str) -> None:
    """Whatever is no request is answered once, completely, with a code, and the connection ends."""
    wire = connect(served.port)
    wire.send(raw).half_close()

    answers = wire.read_to_end()

    assert [code] == [answer.problem["code"] for answer in answers]
    assert answers[0].problem["status"] == answers[0].status
    assert re.fullmatch("req_[0-9A-HJKMNP-TV-Z]{26}", answers[0].problem["request_id"])


def test_one_byte_at_a_time(served: Any, connect: Any) -> None:
    """How the bytes are cut into packets changes nothing."""
    wire = connect(served.port)
    for byte in _MALFORMED["two lengths"]:
        wire.send(bytes([byte]))
    wire.half_close()

    assert ["validation_error"] == [answer.problem["code"] for answer in wire.read_to_end()]


def test_trace_id_becomes_request_id(served: Any, connect: Any) -> None:
    """A refused request with a valid traceparent is answered under its trace id."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    wire = connect(served.port)
    wire.send(
        b"GET /<> HTTP/1.1\r\nHost: a\r\ntraceparent: 00-"
        + trace_id.encode()
        + b"-00f067aa0ba902b7-01\r\n\r\n"
    )

    assert trace_id == wire.read_to_end()[0].problem["request_id"]


@pytest.mark.parametrize(
    "traceparent",
    [
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-\xff0f067aa0ba902b7-01",
    ],
)
def test_invalid_trace_context_is_not_repeated(
    served: Any, connect: Any, traceparent: bytes
) -> None:
    """A refused request with another traceparent gets an id of the server's own."""
    wire = connect(served.port)
    wire.send(b"GET /<> HTTP/1.1\r\nHost: a\r\ntraceparent: " + traceparent + b"\r\n\r\n")

    assert wire.read_to_end()[0].problem["request_id"].startswith("req_")


def test_the_process_of_the_front_door_stays_light() -> None:
    """The application's libraries are not imported where only bytes are relayed."""
    heavy = "{'flask', 'werkzeug', 'sqlalchemy', 'pydantic'} & sys.modules.keys()"
    code = (
        f"import sys, hookwright_server.serving, hookwright_server.http.frontdoor; print({heavy})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "set()" == done.stdout.strip()


def test_refused_head_request_has_no_body(served: Any, connect: Any) -> None:
    """A problem that answers HEAD keeps its headers and leaves the document out."""
    wire = connect(served.port)
    wire.send(b"HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n").half_close()
    while data := wire.socket.recv(65536):
        wire.raw += data

    assert wire.raw.startswith(b"HTTP/1.1 400 ")
    assert wire.raw.endswith(b"\r\n\r\n")
