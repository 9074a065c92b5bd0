"""The connection to one of the application's servers that belongs to one client's connection."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from hookwright_server.http.frontdoor.backends import Backend, Backends
from hookwright_server.http.frontdoor.framing import FramingError, ResponseFramer, ResponsePart
from hookwright_server.http.frontdoor.request import Request

_CONNECT_TRIES = 20
_CONNECT_PAUSE_S = 0.025


class ResponseSink(Protocol):
    """The client's side, as the upstream connection sees it."""

    def response_part(self, part: ResponsePart) -> None:
        """Take a piece of the oldest unanswered request's response."""
        ...

    def upstream_lost(self, response_ended: bool) -> None:
        """The connection ended; `response_ended`: that was how a response said where it ends."""
        ...

    def pause_requests(self) -> None:
        """The server reads slower than the client writes."""
        ...

    def resume_requests(self) -> None:
        """The server has caught up."""
        ...


class Upstream(asyncio.Protocol):
    """Sends whole requests, hands on the parts of their responses. Connects when first used.

    A server that cannot be connected to has seen nothing of the requests: another one gets them.
    """

    def __init__(
        self, sink: ResponseSink, loop: asyncio.AbstractEventLoop, backends: Backends
    ) -> None:
        self._sink: ResponseSink | None = sink
        self._framer = ResponseFramer()
        self._unsent: list[bytes | bytearray] = []
        self._transport: asyncio.Transport | None = None
        self._reading_paused = False
        self._backends = backends
        self._backend: Backend | None = None
        self._unanswered = 0
        self._join(backends.choose())
        self._connecting = loop.create_task(self._connect(loop))

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(_CONNECT_TRIES):
            backend = self._backend
            if backend is None:
                break
            try:
                await loop.create_unix_connection(lambda: self, backend.path)
                return
            except BlockingIOError:  # the listen queue is full: the server is alive, only busy
                await asyncio.sleep(_CONNECT_PAUSE_S)
                if backend.retired:
                    self._join(self._backends.choose())
            except OSError:
                backend.is_silent = True
                self._join(self._backends.choose(other_than=backend))
        self._lost(response_ended=False)

    def _join(self, backend: Backend | None) -> None:
        if self._backend is not None:
            self._backend.left(self._unanswered)
        self._backend = backend
        if backend is not None:
            backend.joined(self._unanswered)

    def _leave(self) -> None:
        self._join(None)
        self._unanswered = 0

    @property
    def suits(self) -> bool:
        """Whether the next request, when none is under way, should take this connection too."""
        return self._backend is not None and self._backends.suits(self._backend)

    @property
    def open_requests(self) -> int:
        """How many requests its server has not answered yet, those of other clients included."""
        return 0 if self._backend is None else self._backend.requests

    def send(self, request: Request) -> None:
        """Forward one complete request."""
        self._framer.expect(request.is_head)
        self._unanswered += 1
        if self._backend is not None:
            self._backend.sent()
        if self._transport is None:
            self._unsent.append(request.raw)
        else:
            self._transport.write(request.raw)

    def pause_reading(self) -> None:
        """Take no more response bytes until `resume_reading`."""
        self._reading_paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Undo `pause_reading`."""
        if self._reading_paused and self._transport is not None:
            self._transport.resume_reading()
        self._reading_paused = False

    def abandon(self) -> None:
        """Drop the connection; nothing is reported any more."""
        self._sink = None
        self._leave()
        self._unsent.clear()
        self._connecting.cancel()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._sink is None:
            self._transport.abort()
            return
        if self._reading_paused:
            self._transport.pause_reading()
        for raw in self._unsent:
            self._transport.write(raw)
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        try:
            for part in self._framer.feed(data):
                if self._sink is None:
                    return
                if part.last and (part.head is None or part.head.status >= 200):
                    self._settle_one()
                self._sink.response_part(part)
        except FramingError:
            self._lost(response_ended=False)

    def _settle_one(self) -> None:
        self._unanswered -= 1
        if self._backend is not None:
            self._backend.answered()

    def eof_received(self) -> bool | None:
        self._lost(response_ended=self._framer.until_eof)
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(response_ended=self._framer.until_eof and exc is None)

    def pause_writing(self) -> None:
        if self._sink is not None:
            self._sink.pause_requests()

    def resume_writing(self) -> None:
        if self._sink is not None:
            self._sink.resume_requests()

    def _lost(self, *, response_ended: bool) -> None:
        sink, self._sink = self._sink, None
        self._leave()
        if self._transport is not None:
            self._transport.abort()
        if sink is not None:
            sink.upstream_lost(response_ended)
