"""One accepted connection of the receiver: reads requests, performs answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable
from typing import cast

from hookwright_conformance.answers import Answer, Drip, Hold, Pause, Send, Step
from hookwright_conformance.received import Ending, Listener, Received

_LIMIT = 8 * 1024 * 1024
_LOOK_EVERY_S = 0.01


class _ClientLeft(Exception):
    """The client closed or reset the connection."""


class Connection(asyncio.Protocol):
    """One accepted connection: reads requests, performs answers, notices when the client leaves."""

    _transport: asyncio.Transport
    _task: asyncio.Task[None]

    def __init__(
        self,
        listener: Listener,
        number: int,
        begin: Callable[[Received], Answer],
        notify: Callable[[], None],
        live: set[Connection],
    ) -> None:
        self._listener: Listener = listener
        self._number = number
        self._begin = begin
        self._notify = notify
        self._live = live
        self._buffer = bytearray()
        self._began = 0.0
        self._left_at: float | None = None
        self._wake = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._wrote_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._live.add(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._began = time.monotonic()
        self._buffer += data
        self._wake.set()

    def eof_received(self) -> bool:
        self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._leave()
        self._live.discard(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> asyncio.Task[None]:
        """Cut the connection; the returned task ends soon after."""
        self._transport.abort()
        return self._task

    def _leave(self) -> None:
        if self._left_at is None:
            self._left_at = time.monotonic()
        self._wake.set()
        self._writable.set()

    async def _serve(self) -> None:
        with contextlib.suppress(_ClientLeft, ValueError):
            while await self._exchange():
                pass
        self._transport.close()

    async def _exchange(self) -> bool:
        request = await self._read_head()
        answer = self._begin(request)
        request.answer = answer.name
        try:
            if answer.reads_body:
                request.body = await self._read_body(request)
            request.wall, request.arrived = time.time(), time.monotonic()
            self._notify()
            await self._perform(answer)
        except _ClientLeft:
            request.ending = Ending("client", self._left_at or time.monotonic())
            raise
        finally:
            if request.ending is None:
                # The moment before the last write: a wait measured from it is never too short.
                kept = answer.finish.how == "keep"
                request.ending = Ending("answered" if kept else "receiver", self._wrote_at)
            self._notify()
        return answer.finish.how == "keep"

    async def _read_head(self) -> Received:
        end = await self._find(b"\r\n\r\n")
        began = self._began
        head = self._take(end + 4)
        lines = head[:-4].decode("latin-1").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        fields = (line.partition(":") for line in lines[1:])
        headers = tuple((name, value.strip(" \t")) for name, _, value in fields)
        target = rest.rpartition(" ")[0]
        number, listener = self._number, self._listener
        tls = self._transport.get_extra_info("ssl_object")
        version = None if tls is None else tls.version()
        return Received(0, number, listener, method, target, headers, head, began, tls=version)

    async def _read_body(self, request: Received) -> bytes:
        if (request.header("transfer-encoding") or "").lower() == "chunked":
            return await self._read_chunks()
        length = int(request.header("content-length") or 0)
        await self._fill(length)
        return self._take(length)

    async def _read_chunks(self) -> bytes:
        body = b""
        while True:
            end = await self._find(b"\r\n")
            size = int(self._take(end + 2).split(b";")[0], 16)
            await self._fill(size + 2)
            body += self._take(size + 2)[:-2]
            if size == 0:
                return body

    async def _find(self, mark: bytes) -> int:
        while (end := self._buffer.find(mark)) < 0:
            await self._more()
        return end

    async def _fill(self, length: int) -> None:
        while len(self._buffer) < length:
            await self._more()

    async def _more(self) -> None:
        if self._left_at is not None or len(self._buffer) > _LIMIT:
            raise _ClientLeft
        self._wake.clear()
        await self._wake.wait()

    def _take(self, length: int) -> bytes:
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._began = time.monotonic()
        return data

    async def _perform(self, answer: Answer) -> None:
        for step in answer.steps:
            await self._take_step(step)
        if answer.finish.how != "keep":
            self._wrote_at = time.monotonic()
        match answer.finish.how:
            case "hang":
                await self._pause(None)
            case "reset":
                self._reset()
            case "keep" | "close":
                pass

    async def _take_step(self, step: Step) -> None:
        match step:
            case Send(data, times):
                for _ in range(times):
                    await self._write(data)
            case Pause(seconds):
                await self._pause(seconds)
            case Drip(data, interval):
                await self._drip(data, interval)
            case Hold(gate):
                while not gate.is_set():
                    await self._pause(_LOOK_EVERY_S)

    async def _drip(self, data: bytes, interval: float) -> None:
        for index in range(len(data)):
            await self._write(data[index : index + 1])
            await self._pause(interval)

    async def _write(self, data: bytes) -> None:
        if self._left_at is not None or self._transport.is_closing():
            raise _ClientLeft
        self._wrote_at = time.monotonic()
        self._transport.write(data)
        await asyncio.sleep(0)  # a long run of writes must let the loop notice that the client left
        await self._writable.wait()

    async def _pause(self, seconds: float | None) -> None:
        """Wait, unless the client leaves first."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._left_at is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left)
        raise _ClientLeft

    def _reset(self) -> None:
        handle = self._transport.get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
