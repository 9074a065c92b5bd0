"""Requests outside the outbox, for a process without an engine: test events of `api`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

import uvloop

from hookwright_server.delivery.sender import Attempted, OutgoingRequest
from hookwright_server.delivery.tools import Sending


class DirectSender:
    """A sender on an event loop and thread of its own. `make_sender` is called on that loop."""

    def __init__(self, make_sender: Callable[[], Sending]) -> None:
        self._make_sender = make_sender
        self._loop = uvloop.new_event_loop()
        self._stop = asyncio.Event()
        self._made: Future[Sending] = Future()
        self._sender: Sending | None = None
        self._thread = threading.Thread(target=self._run, name="hookwright-direct", daemon=True)

    def start(self) -> None:
        """Be ready to send. Raises what `make_sender` raises."""
        self._thread.start()
        self._sender = self._made.result()

    def stop(self) -> None:
        """Close every connection. Nothing may be under way; nothing happens unless it runs."""
        if self._sender is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._sender = None

    def send(self, request: OutgoingRequest) -> Attempted:
        """Send one request and wait for its outcome."""
        if self._sender is None:
            raise RuntimeError("the sender is not running; call start() first")
        return asyncio.run_coroutine_threadsafe(self._sender.send(request), self._loop).result()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live())
        except BaseException as error:
            if self._made.done():
                raise
            self._made.set_exception(error)

    async def _live(self) -> None:
        sender = self._make_sender()
        self._made.set_result(sender)
        await self._stop.wait()
        await sender.aclose()
