"""One client's connection: reads requests, relays responses, sheds what misbehaves."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from hookwright_server.http.frontdoor.context import Context
from hookwright_server.http.frontdoor.framing import ResponseHead, ResponsePart
from hookwright_server.http.frontdoor.refusal import RefusalCode, Refused, code_of_status
from hookwright_server.http.frontdoor.request import Phase, Request, RequestReader
from hookwright_server.http.frontdoor.upstream import Upstream

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_OVERFLOW_CONNECTIONS = 256
_BUSY = "The server has too many connections; try again shortly."
_FULL = "The server has too many requests to work on; try again shortly."
_GONE = "The server is stopping or restarting; try again shortly."


class ClientConnection(asyncio.Protocol):
    """Only complete requests go upstream; only whole answers leave, the front door's own last.

    Life: reading → ending (input is ignored, responses in flight are relayed) → lingering (all is
    written, the client may still be sending) → closed.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._limits = context.limits
        self._reader = RequestReader(context.limits)
        self._upstream: Upstream | None = None
        self._transport = cast(asyncio.Transport, None)
        self._outstanding = deque[int]()  # sizes of the requests that await their answers
        self._answering = False
        self._until_eof = False
        self._ending = False
        self._client_done = False
        self._refusal: bytes | None = None
        self._counted_bytes = 0
        self._in_flight_bytes = 0
        self._told_to_continue = False
        self._reading_paused = False
        self._upstream_full = False
        now = context.loop.time()
        self._read_at = self._message_at = self._body_at = self._idle_at = self._sent_at = now
        self._stalled_at: float | None = None
        self._lingering_at: float | None = None
        self._greeted = False

    # From the client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        present = len(self._context.clients)
        self._context.join(self)
        if present >= self._limits.max_connections + _OVERFLOW_CONNECTIONS:
            self._transport.abort()
        elif present >= self._limits.max_connections:
            self._refuse("unavailable", _BUSY)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        reader = self._reader
        before = reader.phase
        try:
            reader.feed(data)
        except Refused as refused:
            self._forward()
            self._refuse(refused.code, refused.detail)
            return
        self._note_time(before, bool(reader.ready))
        if reader.ready:
            self._forward()
        if reader.held_bytes + self._in_flight_bytes != self._counted_bytes:
            self._count_bytes()
            buffered = self._context.buffered_bytes
            if reader.held_bytes and buffered > self._limits.max_buffered_bytes:
                self._refuse("unavailable", _BUSY)
        if reader.phase is Phase.BODY:
            self._tell_to_continue()

    def _note_time(self, before: Phase, completed: bool) -> None:
        now = self._read_at = self._context.loop.time()
        phase = self._reader.phase
        if phase is Phase.IDLE:
            return
        if before is Phase.IDLE or completed:
            self._message_at = now
        if phase is Phase.BODY and (before is not Phase.BODY or completed):
            self._body_at = now

    def _forward(self) -> None:
        reader = self._reader
        if not reader.ready:
            return
        upstream = self._upstream
        if upstream is None or not (self._outstanding or self._suits(upstream)):
            upstream = self._choose_upstream()
        for request in reader.ready:
            if self._is_full(upstream):
                self._turn_away(request)
                break
            upstream.send(request)
            self._outstanding.append(len(request.raw))
            self._in_flight_bytes += len(request.raw)
        reader.ready.clear()
        self._greeted = True
        self._told_to_continue = False
        self._sent_at = self._context.loop.time()
        if self._refusal is not None:
            return
        if reader.finished:
            self._ending = True
        elif len(self._outstanding) >= self._limits.max_pipelined:
            self._regulate()

    def _suits(self, upstream: Upstream) -> bool:
        return upstream.suits and not self._is_full(upstream)

    def _is_full(self, upstream: Upstream) -> bool:
        return upstream.open_requests >= self._limits.max_open_requests

    def _turn_away(self, request: Request) -> None:
        self._context.turned_away += 1
        self._refuse_as("unavailable", _FULL, request.traceparent, is_head=request.is_head)

    def _choose_upstream(self) -> Upstream:
        self._drop_upstream()
        self._upstream_full = False
        upstream = self._upstream = Upstream(self, self._context.loop, self._context.backends)
        if self._stalled_at is not None:
            upstream.pause_reading()
        return upstream

    def _count_bytes(self) -> None:
        counted = self._reader.held_bytes + self._in_flight_bytes
        self._context.buffered_bytes += counted - self._counted_bytes
        self._counted_bytes = counted

    def _tell_to_continue(self) -> None:
        if self._ending or self._outstanding or self._told_to_continue:
            return
        if not self._reader.awaits_continue:
            return
        self._told_to_continue = True
        self._transport.write(_CONTINUE)

    def eof_received(self) -> bool | None:
        self._client_done = True
        if self._lingering_at is not None:
            return None
        if not self._ending and self._reader.phase is not Phase.IDLE:
            self._refuse("validation_error", "The connection ended in the middle of a request.")
            return True
        self._ending = True
        return bool(self._outstanding)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._ending = True
        self._drop_upstream()
        self._reader.release()
        self._context.buffered_bytes -= self._counted_bytes
        self._counted_bytes = 0
        self._context.leave(self)

    def pause_writing(self) -> None:
        self._stalled_at = self._context.loop.time()
        if self._upstream is not None:
            self._upstream.pause_reading()

    def resume_writing(self) -> None:
        self._stalled_at = None
        if self._upstream is not None:
            self._upstream.resume_reading()

    # From the upstream connection

    def response_part(self, part: ResponsePart) -> None:
        head, data = part.head, part.data
        self._sent_at = self._context.loop.time()
        if head is not None:
            if head.status < 200:
                return  # the front door has itself told the client to continue
            if not head.has_request_id:
                self._replace(head)
                return
            self._answering = True
            self._until_eof = head.closes
            if self._is_last_answer() and not head.closes:
                data = _with_close(data)
        self._transport.write(data)
        if part.last:
            self._answered()

    def _is_last_answer(self) -> bool:
        """Whether the client should be told that no further request will be read."""
        ending = self._context.draining or self._ending
        return ending and len(self._outstanding) == 1 and self._refusal is None

    def _answered(self) -> None:
        self._in_flight_bytes -= self._outstanding.popleft()
        self._count_bytes()
        self._answering = False
        if self._until_eof:
            self._close()
            return
        self._idle_at = self._sent_at
        if not self._outstanding:
            self._all_answered()
        if self._reading_paused:
            self._regulate()

    def _all_answered(self) -> None:
        if self._refusal is not None:
            self._finish(self._refusal)
        elif self._ending or (self._context.draining and self._reader.phase is Phase.IDLE):
            self._close()
        elif self._reader.phase is Phase.BODY:
            self._tell_to_continue()

    def _replace(self, head: ResponseHead) -> None:
        """The HTTP server, not the application, refused the request: say it in our words."""
        code = code_of_status(head.status)
        answer = self._context.answer(
            code, "The request could not be processed.", with_body=not head.to_head_request
        )
        self._ending = True
        self._outstanding.clear()
        self._drop_upstream()
        self._finish(answer)

    def upstream_lost(self, response_ended: bool) -> None:
        self._upstream = None
        self._upstream_full = False
        if self._answering:
            if response_ended:
                self._answered()
            self._close()
        elif self._outstanding:
            self._outstanding.clear()
            if self._refusal is None:
                self._refuse("unavailable", _GONE)
            else:
                self._finish(self._context.answer("unavailable", _GONE))

    def pause_requests(self) -> None:
        self._upstream_full = True
        self._regulate()

    def resume_requests(self) -> None:
        self._upstream_full = False
        self._regulate()

    def _regulate(self) -> None:
        """Stop reading while the server is behind, so that nothing piles up here."""
        pause = self._upstream_full or len(self._outstanding) >= self._limits.max_pipelined
        if self._transport.is_closing() or pause == self._reading_paused:
            return
        self._reading_paused = pause
        if pause:
            self._transport.pause_reading()
            return
        now = self._context.loop.time()
        self._read_at = self._message_at = self._body_at = now
        self._transport.resume_reading()

    # Housekeeping

    def expire(self, now: float) -> None:
        """Shed the client when one of its deadlines has passed."""
        limits = self._limits
        if self._lingering_at is not None:
            linger = limits.linger_s / 4 if self._context.draining else limits.linger_s
            if now - self._lingering_at > linger:
                self.abort()
        elif self._stalled_at is not None:
            if now - self._stalled_at > limits.write_stall_s:
                self.abort()
        elif self._outstanding and now - self._sent_at > limits.response_timeout_s:
            self._response_overdue()
        elif not self._ending and not self._reading_paused:
            self._expire_reading(now)

    def _response_overdue(self) -> None:
        self._drop_upstream()
        self.upstream_lost(response_ended=False)

    def _expire_reading(self, now: float) -> None:
        limits = self._limits
        phase = self._reader.phase
        if phase is Phase.IDLE:
            patience = limits.keep_alive_s if self._greeted else limits.head_timeout_s
            if not self._outstanding and now - self._idle_at > patience:
                self._close()
        elif phase is Phase.HEAD:
            if now - self._message_at > limits.head_timeout_s:
                self._refuse("request_timeout", "The head of the request took too long to arrive.")
        elif (
            now - self._read_at > limits.body_silence_s
            or now - self._body_at > limits.body_timeout_s
        ):
            self._refuse("request_timeout", "The body of the request took too long to arrive.")

    def drain(self) -> None:
        """End the connection after what it has in flight.

        An idle one stays for a moment: a request may be on its way, and closing would leave its
        sender in doubt.
        """
        self._context.loop.call_later(self._limits.drain_grace_s, self._close_idle)

    def _close_idle(self) -> None:
        if not self._outstanding and not self._ending and self._reader.phase is Phase.IDLE:
            self._close()

    def abort(self) -> None:
        """Drop the connection now."""
        self._transport.abort()

    def _refuse(self, code: RefusalCode, detail: str) -> None:
        """Refuse the request that is being read."""
        self._refuse_as(code, detail, self._reader.traceparent, is_head=self._reader.is_head)

    def _refuse_as(
        self, code: RefusalCode, detail: str, traceparent: bytes, *, is_head: bool
    ) -> None:
        """Answer with a problem once the earlier responses are out; read nothing more."""
        if self._ending and self._refusal is not None:
            return
        self._ending = True
        self._refusal = self._context.answer(code, detail, traceparent, with_body=not is_head)
        if not self._outstanding:
            self._finish(self._refusal)

    def _finish(self, answer: bytes) -> None:
        """Write the last answer, then wait for the client to stop sending.

        Closing at once would send a reset that can destroy the answer on its way.
        """
        if self._lingering_at is not None or self._transport.is_closing():
            return
        self._lingering_at = self._context.loop.time()
        self._drop_upstream()
        self._transport.write(answer)
        if self._client_done:
            self._transport.close()
            return
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()
        self._transport.write_eof()

    def _close(self) -> None:
        self._ending = True
        self._outstanding.clear()
        self._drop_upstream()
        self._transport.close()

    def _drop_upstream(self) -> None:
        if self._upstream is not None:
            self._upstream.abandon()
            self._upstream = None


def _with_close(data: bytes) -> bytes:
    """The response with `connection: close` after its status line."""
    at = data.index(b"\r\n") + 2
    return data[:at] + b"connection: close\r\n" + data[at:]
