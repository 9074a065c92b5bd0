"""Requests outside the outbox, for a process without an engine: test events of `api`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import uvloop

from hookwright_server.delivery.loop import Sending
from hookwright_server.delivery.sender import Attempted, OutgoingRequest


class DirectSender:
    """A sender on an event loop and thread of its own. `make_sender` is called on that loop."""

    def __init__(self, make_sender: Callable[[], Sending]) -> None:
        self._make_sender = make_sender
        self._loop = uvloop.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._sender: Sending | None = None
        self._thread = threading.Thread(target=self._run, name="hookwright-direct", daemon=True)

    def start(self) -> None:
        """Be ready to send."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Close every connection. Nothing may be under way."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def send(self, request: OutgoingRequest) -> Attempted:
        """Send one request and wait for its outcome."""
        if self._sender is None:
            raise RuntimeError("the sender is not running; call start() first")
        return asyncio.run_coroutine_threadsafe(self._sender.send(request), self._loop).result()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self._sender = self._make_sender()
        self._ready.set()
        await self._stop.wait()
        await self._sender.aclose()
