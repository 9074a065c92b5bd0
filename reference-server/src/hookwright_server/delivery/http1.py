"""A small HTTP/1.1 POST client. Its absences are the requirement.

No redirects, decompression, proxies, cookies or guesses: it dials a vetted numeric address,
writes one request, reads one answer within bounds (`exchange.py`), and reports what happened
in the words of `domain/outcome.py`. The only module that opens a socket to the outside.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Final, NamedTuple

from hookwright_server.delivery.exchange import Connection, PoolKey, Reply
from hookwright_server.domain.outcome import DeadlineExceeded, Unreachable

MAX_ADDRESSES_TRIED: Final = 4

_SWEEP_SECONDS: Final = 1.0
_CLOSE_SECONDS: Final = 1.0
# A loop may fire a timer this much before its time.
_TIMER_SLACK: Final = 0.005


class Origin(NamedTuple):
    """Whose request to where. `host` is the name for SNI and the certificate."""

    account_id: str
    scheme: str
    host: str
    port: int


class HttpClient:
    """POSTs over pooled connections. Belongs to one event loop; `tls` verifies every https peer.

    At most `max_idle` connections wait for reuse, each at most `idle_seconds`.
    """

    def __init__(
        self, tls: ssl.SSLContext, *, max_idle: int = 1024, idle_seconds: float = 15.0
    ) -> None:
        self._tls = tls
        self._max_idle = max_idle
        self._idle_seconds = idle_seconds
        self._idle_by_key: dict[PoolKey, list[Connection]] = {}
        self._idle: dict[Connection, None] = {}  # the least recently used first
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def post(
        self, origin: Origin, addresses: Sequence[str], head: bytes, body: bytes, deadline: float
    ) -> Reply:
        """Send one request to the first of the vetted `addresses` that takes a connection.

        `deadline` is in the loop's time and bounds everything. Nothing is ever sent twice: a
        pooled connection that turns out dead is a `connection_reset`.
        """
        connection = self._take(origin, addresses)
        if connection is None:
            dialled = await self._dial(origin, addresses, deadline)
            if not isinstance(dialled, Connection):
                return dialled
            connection = dialled
        try:
            reply = await connection.exchange(head, body, deadline)
        except BaseException:
            connection.abort()  # the caller gave up in the middle of an exchange
            raise
        if connection.is_reusable() and not self._is_closed:
            self._keep(connection)
        else:
            connection.abort()
        return reply

    async def aclose(self) -> None:
        """Close every connection, in use or not."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        closing = [connection.closed for connection in self._open]
        for connection in list(self._open):
            connection.abort()
        if closing:
            await asyncio.wait(closing, timeout=_CLOSE_SECONDS)
        self._idle.clear()
        self._idle_by_key.clear()

    # the pool

    def _take(self, origin: Origin, addresses: Sequence[str]) -> Connection | None:
        for address in addresses:
            waiting = self._idle_by_key.get(PoolKey(*origin, address))
            while waiting:
                connection = waiting[-1]
                self._forget(connection)
                age = asyncio.get_running_loop().time() - connection.idle_since
                if age < connection.idle_seconds and connection.is_quiet():
                    return connection
                connection.abort()
        return None

    def _keep(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle[connection] = None
        self._idle_by_key.setdefault(connection.key, []).append(connection)
        if len(self._idle) > self._max_idle:
            self._discard(next(iter(self._idle)))
        if self._sweeper is None:
            self._sweeper = loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _forget(self, connection: Connection) -> None:
        """Take `connection` out of the pool, if it is there."""
        if connection not in self._idle:
            return
        del self._idle[connection]
        waiting = self._idle_by_key[connection.key]
        if waiting[-1] is connection:
            waiting.pop()  # the usual case, without a search
        else:
            waiting.remove(connection)
        if not waiting:
            del self._idle_by_key[connection.key]

    def _discard(self, connection: Connection) -> None:
        self._forget(connection)
        connection.abort()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self._idle):
            if now - connection.idle_since >= connection.idle_seconds:
                self._discard(connection)
        self._sweeper = loop.call_later(_SWEEP_SECONDS, self._sweep) if self._idle else None

    # dialling

    async def _dial(
        self, origin: Origin, addresses: Sequence[str], deadline: float
    ) -> Connection | Unreachable | DeadlineExceeded:
        """Try the addresses in turn, each with an equal share of the time that is left."""
        loop = asyncio.get_running_loop()
        candidates = addresses[:MAX_ADDRESSES_TRIED]
        for tried, address in enumerate(candidates):
            now = loop.time()
            share = (deadline - now) / (len(candidates) - tried)
            try:
                sock = await connected_socket(loop, address, origin.port, now + share)
            except OSError:
                if loop.time() >= deadline - _TIMER_SLACK:
                    return DeadlineExceeded("connect")
                continue
            return await self._attach(loop, origin, address, sock, deadline)
        return Unreachable("connect_error")

    async def _attach(
        self,
        loop: asyncio.AbstractEventLoop,
        origin: Origin,
        address: str,
        sock: socket.socket,
        deadline: float,
    ) -> Connection | Unreachable | DeadlineExceeded:
        """Put a connection on `sock`; for https, after a verified handshake."""
        connection = Connection(loop, PoolKey(*origin, address), self._idle_seconds)
        is_tls = origin.scheme == "https"
        try:
            async with asyncio.timeout_at(deadline):
                await loop.create_connection(
                    lambda: connection,
                    sock=sock,
                    ssl=self._tls if is_tls else None,
                    server_hostname=origin.host if is_tls else None,
                )
        except TimeoutError:
            return DeadlineExceeded("tls" if is_tls else "connect")
        except OSError:  # ssl.SSLError is one, and a peer that hangs up in the handshake
            return Unreachable("tls_error" if is_tls else "connect_error")
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _: self._on_closed(connection))
        return connection

    def _on_closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._forget(connection)


async def connected_socket(
    loop: asyncio.AbstractEventLoop, address: str, port: int, connect_by: float
) -> socket.socket:
    """A connection to exactly `address`. Raises OSError, TimeoutError included."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        async with asyncio.timeout_at(connect_by):
            await loop.sock_connect(sock, (address, port))
        if sock.getsockname() == sock.getpeername():
            # Nobody listens on a local port of the ephemeral range: TCP met itself.
            raise ConnectionRefusedError("connected to itself")
    except BaseException:
        sock.close()
        raise
    return sock
