"""The engine's loop: claim → prepare → send → judge → record, and the upkeep of its session.

Everything here runs on one event loop. No database call blocks it, and no transaction is open
while a request is under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hookwright_server.clock import Clock
from hookwright_server.delivery import maintenance
from hookwright_server.delivery.attempt_log import AttemptLog
from hookwright_server.delivery.claim import Claim, ClaimedDelivery, Rotation
from hookwright_server.delivery.in_flight import InFlight
from hookwright_server.delivery.measured import measure
from hookwright_server.delivery.outbox import TAKEN_BACK_AT_ONCE, Outbox
from hookwright_server.delivery.prepare import NotPreparable, Prepared, Preparer
from hookwright_server.delivery.recorder import Completed, Judge, Recorded
from hookwright_server.delivery.result_buffer import ResultBuffer
from hookwright_server.delivery.sender import Attempted, OutgoingRequest
from hookwright_server.delivery.throttle import Throttle
from hookwright_server.delivery.traced import begin_span, end_span
from hookwright_server.delivery.waker import Waker
from hookwright_server.domain.outcome import Unreachable
from hookwright_server.domain.retry_policy import RetryAt
from hookwright_server.store.errors import SessionLost, StoreError, WriteUnknown
from hookwright_server.store.worker_sessions import DEAD_AFTER_MS, RENEW_EVERY_MS, Interrupted
from hookwright_server.telemetry.meters import SILENT, DeliveryMeter
from hookwright_server.telemetry.traces import NO_TRACES, Tracer

T = TypeVar("T")

_log = logging.getLogger(__name__)

_NOT_SENT_DELAY_MS = 60_000
_STORE_RETRY_S = 0.2
_LAST_WRITES_S = 5.0


class Sending(Protocol):
    """What the engine needs of a sender; `sender.Sender` is the real one."""

    async def send(self, request: OutgoingRequest) -> Attempted:
        """Make one attempt. Every failure is an outcome; only cancellation is raised."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """`in_flight` deliveries at a time, `claim` per transaction, a look every `poll_ms`.

    The session is renewed every `renew_ms` and given up when that failed for `dead_ms`; others are
    looked at every `take_back_ms`, whether one has died.
    An engine that `begins_paused` claims nothing until it is resumed.
    """

    in_flight: int = 1_000
    claim: int = 500
    poll_ms: int = 1_000
    renew_ms: int = RENEW_EVERY_MS
    dead_ms: int = DEAD_AFTER_MS
    take_back_ms: int = RENEW_EVERY_MS
    begins_paused: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """What an engine works with. `make_sender` is called on the engine's event loop."""

    outbox: Outbox
    preparer: Preparer
    judge: Judge
    make_sender: Callable[[], Sending]
    waker: Waker
    clock: Clock
    log: AttemptLog
    meter: DeliveryMeter = SILENT
    tracer: Tracer = NO_TRACES


class DeliveryLoop:
    """One run of the engine, from `begin` to the end of `run`."""

    def __init__(self, tools: Tools, limits: EngineLimits) -> None:
        self._outbox = tools.outbox
        self._preparer = tools.preparer
        self._judge = tools.judge
        self._waker = tools.waker
        self._clock = tools.clock
        self._attempt_log = tools.log
        self._meter = tools.meter
        self._tracer = tools.tracer
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self.sender = tools.make_sender()
        self._results = ResultBuffer(self._write)
        self._rotation = Rotation()
        self._throttle = Throttle()
        self._in_flight = InFlight(limits.in_flight)
        self._look = asyncio.Event()
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0
        self._left_behind = False
        self._claim_unknown = False
        self._paused = limits.begins_paused
        self._quiet: list[asyncio.Future[None]] = []
        self._session_id = ""
        self._beginning = asyncio.Lock()
        self._renewed_at = 0.0
        self._tell_at = 0.0
        self._drain_s = 0.0
        self._stopping = asyncio.Event()

    # For other threads.

    def submit(self, work: Callable[[DeliveryLoop], Coroutine[Any, Any, T]]) -> Future[T]:
        """Run a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(work(self), self._loop)

    def stop(self, drain_s: float) -> None:
        """Make `run` end, unless it has; running attempts get `drain_s` seconds.

        A second call shortens that to nothing.
        """
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._begin_stopping, drain_s)

    def pause(self, paused: bool) -> None:
        """Claim nothing while paused; attempts under way go on."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._set_paused, paused)

    # For the loop's own thread.

    async def begin(self) -> None:
        """Begin the session. Raises StoreError."""
        self._session_id, self._renewed_at = await self._outbox.begin()

    async def run(self) -> None:
        """Deliver until `stop`, then drain and end the session."""
        unsubscribe = self._waker.subscribe(self._hint)
        claiming = self._loop.create_task(self._kept_alive(self._claim_on), name="claim")
        keepers = [
            self._loop.create_task(self._kept_alive(keeper), name=keeper.__name__)
            for keeper in (self._keep_session, self._keep_house)
        ]
        await self._stopping.wait()
        unsubscribe()
        await claiming
        await self._drain()
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await self._end()

    async def quiescent(self) -> None:
        """Return once a claim made after this call found nothing due, with nothing under way."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._quiet.append(waiter)
        self._look.set()
        await waiter

    def _begin_stopping(self, drain_s: float) -> None:
        if self._stopping.is_set():
            for task in self._in_flight.tasks():
                task.cancel()
        self._drain_s = drain_s
        self._stopping.set()
        self._look.set()

    def _set_paused(self, paused: bool) -> None:
        self._paused = paused
        self._look.set()

    def _hint(self) -> None:
        # The loop may have been closed in between: then nobody needs the hint.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._look.set)

    async def _kept_alive(self, forever: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await forever()
            except StoreError as error:
                _log.warning("store_failed in=%s error=%s", forever.__name__, error)
            except Exception:  # noqa: BLE001 - a fault must not end all deliveries
                _log.exception("engine_fault in=%s", forever.__name__)
            await asyncio.sleep(_STORE_RETRY_S)

    # Claiming.

    async def _claim_on(self) -> None:
        while not self._stopping.is_set():
            # Cleared before looking: a hint that comes during the claim leads to another one.
            self._look.clear()
            waiters = list(self._quiet)
            claim = None if self._paused else await self._claim()
            if claim is not None and self._stopping.is_set():
                await self._give_back(claim)
            elif claim is not None:
                self._take(claim)
                if self._is_quiet(claim):
                    self._release_waiters(waiters)
                if claim.deliveries and claim.left_behind:
                    continue
            await self._look.wait()

    async def _claim(self) -> Claim | None:
        room = self._in_flight.room(self._limits.claim)
        if room.most <= 0:
            self._left_behind = True
            return None
        session_id = self._session_id
        if self._claim_unknown:
            # Its leases would never end: the session that they hang on lives.
            await self._outbox.put_back_unknown(session_id, self._in_flight.keys())
            self._claim_unknown = False
        asked_at = time.perf_counter()
        try:
            claim = await self._outbox.claim(
                session_id, self._rotation, room, self._throttle.limits()
            )
        except SessionLost:
            await self._begin_anew(session_id)
            return await self._claim()
        except WriteUnknown:
            self._claim_unknown = True
            raise
        self._meter.claimed(len(claim.deliveries), time.perf_counter() - asked_at)
        return claim

    def _take(self, claim: Claim) -> None:
        self._left_behind = claim.left_behind
        self._arm(claim.next_due_at)
        for claimed in claim.deliveries:
            self._in_flight.add(claimed, self._loop.create_task(self._attempt(claimed)))
        self._meter.in_flight(len(self._in_flight))

    async def _give_back(self, claim: Claim) -> None:
        """The stop came during the claim: nothing of it was sent, so it is simply due again."""
        leases = {claimed.row.id: claimed.lease for claimed in claim.deliveries}
        await self._outbox.put_back(leases, delay_ms=0)

    def _arm(self, next_due_at: int | None) -> None:
        """Look again when the next delivery falls due, and in any case after the poll time."""
        wait_ms = self._limits.poll_ms
        if next_due_at is not None:
            wait_ms = max(1, min(wait_ms, next_due_at - self._clock.now_ms() + 1))
        self._look_at(self._loop.time() + wait_ms / 1000)

    def _arm_for_retries(self, batch: list[Completed]) -> None:
        """Do not sleep past a retry that has just been planned."""
        planned = [d.decision.at_ms for d in batch if isinstance(d.decision, RetryAt)]
        if planned:
            wait_ms = max(1, min(planned) - self._clock.now_ms() + 1)
            when = self._loop.time() + wait_ms / 1000
            if self._timer is None or when < self._timer_at:
                self._look_at(when)

    def _look_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # Its time is kept apart: what is due at once gets a handle without one from uvloop.
        self._timer = self._loop.call_at(when, self._look.set)
        self._timer_at = when

    def _is_quiet(self, claim: Claim) -> bool:
        return not (claim.deliveries or claim.left_behind or self._in_flight)

    def _release_waiters(self, waiters: list[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            self._quiet.remove(waiter)
            if not waiter.done():
                waiter.set_result(None)

    # One attempt.

    async def _attempt(self, claimed: ClaimedDelivery) -> None:
        try:
            await self._make_attempt(claimed)
        except NotPreparable as error:
            _log.error("not_preparable delivery=%s error=%s", claimed.row.id, error)
        except Exception:  # noqa: BLE001 - its lease is renewed: nobody else would take it back
            _log.exception("attempt_fault delivery=%s", claimed.row.id)
        else:
            return
        await self._put_back(claimed)

    async def _make_attempt(self, claimed: ClaimedDelivery) -> None:
        span = begin_span(self._tracer, claimed)
        try:
            prepared = self._preparer.prepare(claimed, span.traceparent)
            attempted = await self._send(prepared)
        except BaseException:
            span.end({}, error="not_sent")
            raise
        end_span(span, attempted)
        self._throttle.note(
            claimed.target.endpoint_id, attempted.outcome, claimed.target.max_concurrency
        )
        self._results.add(self._judge.judge(prepared, attempted), hurry=self._left_behind)

    async def _send(self, prepared: Prepared) -> Attempted:
        try:
            return await self.sender.send(prepared.request)
        except Exception:  # noqa: BLE001 - neither lose the delivery nor run in circles
            _log.exception("sender_fault delivery=%s", prepared.claimed.row.id)
            return Attempted(Unreachable("protocol_error"), latency_ms=0)

    # Recording.

    async def _write(self, batch: list[Completed]) -> None:
        try:
            recorded = await self._insist(lambda: self._record(batch))
        except Exception:  # noqa: BLE001 - one bad row must not hold up the others
            _log.exception("record_fault results=%d", len(batch))
            await self._write_apart(batch)
            return
        for endpoint_id, reason in recorded.disabled:
            _log.warning("endpoint_disabled endpoint=%s reason=%s", endpoint_id, reason)
            self._meter.disabled(reason)
        for done in batch:
            self._in_flight.remove(done.claimed.key)
        self._arm_for_retries(batch)
        self._freed()
        self._attempt_log.completed(batch, recorded.stale)
        measure(self._meter, batch, recorded.stale)
        self._meter.in_flight(len(self._in_flight))

    async def _record(self, batch: list[Completed]) -> Recorded:
        recording = asyncio.ensure_future(self._outbox.record(batch))
        # A claim queued right behind sees the freed slots in the very same group commit.
        await asyncio.sleep(0)
        if self._left_behind:
            self._look.set()
        return await recording

    async def _write_apart(self, batch: list[Completed]) -> None:
        if len(batch) > 1:
            for done in batch:
                await self._write([done])
        else:
            await self._put_back(batch[0].claimed)

    async def _put_back(self, claimed: ClaimedDelivery) -> None:
        leases = {claimed.row.id: claimed.lease}
        await self._insist(lambda: self._outbox.put_back(leases, _NOT_SENT_DELAY_MS))
        self._in_flight.remove(claimed.key)
        self._freed()

    def _freed(self) -> None:
        if self._left_behind or self._quiet:
            self._look.set()

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat while the database fails: what is claimed stays ours meanwhile."""
        while True:
            try:
                return await call()
            except StoreError as error:
                _log.warning("store_failed error=%s", error)
                await asyncio.sleep(_STORE_RETRY_S)

    # The session.

    async def _keep_session(self) -> None:
        every_s = self._limits.renew_ms / 1000
        while True:
            # A renewal that failed is tried again soon: claims go on under the session meanwhile.
            left_s = self._renewed_at + every_s - self._loop.time()
            await asyncio.sleep(max(left_s, min(every_s, _STORE_RETRY_S)))
            session_id = self._session_id
            if not await self._renew(session_id):
                await self._begin_anew(session_id)

    async def _renew(self, session_id: str) -> bool:
        """False when the leases must be taken for lost."""
        asked_at = self._loop.time()
        dead_at = self._renewed_at + self._limits.dead_ms / 1000
        try:
            async with asyncio.timeout_at(max(dead_at, asked_at + 0.1)):
                alive = await self._outbox.renew(session_id)
        except (StoreError, TimeoutError) as error:
            if self._loop.time() >= self._tell_at:
                self._tell_at = self._loop.time() + self._limits.renew_ms / 1000
                _log.warning("not_renewed session=%s error=%r", session_id, error)
            return self._loop.time() < dead_at
        if alive:
            self._renewed_at = asked_at
        return alive

    async def _begin_anew(self, lost: str) -> None:
        async with self._beginning:
            if self._session_id != lost:
                return  # the claim and the renewal may both have found it out
            _log.error("session_lost session=%s in_flight=%d", lost, len(self._in_flight))
            self._meter.lost("session_lost", len(self._in_flight))
            for task in self._in_flight.tasks():
                task.cancel()
            self._in_flight.clear()
            await self._insist(self.begin)
            await self._take_back()

    async def _keep_house(self) -> None:
        """Take back what dead sessions hold; now and then do the chores."""
        chores_at = sweep_at = self._loop.time()
        while True:
            only_of_silent = self._loop.time() < sweep_at
            await self._take_back(only_of_silent=only_of_silent)
            if not only_of_silent:
                sweep_at = self._loop.time() + self._limits.renew_ms / 1000
            if self._loop.time() >= chores_at:
                await self._do_chores()
                chores_at = self._loop.time() + maintenance.EVERY_MS / 1000
            await asyncio.sleep(self._limits.take_back_ms / 1000)

    async def _take_back(self, *, only_of_silent: bool = False) -> None:
        while True:
            taken_back = await self._outbox.take_back(
                self._session_id, only_of_silent=only_of_silent
            )
            only_of_silent = False
            self._log_interrupted(taken_back)
            if taken_back:
                self._look.set()
            if len(taken_back) < TAKEN_BACK_AT_ONCE:
                return

    async def _do_chores(self) -> None:
        for chore in maintenance.CHORES:
            while await self._outbox.maintain(chore):
                pass

    def _log_interrupted(self, taken_back: list[Interrupted]) -> None:
        for one in taken_back:
            self._attempt_log.interrupted(one)
        if taken_back:
            self._meter.lost("interrupted", len(taken_back))

    # Stopping.

    async def _drain(self) -> None:
        running = self._in_flight.tasks()
        if running:
            _, late = await asyncio.wait(running, timeout=self._drain_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            async with asyncio.timeout(_LAST_WRITES_S):
                await self._results.close()
                self._log_interrupted(await self._outbox.end(self._session_id))
        except (StoreError, TimeoutError) as error:
            # The next start takes back what this session leaves.
            _log.error("session_not_ended session=%s error=%r", self._session_id, error)
        await self.sender.aclose()
