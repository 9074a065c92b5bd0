"""From a client's bytes to complete requests, judged by llhttp and by our own framing.

Both must agree where a request ends: what the application's server would read differently never
gets that far (request smuggling).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

import httptools

from hookwright_server.http.frontdoor.framing import HEAD_END, ChunkScanner, FramingError
from hookwright_server.http.frontdoor.limits import Limits
from hookwright_server.http.frontdoor.refusal import Refused, malformed

_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_FORBIDDEN_IN_TARGET = re.compile(rb'[#"<>`]')
# Two values would be joined or one of them dropped, by whoever reads them next.
_SINGLE = (b"authorization", b"content-type", b"idempotency-key")
_JUDGED = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"expect", b"traceparent", *_SINGLE},
)
_VERSIONS = frozenset({"1.0", "1.1"})


class Phase(Enum):
    """What the reader waits for."""

    IDLE = "a request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"


class Request(NamedTuple):
    """One complete request, byte for byte as it came."""

    raw: bytes | bytearray
    is_head: bool
    traceparent: bytes


class RequestReader:
    """Cuts a byte stream into requests.

    `feed` appends to `ready` and raises Refused at the first byte that no request may contain;
    what became ready before it stays valid. `finished` says that the client asked to end the
    connection with its last request: what follows is ignored.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self.ready: list[Request] = []
        self.finished = False
        self.phase = Phase.IDLE
        self._held = bytearray()
        self._reset()

    def _reset(self) -> None:
        self.phase = Phase.IDLE
        self._head_seen = False
        self._complete = False
        self._url = b""
        self._header_count = 0
        self._judged: dict[bytes, list[bytes]] = {}
        self._body_bytes = 0
        self._remaining = 0
        self._chunks: ChunkScanner | None = None

    @property
    def held_bytes(self) -> int:
        """What an incomplete request occupies."""
        return len(self._held)

    @property
    def is_head(self) -> bool:
        """Whether the request being read is a HEAD (known once its head is complete)."""
        return self._head_seen and self._parser.get_method() == b"HEAD"

    @property
    def awaits_continue(self) -> bool:
        """Whether the client wants to be told that it may send the body."""
        expected = self._judged.get(b"expect", ())
        return self.phase is Phase.BODY and any(e.lower() == b"100-continue" for e in expected)

    @property
    def traceparent(self) -> bytes:
        """The trace context of the request being read, as sent."""
        values = self._judged.get(b"traceparent", ())
        return values[0] if len(values) == 1 else b""

    def release(self) -> None:
        """Give back what an incomplete request occupies; nothing is read any more."""
        self.finished = True
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises Refused."""
        start = position = 0
        size = len(data)
        while position < size and not self.finished:
            if self.phase is Phase.BODY:
                position = self._take_body(data, position)
            else:
                position = self._take_head(data, position)
            if self._complete:
                self._emit(data, start, position)
                start = position
        if not self.finished and start < size:
            self._held += data[start:] if start else data

    def _take_head(self, data: bytes, position: int) -> int:
        end = self._find_head_end(data, position)
        stop = end or len(data)
        room = self._limits.max_head_bytes - len(self._held)
        if stop - position > room:
            self._parse(data[position : position + room])
            raise self._oversized()
        self._parse(data if position == 0 and stop == len(data) else data[position:stop])
        if self._head_seen:
            if not end:
                raise malformed("the head has no end")
            self._judge_head()
            if not self._complete:
                self.phase = Phase.BODY
        return stop

    def _find_head_end(self, data: bytes, position: int) -> int:
        """The position after the empty line, which may have begun in earlier bytes; else 0."""
        overlap = bytes(self._held[-3:])
        if overlap:
            at = (overlap + data[position : position + 3]).find(HEAD_END)
            if at >= 0:
                return position + at + len(HEAD_END) - len(overlap)
        at = data.find(HEAD_END, position)
        return at + len(HEAD_END) if at >= 0 else 0

    def _take_body(self, data: bytes, position: int) -> int:
        if self._chunks is None:
            stop = min(len(data), position + self._remaining)
            self._remaining -= stop - position
            ended = self._remaining == 0
        else:
            stop = self._scan_chunks(self._chunks, data, position)
            ended = self._chunks.done
        self._parse(memoryview(data)[position:stop])
        if ended != self._complete:
            raise malformed("the end of the body is ambiguous")
        self._body_bytes += stop - position
        if self._body_bytes > self._limits.max_body_bytes:
            raise self._too_large()
        return stop

    def _scan_chunks(self, chunks: ChunkScanner, data: bytes, position: int) -> int:
        try:
            return chunks.feed(data, position)
        except FramingError as error:
            raise malformed(str(error)) from error

    def _emit(self, data: bytes, start: int, stop: int) -> None:
        if self._held:
            self._held += data[start:stop]
            raw: bytes | bytearray = self._held
            self._held = bytearray()
        else:
            raw = data if start == 0 and stop == len(data) else data[start:stop]
        is_head = self._parser.get_method() == b"HEAD"
        self.ready.append(Request(raw, is_head, self.traceparent))
        self.finished = not self._parser.should_keep_alive()
        self._reset()

    def _parse(self, piece: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            raise malformed("this server does not switch protocols") from upgrade
        except httptools.HttpParserError as error:
            if len(self._url) > self._limits.max_uri_bytes:
                raise self._oversized() from error
            raise malformed(str(error).rstrip(".") or "invalid bytes") from error

    def _oversized(self) -> Refused:
        if len(self._url) > self._limits.max_uri_bytes:
            return Refused(
                "uri_too_long", f"The request target exceeds {self._limits.max_uri_bytes} bytes."
            )
        return Refused(
            "headers_too_large",
            f"The head of a request may have {self._limits.max_head_bytes} bytes"
            f" and {self._limits.max_headers} header fields.",
        )

    def _too_large(self) -> Refused:
        return Refused(
            "payload_too_large", f"The body exceeds {self._limits.max_body_bytes} bytes."
        )

    def _judge_head(self) -> None:
        version = self._parser.get_http_version()
        if version not in _VERSIONS:
            raise malformed(f"HTTP/{version} is not supported")
        if self._parser.should_upgrade():
            raise malformed("this server does not switch protocols")
        too_long = len(self._url) > self._limits.max_uri_bytes
        if too_long or self._header_count > self._limits.max_headers:
            raise self._oversized()
        if _FORBIDDEN_IN_TARGET.search(self._url):
            raise malformed("the request target has a character that must be percent-encoded")
        self._judge_host(version)
        for name in _SINGLE:
            if len(self._judged.get(name, ())) > 1:
                raise malformed(f"the header {name.decode()} is given more than once")
        self._choose_framing(version)

    def _judge_host(self, version: str) -> None:
        hosts = self._judged.get(b"host", [])
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            raise malformed("exactly one Host header is required")
        if hosts and _HOST.fullmatch(hosts[0]) is None:
            raise malformed("the Host header is not a host")

    def _choose_framing(self, version: str) -> None:
        codings = self._judged.get(b"transfer-encoding")
        if codings is not None:
            if version == "1.0" or len(codings) > 1 or codings[0].lower() != b"chunked":
                raise malformed("the only supported Transfer-Encoding is chunked, once")
            self._chunks = ChunkScanner()
            return
        lengths = self._judged.get(b"content-length")
        if lengths is None:
            return
        if len(lengths) > 1 or not lengths[0].isdigit():
            raise malformed("Content-Length is not one number")
        self._remaining = int(lengths[0])
        if self._remaining > self._limits.max_body_bytes:
            raise self._too_large()

    # llhttp calls these; an exception raised in them would lose its type.

    def on_message_begin(self) -> None:
        self.phase = Phase.HEAD

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        name = name.lower()
        if name in _JUDGED and not self._head_seen:
            self._judged.setdefault(name, []).append(value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        self._head_seen = True

    def on_message_complete(self) -> None:
        self._complete = True
