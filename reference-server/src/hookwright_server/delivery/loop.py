"""The engine's loop: claim → prepare → send → judge → record, and the upkeep of its session.

Everything here runs on one event loop. No database call blocks it, and no transaction is open
while a request is under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from hookwright_server.delivery.alarm import Alarm
from hookwright_server.delivery.claim import Claim, ClaimedDelivery, Rotation
from hookwright_server.delivery.housekeeping import House
from hookwright_server.delivery.in_flight import InFlight
from hookwright_server.delivery.measured import measure
from hookwright_server.delivery.patience import insist, kept_alive
from hookwright_server.delivery.prepare import Begun, NotPreparable, Prepared, TooLate
from hookwright_server.delivery.recorder import Completed, Recorded
from hookwright_server.delivery.result_buffer import ResultBuffer
from hookwright_server.delivery.sender import Attempted
from hookwright_server.delivery.session import Session
from hookwright_server.delivery.throttle import Throttle
from hookwright_server.delivery.tools import EngineLimits, Tools
from hookwright_server.delivery.traced import begin_span, end_span
from hookwright_server.domain.outcome import NotTransformed, Unreachable
from hookwright_server.domain.retry_policy import RetryAt
from hookwright_server.domain.transformation import TransformationFailed
from hookwright_server.store.errors import SessionLost, StoreError, TookTooLong, WriteUnknown

T = TypeVar("T")

_log = logging.getLogger(__name__)

_NOT_SENT_DELAY_MS = 60_000
_LAST_WRITES_S = 5.0
_TRANSFORMED_HERE_BYTES = 8_192  # the loop stands still for about 2 ms


class DeliveryLoop:
    """One run of the engine, from `begin` to the end of `run`."""

    def __init__(self, tools: Tools, limits: EngineLimits) -> None:
        self._outbox = tools.outbox
        self._preparer = tools.preparer
        self._judge = tools.judge
        self._waker = tools.waker
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
        self._alarm = Alarm(self._loop, tools.clock, limits.poll_ms, self._look.set)
        self._session = Session(tools.outbox, limits)
        self._house = House(tools, limits, self._session, self._look.set)
        self._left_behind = False
        self._claim_unknown = False
        self._paused = limits.begins_paused
        self._claiming = asyncio.Lock()
        self._quiet: list[asyncio.Future[None]] = []
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
        await self._session.begin()

    async def run(self) -> None:
        """Deliver until `stop`, then drain and end the session."""
        unsubscribe = self._waker.subscribe(self._hint)
        claiming = self._loop.create_task(kept_alive(self._claim_on), name="claim")
        keepers = [
            self._loop.create_task(kept_alive(keeper), name=keeper.__name__)
            for keeper in (self._keep_session, *self._house.keepers)
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

    async def claim_over(self) -> None:
        """Return once no claim is under way."""
        async with self._claiming:
            pass

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

    # Claiming.

    async def _claim_on(self) -> None:
        while not self._stopping.is_set():
            # Cleared before looking: a hint that comes during the claim leads to another one.
            self._look.clear()
            # What ends beside the claim may have published something that it did not see.
            waiters = [] if self._in_flight else list(self._quiet)
            async with self._claiming:
                claim = None if self._paused else await self._claim()
            if claim is not None and self._stopping.is_set():
                await self._give_back(claim)
            elif claim is not None:
                self._take(claim)
                if self._is_quiet(claim):
                    self._release_waiters(waiters)
                if (claim.deliveries or claim.expired) and claim.left_behind:
                    continue
            await self._look.wait()

    async def _claim(self) -> Claim | None:
        room = self._in_flight.room(self._limits.claim)
        if room.most <= 0:
            self._left_behind = True
            return None
        session_id = self._session.id
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
        self._alarm.set(claim.next_due_at)
        for claimed in claim.deliveries:
            self._in_flight.add(claimed, self._loop.create_task(self._attempt(claimed)))
        self._meter.in_flight(len(self._in_flight))

    async def _give_back(self, claim: Claim) -> None:
        """The stop came during the claim: nothing of it was sent, so it is simply due again."""
        leases = {claimed.row.id: claimed.lease for claimed in claim.deliveries}
        await self._outbox.put_back(leases, delay_ms=0)

    def _arm_for_retries(self, batch: list[Completed]) -> None:
        """Do not sleep past a retry that has just been planned."""
        planned = [d.decision.at_ms for d in batch if isinstance(d.decision, RetryAt)]
        if planned:
            self._alarm.set_before(min(planned))

    def _is_quiet(self, claim: Claim) -> bool:
        return not (claim.deliveries or claim.left_behind or self._in_flight)

    def _release_waiters(self, waiters: list[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            self._quiet.remove(waiter)
            if not waiter.done():
                waiter.set_result(None)

    # One attempt.

    async def _attempt(self, claimed: ClaimedDelivery) -> None:
        delay_ms = _NOT_SENT_DELAY_MS
        try:
            await self._make_attempt(claimed)
        except TooLate:
            delay_ms = 0  # the next claim cancels it, or reads its endpoint anew
        except NotPreparable as error:
            _log.error("not_preparable delivery=%s error=%s", claimed.row.id, error)
        except Exception:  # noqa: BLE001 - its lease is renewed: nobody else would take it back
            _log.exception("attempt_fault delivery=%s", claimed.row.id)
        else:
            return
        await self._put_back(claimed, delay_ms)

    async def _make_attempt(self, claimed: ClaimedDelivery) -> None:
        span = begin_span(self._tracer, claimed)
        begun: Begun
        try:
            begun = prepared = await self._prepare(claimed, span.traceparent)
            attempted = await self._send(prepared)
        except TransformationFailed as error:
            _log.info("not_transformed delivery=%s error=%s", claimed.row.id, error)
            begun, attempted = self._preparer.begun(claimed), Attempted(NotTransformed(), 0)
        except BaseException:
            span.end({}, error="not_sent")
            raise
        end_span(span, attempted)
        self._throttle.note(
            claimed.target.endpoint_id, attempted.outcome, claimed.target.max_concurrency
        )
        hurry = self._left_behind or claimed.row.lane is not None
        self._results.add(self._judge.judge(begun, attempted), hurry=hurry)

    async def _prepare(self, claimed: ClaimedDelivery, traceparent: str | None) -> Prepared:
        large = len(claimed.row.payload) > _TRANSFORMED_HERE_BYTES
        if large and claimed.target.transformation is not None:
            return await asyncio.to_thread(self._preparer.prepare, claimed, traceparent)
        return self._preparer.prepare(claimed, traceparent)

    async def _send(self, prepared: Prepared) -> Attempted:
        try:
            return await self.sender.send(prepared.request)
        except Exception:  # noqa: BLE001 - neither lose the delivery nor run in circles
            _log.exception("sender_fault delivery=%s", prepared.claimed.row.id)
            return Attempted(Unreachable("protocol_error"), latency_ms=0)

    # Recording.

    async def _write(self, batch: list[Completed]) -> None:
        several = len(batch) > 1
        try:
            recorded = await insist(
                lambda: self._record(batch), unless=(TookTooLong,) if several else ()
            )
        except TookTooLong as error:
            _log.warning("record_split results=%d error=%s", len(batch), error)
            half = len(batch) // 2
            await self._write(batch[:half])
            await self._write(batch[half:])
            return
        except Exception:  # noqa: BLE001 - one bad row must not hold up the others
            _log.exception("record_fault results=%d", len(batch))
            await self._write_apart(batch)
            return
        for endpoint_id, reason in recorded.disabled:
            _log.warning("endpoint_disabled endpoint=%s reason=%s", endpoint_id, reason)
            self._meter.disabled(reason)
        if recorded.published:
            self._look.set()
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
        # So it does with what has waited for one of these to end.
        if self._left_behind or any(done.lane for done in batch):
            self._look.set()
        return await recording

    async def _write_apart(self, batch: list[Completed]) -> None:
        if len(batch) > 1:
            for done in batch:
                await self._write([done])
        else:
            await self._put_back(batch[0].claimed, _NOT_SENT_DELAY_MS)

    async def _put_back(self, claimed: ClaimedDelivery, delay_ms: int) -> None:
        leases = {claimed.row.id: claimed.lease}
        await insist(lambda: self._outbox.put_back(leases, delay_ms))
        self._in_flight.remove(claimed.key)
        self._freed()
        if not delay_ms:
            self._look.set()

    def _freed(self) -> None:
        if self._left_behind or self._quiet:
            self._look.set()

    # The session.

    async def _begin_anew(self, lost: str) -> None:
        if await self._session.begin_anew(lost, self._let_go):
            await self._house.take_back()

    def _let_go(self, lost: str) -> None:
        """Others may have what is under way: stop it, and write nothing of it."""
        _log.error("session_lost session=%s in_flight=%d", lost, len(self._in_flight))
        self._meter.lost("session_lost", len(self._in_flight))
        for task in self._in_flight.tasks():
            task.cancel()
        self._in_flight.clear()

    async def _keep_session(self) -> None:
        while True:
            await self._begin_anew(await self._session.kept_until_lost())

    async def do_chores(self) -> None:
        """Erase what has run out, and write down what reads already say."""
        await self._house.do_chores()

    # Stopping.

    async def _drain(self) -> None:
        running = self._in_flight.tasks()
        if running:
            _, late = await asyncio.wait(running, timeout=self._drain_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _end(self) -> None:
        self._alarm.cancel()
        try:
            async with asyncio.timeout(_LAST_WRITES_S):
                await self._results.close()
                self._house.tell_interrupted(await self._outbox.end(self._session.id))
        except (StoreError, TimeoutError) as error:
            # The next start takes back what this session leaves.
            _log.error("session_not_ended session=%s error=%r", self._session.id, error)
        await self.sender.aclose()
