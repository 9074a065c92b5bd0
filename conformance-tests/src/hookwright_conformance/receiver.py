"""A scripted webhook receiver on raw sockets, in a thread of its own.

    with Receiver.start() as receiver:
        hook = receiver.path("orders", status(500), status(200))
        ...                                   # have something delivered to hook.url
        first, second = hook.wait_for(2, timeout=10)

It speaks just enough HTTP/1.1 to record a request byte for byte and then does what the script of
that path says (see `answers.py`): the n-th request gets the n-th answer, the last one is repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from hookwright_conformance.answers import OK, Answer, status
from hookwright_conformance.certificates import FLAVOURS, CertificateSet, Identity
from hookwright_conformance.connection import Connection
from hookwright_conformance.errors import NotReceived
from hookwright_conformance.received import Ending, Listener, Received

__all__ = ["Canary", "Ending", "Hook", "Listener", "Received", "Receiver", "Script", "sequence"]

Script = Callable[[Received], Answer]


def sequence(*answers: Answer) -> Script:
    """Request n gets answer n; the last answer is repeated."""
    steps = answers or (OK,)
    return lambda request: steps[min(request.number, len(steps)) - 1]


class Hook:
    """One path of a receiver with its script and everything that came in. Safe from any thread."""

    def __init__(self, receiver: Receiver, name: str, script: Script) -> None:
        self.name = name
        self._receiver = receiver
        self._script = script
        self._requests: list[Received] = []
        self._changed = receiver.changed

    @property
    def url(self) -> str:
        """Where to deliver to, over plain HTTP and IPv4."""
        return self.on("http")

    def on(self, listener: Listener) -> str:
        """The same path on another listener: `http6`, or a TLS one by its certificate."""
        return f"{self._receiver.base_url(listener)}/{self.name}"

    def script(self, *answers: Answer) -> None:
        """Replace the answers; counting goes on, so the first one answers request 1."""
        self._script = sequence(*answers)

    def respond_with(self, script: Script) -> None:
        """Let a function choose the answer of each request."""
        self._script = script

    @property
    def requests(self) -> list[Received]:
        """All requests so far, broken-off ones included (their `arrived` is 0)."""
        with self._changed:
            return [request for request in self._requests if request.arrived or request.ending]

    def wait_for(self, count: int, timeout: float) -> list[Received]:
        """All requests as soon as there are `count`. Raises NotReceived after `timeout` seconds."""
        self._until(lambda: len(self.requests) >= count, timeout, f"{count} request(s)")
        return self.requests

    def wait_for_end(self, count: int, timeout: float) -> Ending:
        """How request number `count` ended, as soon as it has. Raises NotReceived."""
        wanted = f"the end of request {count}"
        self._until(lambda: self._ending(count) is not None, timeout, wanted)
        return self._ending(count) or Ending("receiver", math.inf)

    def _ending(self, count: int) -> Ending | None:
        requests = self.requests
        return requests[count - 1].ending if len(requests) >= count else None

    def stays_at(self, count: int, seconds: float) -> None:
        """Return after `seconds` without a request beyond `count`; raise NotReceived for one."""
        with self._changed:
            if self._changed.wait_for(lambda: len(self.requests) > count, seconds):
                raise NotReceived(
                    f"requests to /{self.name}", f"{count} and no more", f"{len(self.requests)}"
                )

    def _until(self, condition: Callable[[], bool], timeout: float, wanted: str) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise NotReceived(
                    f"requests to /{self.name} within {timeout:g} s",
                    wanted,
                    f"{len(self.requests)} request(s)",
                )

    def begin(self, request: Received) -> Answer:
        """For the receiver: take the next number and choose the answer."""
        with self._changed:
            self._requests.append(request)
            request.number = len(self._requests)
        return self._script(request)


@dataclass(frozen=True, slots=True)
class Visit:
    """A connection to a place where nobody should have come."""

    at: float
    data: bytes


class Canary:
    """A listener that must receive nothing; it records each connection and its first bytes."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.host = ""
        self.port = 0
        self._live: dict[asyncio.Task[None] | None, asyncio.WriteTransport] = {}

    @property
    def url(self) -> str:
        """An address that a redirect or a forbidden spelling may point at."""
        return f"http://{_in_url(self.host)}:{self.port}/canary"

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """For the receiver: note the visit and hang up."""
        at = time.monotonic()
        data = b""
        task = asyncio.current_task()
        self._live[task] = writer.transport
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(0.5):
                data = await reader.read(4096)
        self.visits.append(Visit(at, data))
        writer.close()
        del self._live[task]

    def abort(self) -> Iterator[asyncio.Task[None] | None]:
        """Cut the visits; the tasks, which note them, end soon after."""
        for task, transport in self._live.items():
            transport.abort()
            yield task


class Receiver:
    """The running receiver. `start()` it, give each case a `path()`, `close()` it."""

    def __init__(self, host: str, public_url: str | None) -> None:
        self.host = host
        self.canary = Canary()
        self.changed = threading.Condition(threading.RLock())
        self.authority: Path | None = None
        """The certificate file that a client must trust to reach the `good` TLS listener."""
        self._public_url = public_url
        self._ipv6 = ""
        self._hooks: dict[str, Hook] = {}
        self._strays = Hook(self, "(unknown path)", sequence(status(404)))
        self._ports: dict[Listener, int] = {}
        self._connections = 0
        self._servers: list[asyncio.Server] = []
        self._live: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)
        self._folder = tempfile.TemporaryDirectory(prefix="hookwright-receiver-")

    @classmethod
    def start(
        cls,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        public_url: str | None = None,
        tls: bool = False,
        authority: Identity | None = None,
        ipv6: str | None = None,
    ) -> Self:
        """Listen on `host:port` (0 = any free port). `public_url` is how the sender reaches it when
        that is not the bound address. `tls` adds a listener for each flavour of certificate, on the
        ports that follow `port`, issued by `authority` or a new one; `ipv6` is one more address to
        listen on. Raises OSError."""
        receiver = cls(host, public_url)
        receiver._ipv6 = ipv6 or ""
        receiver._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(
                receiver._listen(port, authority, tls=tls), receiver._loop
            ).result(20)
        except BaseException:
            receiver.close()
            raise
        return receiver

    def path(self, name: str, *answers: Answer) -> Hook:
        """A fresh path that begins with `name`; without answers every request gets 200."""
        hook = Hook(self, f"{name}-{secrets.token_hex(4)}", sequence(*answers))
        self._hooks[hook.name] = hook
        return hook

    @property
    def strays(self) -> list[Received]:
        """Requests to paths that nobody asked for."""
        return self._strays.requests

    def base_url(self, listener: Listener = "http") -> str:
        """Scheme, host and port of a listener. Raises KeyError when it was not started."""
        if listener == "http" and self._public_url is not None:
            return self._public_url.rstrip("/").replace("{port}", str(self._ports["http"]))
        scheme = "https" if listener in FLAVOURS else "http"
        host = self._ipv6 if listener == "http6" else self._public_host()
        return f"{scheme}://{_in_url(host)}:{self._ports[listener]}"

    def _public_host(self) -> str:
        if self._public_url is None:
            return self.host
        return urlsplit(self._public_url.replace("{port}", "0")).hostname or self.host

    def close(self) -> None:
        """Stop listening and cut every connection. May be called twice."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        if not self._loop.is_closed() and not self._loop.is_running():
            self._loop.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, request: Received) -> Answer:
        name = request.target.split("?", 1)[0].rsplit("/", 1)[-1]
        return self._hooks.get(name, self._strays).begin(request)

    def _notify(self) -> None:
        with self.changed:
            self.changed.notify_all()

    async def _listen(self, port: int, authority: Identity | None, *, tls: bool) -> None:
        await self._open("http", self.host, port)
        canary = await asyncio.start_server(self.canary.meet, self.host, 0)
        self._servers.append(canary)
        self.canary.host, self.canary.port = self.host, _port_of(canary)
        if self._ipv6:
            await self._open("http6", self._ipv6, port)
        if tls:
            hosts = tuple(dict.fromkeys((self._public_host(), self.host, "localhost")))
            certificates = CertificateSet(Path(self._folder.name), hosts, authority)
            self.authority = certificates.authority
            for number, flavour in enumerate(FLAVOURS, 1):
                # Beside a chosen port, so that a firewall can let all of them through.
                tls_port = port + number if port else 0
                await self._open(flavour, self.host, tls_port, certificates.context(flavour))

    async def _open(
        self, listener: Listener, host: str, port: int, context: ssl.SSLContext | None = None
    ) -> None:
        def connect() -> Connection:
            self._connections += 1
            return Connection(listener, self._connections, self._begin, self._notify, self._live)

        server = await self._loop.create_server(connect, host, port, ssl=context, backlog=1024)
        self._servers.append(server)
        self._ports[listener] = _port_of(server)

    async def _stop(self) -> None:
        for listening in (listening for server in self._servers for listening in server.sockets):
            self._loop.remove_reader(listening.fileno())
        # What was accepted a moment ago gets its task, its transport and its protocol: of a server
        # that is closed already, asyncio would leave its socket open.
        for _ in range(4):
            await asyncio.sleep(0)
        for server in self._servers:
            server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            served = {connection.abort() for connection in self._live}
            for handshake in others - served - set(self.canary.abort()):
                handshake.cancel()
            await asyncio.wait(others)
        await asyncio.sleep(0)  # and the transports close their sockets


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port
