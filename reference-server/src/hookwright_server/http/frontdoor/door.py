"""The public listener: accepts clients, keeps their deadlines, drains them."""

from __future__ import annotations

import asyncio
import logging
import socket

from hookwright_server.clock import SystemClock
from hookwright_server.http.frontdoor.backends import Backends
from hookwright_server.http.frontdoor.client import ClientConnection
from hookwright_server.http.frontdoor.context import Context
from hookwright_server.http.frontdoor.last_call import take_no_more
from hookwright_server.http.frontdoor.limits import Limits
from hookwright_server.http.frontdoor.refusal import RenderProblem
from hookwright_server.http.request_ids import RequestIds
from hookwright_server.ids import Ids

_log = logging.getLogger(__name__)

_BACKLOG = 1024
_TELL_EVERY_S = 5.0


class FrontDoor:
    """Relays well-formed HTTP/1.x from a TCP socket to servers on unix sockets.

    Everything else is answered here with a problem document and a request id. Belongs to the
    running event loop; `listener` is a bound socket that does not listen yet.
    """

    def __init__(
        self,
        listener: socket.socket,
        backends: Backends,
        render: RenderProblem,
        *,
        limits: Limits | None = None,
        request_ids: RequestIds | None = None,
    ) -> None:
        self._listener = listener
        self._context = Context(
            loop=asyncio.get_running_loop(),
            backends=backends,
            limits=limits or Limits(),
            render=render,
            request_ids=request_ids or RequestIds(SystemClock(), Ids()),
        )
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._told_at = 0.0

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._context.clients)

    @property
    def buffered_bytes(self) -> int:
        """What requests occupy that are incomplete or not yet answered."""
        return self._context.buffered_bytes

    async def open(self) -> None:
        """Begin to accept clients."""
        self._listener.setblocking(False)
        self._server = await self._context.loop.create_server(
            lambda: ClientConnection(self._context), sock=self._listener, backlog=_BACKLOG
        )
        self._schedule_sweep()

    async def drain(self, limit_s: float) -> bool:
        """Accept nobody, let requests in flight finish. False: some had to be dropped."""
        self._context.draining = True
        if self._server is not None:
            if take_no_more(self._listener):
                await asyncio.sleep(self._context.limits.last_call_s)
            self._server.close()
        for client in list(self._context.clients):
            client.drain()
        if self._context.clients:
            try:
                await asyncio.wait_for(self._context.all_gone.wait(), limit_s)
            except TimeoutError:
                return False
        return True

    async def close(self) -> None:
        """Drop whoever is still connected."""
        if self._sweep is not None:
            self._sweep.cancel()
        if self._server is not None:
            self._server.close()
        if self._context.turned_away:
            self._tell_of_the_turned_away()
        self._listener.close()
        for client in list(self._context.clients):
            client.abort()
        if self._context.clients:
            await self._context.all_gone.wait()

    def _schedule_sweep(self) -> None:
        interval = self._context.limits.sweep_interval_s
        self._sweep = self._context.loop.call_later(interval, self._sweep_clients)

    def _sweep_clients(self) -> None:
        now = self._context.loop.time()
        for client in list(self._context.clients):
            client.expire(now)
        if self._context.turned_away and now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            self._tell_of_the_turned_away()
        self._schedule_sweep()

    def _tell_of_the_turned_away(self) -> None:
        # They reach no server that would count them.
        _log.warning("requests_turned_away count=%d", self._context.turned_away)
        self._context.turned_away = 0
