"""Any bytes lead to a valid answer or an end; requests pass unchanged however they are cut."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookwright_server.http.frontdoor.framing import ResponseFramer
from hookwright_server.http.frontdoor.limits import Limits
from hookwright_server.http.frontdoor.refusal import Refused
from hookwright_server.http.frontdoor.request import RequestReader

_LIMITS = Limits(max_head_bytes=600, max_uri_bytes=200, max_headers=20, max_body_bytes=2000)
_TOKEN = st.from_regex(rb"[A-Za-z0-9!#$%&'*+.^_|~-]{1,12}", fullmatch=True)
_VALUE = st.from_regex(
    rb"([!-~\x80-\xff]([ \t!-~\x80-\xff]{0,20}[!-~\x80-\xff])?)?", fullmatch=True
)
_PATH = st.from_regex(rb"/[A-Za-z0-9%._~!$&'()*+,;=:@/?-]{0,40}", fullmatch=True)
_SPECIAL = {
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"connection",
    b"upgrade",
    b"proxy-connection",
    b"expect",
}
_FRAGMENTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /x HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"\r\n",
        b"hello",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"\n",
        b"\x00",
    ]
)


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    """One well-formed request."""
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH"]))
    headers = draw(st.lists(st.tuples(_TOKEN, _VALUE), max_size=6))
    lines = [b"%b: %b" % pair for pair in headers if pair[0].lower() not in _SPECIAL]
    lines.insert(draw(st.integers(0, len(lines))), b"Host: example.test:8080")
    body = draw(st.binary(max_size=80))
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    tail = b""
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
        tail = body
    elif framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        sizes = draw(st.integers(1, 30))
        pieces = [body[at : at + sizes] for at in range(0, len(body), sizes)]
        tail = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    head = b"%b %b HTTP/1.1\r\n" % (method, draw(_PATH))
    return head + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + tail


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def _read(pieces: list[bytes]) -> tuple[list[bytes], str]:
    reader = RequestReader(_LIMITS)
    verdict = ""
    try:
        for piece in pieces:
            reader.feed(piece)
    except Refused as refused:
        verdict = refused.code
    return [bytes(request.raw) for request in reader.ready], verdict


@given(st.lists(_requests(), max_size=4), st.lists(st.integers(0, 5000), max_size=12))
def test_requests_pass_unchanged(requests: list[bytes], cuts: list[int]) -> None:
    """Every well-formed request comes out byte for byte, however the stream is cut."""
    assert (requests, "") == _read(_cut(b"".join(requests), cuts))


@given(
    st.lists(st.one_of(st.binary(max_size=30), _FRAGMENTS, _requests()), max_size=12),
    st.lists(st.integers(0, 5000), max_size=12),
)
def test_cutting_does_not_change_the_verdict(parts: list[bytes], cuts: list[int]) -> None:
    """Any bytes are judged alike in one piece and in many, and nothing else is raised."""
    data = b"".join(parts)

    assert _read([data]) == _read(_cut(data, cuts))


@given(st.lists(st.binary(max_size=60), max_size=5), st.lists(st.integers(0, 5000), max_size=12))
def test_responses_are_found_however_they_are_cut(bodies: list[bytes], cuts: list[int]) -> None:
    """The parts of responses join to what the server sent, with as many ends as responses."""
    data = b"".join(
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        if number % 2
        else b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        + (b"%x\r\n%b\r\n" % (len(body), body) if body else b"")
        + b"0\r\n\r\n"
        for number, body in enumerate(bodies)
    )
    framer = ResponseFramer()
    for _ in bodies:
        framer.expect(False)
    parts = [part for piece in _cut(data, cuts) for part in framer.feed(piece)]

    assert data == b"".join(part.data for part in parts)
    assert len(bodies) == sum(part.last for part in parts)
    assert len(bodies) == sum(part.head is not None for part in parts)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=40), _FRAGMENTS, _requests()), max_size=10))
def test_any_bytes_end_in_answers(house: Any, connect: Any, parts: list[bytes]) -> None:
    """Whatever is sent to a live door: only whole, valid answers come back, then the end."""
    wire = connect(house.port)
    wire.send(b"".join(parts)).half_close()
    while data := wire._receive():
        wire.raw += data
    wire.close()
    heads = wire.raw.split(b"HTTP/1.1 ")

    assert b"" == heads[0]
    assert all(head[:4] in {b"200 ", b"400 ", b"100 ", b"414 ", b"431 "} for head in heads[1:])
