"""The delivery engine: a `DeliveryLoop` on one uvloop thread, started and stopped from others."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import uvloop

from hookwright_server.delivery.loop import DeliveryLoop
from hookwright_server.delivery.sender import Attempted, OutgoingRequest
from hookwright_server.delivery.tools import EngineLimits, Sending, Tools

__all__ = ["Engine", "EngineLimits", "Sending", "Tools"]

_log = logging.getLogger(__name__)


class Engine:
    """Runs the loop on a thread of its own. The public methods are for other threads.

    `on_death` is called on that thread, and last of all, when the loop ends without a `stop`.
    """

    def __init__(
        self,
        tools: Tools,
        limits: EngineLimits | None = None,
        *,
        on_death: Callable[[], object] = lambda: None,
    ) -> None:
        self._tools = tools
        self._limits = limits or EngineLimits()
        self._on_death = on_death
        self._loop: DeliveryLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._dead = False

    def start(self) -> None:
        """Begin a session and deliver until `stop`. Raises what kept it from beginning."""
        started: Future[DeliveryLoop] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="hookwright-engine", daemon=True
        )
        self._thread.start()
        self._loop = started.result()

    def stop(self, drain_ms: int) -> None:
        """Claim nothing more, give running attempts `drain_ms` to finish, record, end the session.

        What is not finished then counts as interrupted and is due again at once. Returns when
        that is done; a second call, on another thread, lets it be done at once.
        """
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        loop.stop(drain_ms / 1000)
        self._stopping = True
        thread.join()
        self._loop = None

    def resume(self) -> None:
        """Claim again after a pause. After `stop` nothing comes of it."""
        self._pause(False)

    def pause(self) -> None:
        """Claim nothing until `resume`; what is under way goes on, and so does the session.

        After `stop` nothing comes of it.
        """
        self._pause(True)

    def claim_over(self, timeout_s: float) -> bool:
        """Wait until no claim is under way; False if it took longer.

        After a pause nothing is claimed from then on.
        """
        return self._did(lambda loop: loop.claim_over(), timeout_s)

    def is_running(self) -> bool:
        """Whether it delivers; false before `start`, once `stop` is called, and after a crash."""
        return self._loop is not None and not self._stopping and not self._dead

    def next_due_at(self) -> int | None:
        """The next instant after now at which a delivery of an active endpoint falls due."""
        return self._tools.outbox.look().next_due_at

    def run_until_quiescent(self, timeout_s: float) -> bool:
        """Wait until everything due now has been attempted and recorded; False if it took longer.

        Used after the test clock has been moved; wakes the engine by itself.
        """
        return self._did(lambda loop: loop.quiescent(), timeout_s)

    def do_chores(self, timeout_s: float) -> bool:
        """Do now what upkeep does every half minute; False if it took longer.

        Used after the test clock has been moved.
        """
        return self._did(lambda loop: loop.do_chores(), timeout_s)

    def send(self, request: OutgoingRequest) -> Attempted:
        """Send one request outside the outbox (`endpoints.test`) and wait for its outcome."""
        return self._running().submit(lambda loop: loop.sender.send(request)).result()

    def _did(
        self, work: Callable[[DeliveryLoop], Coroutine[Any, Any, None]], timeout_s: float
    ) -> bool:
        done = self._running().submit(work)
        try:
            done.result(timeout_s)
        except TimeoutError:
            done.cancel()
            return False
        return True

    def _pause(self, paused: bool) -> None:
        # Read once: a signal's handler may stop the engine between any two lines.
        loop = self._loop
        if loop is not None:
            loop.pause(paused)
        elif not self._stopping:
            self._running()

    def _running(self) -> DeliveryLoop:
        if self._loop is None:
            raise RuntimeError("the delivery engine is not running; call start() first")
        return self._loop

    def _run(self, started: Future[DeliveryLoop]) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(started))
        except BaseException as error:  # noqa: BLE001 - told to `start`, or to `on_death`
            if started.done():
                self._die()
            else:
                started.set_exception(error)

    def _die(self) -> None:
        self._dead = True
        _log.critical("engine_died", exc_info=True)
        if not self._stopping:
            self._on_death()

    async def _serve(self, started: Future[DeliveryLoop]) -> None:
        loop = DeliveryLoop(self._tools, self._limits)
        await loop.begin()
        started.set_result(loop)
        await loop.run()
