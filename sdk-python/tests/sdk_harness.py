"""A scripted HTTP API on a real socket, and both flavours of the client behind one face."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

from hookwright._core.call import Call
from hookwright._core.client import AsyncCore, SyncCore
from hookwright._core.runtime import Runtime
from hookwright._core.settings import settings_from
from hookwright._core.transport import AsyncTransport, SyncTransport

API_KEY = "hw_test_key"
NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Received:
    """One request as it came over the socket; header names are lower-case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Step = bytes | Callable[[socket.socket, threading.Event], None]
"""What to do with one request: send these bytes, or handle the connection. Then it is closed."""


@dataclass
class ScriptedApi:
    """Answers each request with the next step of its script, and remembers it."""

    steps: list[Step] = field(default_factory=list[Step])
    requests: list[Received] = field(default_factory=list[Received])
    closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        if self.closing.is_set():
            return
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(60)
        self.join()

    def join(self) -> None:
        """Wait until all connections so far are done with."""
        while self._threads:
            self._threads.pop().join(60)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(60)
            request = _read_request(connection)
            if request is None:
                return
            self.requests.append(request)
            step = self.steps.pop(0) if self.steps else _unscripted()
            try:
                if isinstance(step, bytes):
                    connection.sendall(step)
                    connection.shutdown(socket.SHUT_WR)
                else:
                    step(connection, self.closing)
            except OSError:
                return  # the client has gone, which some scripts want


def _unscripted() -> bytes:
    body = b'{"code": "unscripted"}'
    head = b"HTTP/1.1 418 Unscripted\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    return head % (len(body), body)


def _read_request(connection: socket.socket) -> Received | None:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.split(": ", 1) for line in lines)
    headers = {name.lower(): value for name, value in pairs}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return Received(method, target, headers, body)


def answer(
    body: bytes = b"{}", *, status: int = 200, chunked: bool = False, **headers: str
) -> bytes:
    """A whole answer, after which the connection is closed."""
    lines = [f"HTTP/1.1 {status} Reason", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def dripping(head: bytes, drop: bytes, *, seconds: float = 0.02) -> Step:
    """Sends `head`, and then `drop` again and again, slowly, for ever."""

    def drip(connection: socket.socket, closing: threading.Event) -> None:
        connection.sendall(head)
        while not closing.wait(seconds):
            connection.sendall(drop)

    return drip


def read_request(connection: socket.socket) -> Received | None:
    """The next request on a connection that a step handles itself."""
    return _read_request(connection)


class Driver:
    """Calls through one of the cores; waits are recorded instead of waited."""

    def __init__(self, flavour: str, base_url: str, stack: ExitStack) -> None:
        self.flavour = flavour
        self.sleeps: list[float] = []
        numbers = itertools.count(1)
        self.runtime = Runtime(
            clock=lambda: NOW,
            monotonic=time.monotonic,
            random=lambda: 1.0,
            sleep=self.sleeps.append,
            async_sleep=self._async_sleep,
            new_key=lambda: f"key-{next(numbers)}",
        )
        settings = settings_from(API_KEY, base_url, {}).with_options(timeout=60)
        if flavour == "sync":
            self.sync_transport = SyncTransport(None, self.runtime.monotonic)
            self.sync_core = SyncCore(self.sync_transport, settings, self.runtime)
            stack.callback(self.sync_transport.close)
        else:
            self.runner = stack.enter_context(asyncio.Runner())
            client: Literal["aiohttp"] | None = "aiohttp" if flavour == "aiohttp" else None
            self.async_transport = AsyncTransport(client, self.runtime.monotonic)
            self.async_core = AsyncCore(self.async_transport, settings, self.runtime)
            stack.callback(lambda: self.runner.run(self._close()))

    async def _close(self) -> None:
        """Leave no socket to the garbage collector."""
        await self.async_transport.aclose()
        # What waits to be sent keeps a transport of asyncio open until it notices that the peer
        # has gone. On a busy machine that is later than the last turn of the loop.
        selector: Any = getattr(asyncio.get_running_loop(), "_selector")  # noqa: B009
        deadline = time.monotonic() + 30
        while len(selector.get_map()) > 1:  # the loop's own pipe
            assert time.monotonic() < deadline, list(selector.get_map().values())
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)

    async def _async_sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)

    def with_options(self, **options: Any) -> None:
        if self.flavour == "sync":
            self.sync_core = self.sync_core.with_options(**options)
        else:
            self.async_core = self.async_core.with_options(**options)

    def point_to(self, base_url: str, **options: Any) -> None:
        """Send to another address from now on."""
        settings = settings_from(API_KEY, base_url, {}).with_options(**options)
        if self.flavour == "sync":
            self.sync_core = SyncCore(self.sync_transport, settings, self.runtime)
        else:
            self.async_core = AsyncCore(self.async_transport, settings, self.runtime)

    def request(self, call: Call[Any]) -> Any:
        if self.flavour == "sync":
            return self.sync_core.request(call)
        return self.runner.run(self.async_core.request(call))

    def page(self, call: Call[Any]) -> Any:
        if self.flavour == "sync":
            return self.sync_core.page(call)

        async def first() -> Any:
            return await self.async_core.page(call)

        return self.runner.run(first())

    def next_page(self, page: Any) -> Any:
        return page.next_page() if self.flavour == "sync" else self.runner.run(page.next_page())

    def items(self, call: Call[Any]) -> list[Any]:
        """All items of all pages."""
        if self.flavour == "sync":
            return list(self.sync_core.page(call))

        async def walk() -> list[Any]:
            return [item async for item in self.async_core.page(call)]

        return self.runner.run(walk())

    def pages(self, call: Call[Any]) -> list[Any]:
        """The data of each page."""
        if self.flavour == "sync":
            return [page.data for page in self.sync_core.page(call).iter_pages()]

        async def walk() -> list[Any]:
            return [page.data async for page in self.async_core.page(call).iter_pages()]

        return self.runner.run(walk())
