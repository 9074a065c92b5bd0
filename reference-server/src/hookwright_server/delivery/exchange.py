"""One HTTP/1.1 exchange on one connection: a request out, a bounded answer in.

The state of an asyncio protocol and of an llhttp parser, without sockets of its own. Strict:
what llhttp refuses (lengths that contradict, bare line feeds, folded headers) is a
`protocol_error`; what passes a limit before the status is known is an `Overflow`.
"""

from __future__ import annotations

import asyncio
import re
import select
import ssl
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from hookwright_server.domain.outcome import DeadlineExceeded, Overflow, Unreachable

MAX_BODY_BYTES: Final = 64 * 1024
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 256
MAX_INTERIM_ANSWERS: Final = 16
KEPT_BODY_BYTES: Final = 4 * 1024
# Chunk framing and trailers cost bytes too; this bounds a body that is all framing.
MAX_WIRE_BYTES: Final = MAX_HEAD_BYTES + 3 * MAX_BODY_BYTES

_WATCHED_HEADERS: Final = frozenset(
    {b"content-length", b"transfer-encoding", b"retry-after", b"keep-alive"}
)
_KEEP_ALIVE_TIMEOUT: Final = re.compile(rb"timeout\s*=\s*(\d{1,6})")


@dataclass(frozen=True, slots=True)
class Answer:
    """A receiver's answer. `body` is its first 4 KiB; `body_truncated` says that more came."""

    status: int
    retry_after: bytes | None
    body: bytes
    body_truncated: bool


Reply = Answer | Unreachable | DeadlineExceeded | Overflow


class PoolKey(NamedTuple):
    """Whose connection to where: accounts never share one, nor do two addresses of a name."""

    account_id: str
    scheme: str
    host: str
    port: int
    address: str


class _AnswerBroken(Exception):
    """Raised inside parser callbacks to stop parsing; `Connection._broken` says why."""


class Connection(asyncio.Protocol):
    """One connection, one exchange at a time. Also the parser's callback object."""

    __slots__ = (
        "_body_bytes",
        "_broken",
        "_chunks",
        "_framed",
        "_head_bytes",
        "_header_count",
        "_interim",
        "_keep_alive",
        "_loop",
        "_parser",
        "_poll",
        "_retry_after",
        "_spoiled",
        "_status",
        "_transport",
        "_waiter",
        "_wire_bytes",
        "closed",
        "idle_seconds",
        "idle_since",
        "key",
    )

    _body_bytes: int
    _broken: Reply | None
    _chunks: list[bytes]
    _framed: bool
    _head_bytes: int
    _header_count: int
    _interim: int
    _keep_alive: bool
    _retry_after: bytes | None
    _status: int
    _transport: asyncio.Transport
    _wire_bytes: int

    def __init__(self, loop: asyncio.AbstractEventLoop, key: PoolKey, idle_seconds: float) -> None:
        self.key = key
        self._loop = loop
        self._parser = HttpResponseParser(self)
        self._waiter: asyncio.Future[Reply] | None = None
        self._poll = select.poll()
        self._spoiled = False
        self.closed: asyncio.Future[None] = loop.create_future()
        self.idle_since = 0.0
        self.idle_seconds = idle_seconds
        self._begin()

    async def exchange(self, head: bytes, body: bytes, deadline: float) -> Reply:
        """Send one request and wait for its answer, until `deadline` (the loop's time)."""
        self._begin()
        waiter: asyncio.Future[Reply] = self._loop.create_future()
        self._waiter = waiter
        timer = self._loop.call_at(deadline, self._on_deadline)
        try:
            self._transport.writelines((head, body))
            return await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def is_reusable(self) -> bool:
        """Whether the exchange ended so cleanly that another may follow."""
        return (
            self._keep_alive
            and not self._spoiled
            and not self._transport.is_closing()
            and self._transport.get_write_buffer_size() == 0
        )

    def is_quiet(self) -> bool:
        """Whether an idle connection is still open with nothing to read: asks the socket itself."""
        return not (self._spoiled or self._transport.is_closing() or self._poll.poll(0))

    def abort(self) -> None:
        self._spoiled = True
        self._transport.abort()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            self.abort()  # bytes that nobody asked for
            return
        self._wire_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._spoiled = True
            if not waiter.done():
                self._settle(self._broken or Unreachable("protocol_error"))
            return
        if waiter.done():
            return
        if self._status == 0:
            if self._wire_bytes > MAX_HEAD_BYTES:
                self._settle(Overflow("head_bytes"))
        elif self._body_bytes > MAX_BODY_BYTES or self._wire_bytes > MAX_WIRE_BYTES:
            # The status decides even when the body is too long; the rest is never read.
            self._settle(self._answer(cut=True))

    def eof_received(self) -> bool:
        self._on_end(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._spoiled = True
        self._on_end(exc)
        del self._parser  # it holds our methods: a cycle that only the collector would end
        if not self.closed.done():
            self.closed.set_result(None)

    # httptools' callbacks

    def on_message_begin(self) -> None:
        if self._waiter is None or self._waiter.done():
            self._spoiled = True  # a second answer to one request

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._head_bytes += len(name) + len(value)
        if self._header_count > MAX_HEADERS:
            self._break(Overflow("header_count"))
        if self._head_bytes > MAX_HEAD_BYTES:
            self._break(Overflow("head_bytes"))
        name = name.lower()
        if self._status == 0 and name in _WATCHED_HEADERS:
            self._note_header(name, value)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == 101 or status < 100 or self._parser.get_http_version()[:2] != "1.":
            self._break(Unreachable("protocol_error"))
        if status >= 200:
            self._status = status
            return
        self._interim += 1
        if self._interim > MAX_INTERIM_ANSWERS:
            self._break(Overflow("interim_answers"))
        self._framed = False
        self._retry_after = None

    def on_body(self, data: bytes) -> None:
        if self._body_bytes < KEPT_BODY_BYTES:
            self._chunks.append(data[: KEPT_BODY_BYTES - self._body_bytes])
        self._body_bytes += len(data)

    def on_message_complete(self) -> None:
        waiter = self._waiter
        if self._status == 0 or waiter is None or waiter.done():
            return  # an interim answer, or one that nobody asked for
        self._keep_alive = self._parser.should_keep_alive()
        waiter.set_result(self._answer(cut=False))

    # what both share

    def _begin(self) -> None:
        self._status = 0
        self._retry_after = None
        self._chunks = []
        self._body_bytes = self._wire_bytes = self._head_bytes = 0
        self._header_count = self._interim = 0
        self._framed = self._keep_alive = False
        self._broken = None

    def _note_header(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self._framed = True
        elif name == b"transfer-encoding":
            self._framed = value.lower().rstrip().endswith(b"chunked")
        elif name == b"retry-after":
            self._retry_after = value
        else:
            self.idle_seconds = min(self.idle_seconds, _promised_seconds(value))

    def _answer(self, *, cut: bool) -> Answer:
        truncated = cut or self._body_bytes > KEPT_BODY_BYTES
        return Answer(self._status, self._retry_after, b"".join(self._chunks), truncated)

    def _break(self, reply: Reply) -> None:
        self._broken = reply
        raise _AnswerBroken

    def _settle(self, reply: Reply) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(reply)

    def _on_deadline(self) -> None:
        unsent = self._transport.get_write_buffer_size() > 0
        self._settle(DeadlineExceeded("send" if unsent else "response"))

    def _on_end(self, error: Exception | None) -> None:
        """The peer ended: an answer without a length is complete, any other is cut short."""
        if self._waiter is None or self._waiter.done():
            return
        if self._status and not self._framed and error is None:
            self._settle(self._answer(cut=False))
        else:
            is_tls = isinstance(error, ssl.SSLError)
            self._settle(Unreachable("tls_error" if is_tls else "connection_reset"))


def _promised_seconds(keep_alive: bytes) -> float:
    """How long `Keep-Alive: timeout=N` lets us rely on the connection; a second less than N."""
    match = _KEEP_ALIVE_TIMEOUT.search(keep_alive)
    return max(0.0, float(match[1]) - 1.0) if match else float("inf")
