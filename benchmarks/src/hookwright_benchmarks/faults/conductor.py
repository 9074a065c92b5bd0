"""Runs one stage: load, faults lane by lane, then heal, drain, collect, judge."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from hookwright_benchmarks.faults.calls import Log
from hookwright_benchmarks.faults.cast import CLOSING, ROUTES, STEADY, Roster
from hookwright_benchmarks.faults.checker import Evidence, Verdict, judge
from hookwright_benchmarks.faults.evidence import Stored
from hookwright_benchmarks.faults.kinds import Kind, Lane, shuffled
from hookwright_benchmarks.faults.publisher import Publisher
from hookwright_benchmarks.faults.record import Fault, Transition
from hookwright_benchmarks.faults.steering import Steered, Steering
from hookwright_benchmarks.kill_campaign.history import Pair
from hookwright_benchmarks.kill_campaign.sink import Sink

_IN_FLIGHT_S = 10.0
_STUCK_S = 120.0
_DRAIN_S = 240.0
_RECOVERY_S = 25.0
_WARM_UP_S = 2.0
_PAUSE_S = 1.0
_SHARE_IN_TIME = 0.6


class Arena(Protocol):
    """What faults are done to."""

    @property
    def sink(self) -> Sink: ...
    @property
    def roster(self) -> Roster: ...
    @property
    def kinds(self) -> Sequence[Kind]: ...

    def publisher(self, per_second: float, seed: int) -> Publisher:
        """The load."""
        ...

    async def heal(self) -> None:
        """Put everything right."""
        ...

    async def unfinished(self) -> int:
        """Deliveries still to be made and replay tasks that go on. OSError when it cannot be
        asked."""
        ...

    async def stop(self) -> Mapping[str, int]:
        """SIGTERM to every program; the exit codes."""
        ...

    def stored(self) -> Stored:
        """The rows at the end, once everything has been stopped."""
        ...

    def transitions(self) -> Iterable[Transition]:
        """The audit trail."""
        ...


@dataclass(frozen=True, slots=True)
class Phase:
    """`faults` that count, in these lanes."""

    lanes: tuple[Lane, ...]
    faults: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A stage goes on until `events` are acknowledged and every phase has its faults."""

    name: str
    events: int
    phases: tuple[Phase, ...]
    per_second: float
    seed: int

    @property
    def faults(self) -> int:
        return sum(phase.faults for phase in self.phases)


@dataclass(frozen=True, slots=True)
class Result:
    """What a stage found, and what was done to it besides the faults (`steered`, with so many
    `calls` of the API)."""

    plan: Plan
    verdict: Verdict
    by_kind: Mapping[str, int]
    accepted: int
    sent_again: int
    refused: Mapping[str, int]
    statuses: Mapping[str, int]
    exit_codes: Mapping[str, int]
    wall_s: float
    steered: Steered = field(default_factory=Steered)
    calls: int = 0

    @property
    def sound(self) -> bool:
        return self.verdict.sound and not any(self.exit_codes.values())


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a stage is."""

    stage: str
    events: int
    faults: int
    open: int
    unsettled: int
    latest: str = ""


Progress = Callable[[Standing], object]


async def conduct(arena: Arena, plan: Plan, progress: Progress) -> Result:
    """A whole stage. Raises TimeoutError when a fault cannot be undone."""
    began = time.monotonic()
    publisher = arena.publisher(plan.per_second, plan.seed)
    steering = Steering(publisher.caller, arena.roster, arena.sink)
    stage = _Stage(arena, plan, publisher, steering.done, progress)
    async with _running(publisher.run(), publisher.stop), _running(steering.run(), steering.stop):
        await asyncio.sleep(_WARM_UP_S)
        for phase in plan.phases:
            await stage.run(phase)
        await stage.until_events()
    await arena.heal()
    await stage.drain(steering)
    publisher.caller.close()
    exit_codes = await arena.stop()
    return await asyncio.to_thread(stage.result, exit_codes, began)


@asynccontextmanager
async def _running(
    work: Coroutine[None, None, None], stop: Callable[[], None]
) -> AsyncGenerator[None]:
    """Until `stop` and its own end. When it fails, so does what goes on meanwhile."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        except BaseException:
            task.cancel()
            raise
        stop()


class _Stage:
    def __init__(
        self,
        arena: Arena,
        plan: Plan,
        publisher: Publisher,
        steered: Steered,
        progress: Progress,
    ) -> None:
        self._arena = arena
        self._plan = plan
        self._log = publisher.log
        self._steered = steered
        self._progress = progress
        self._random = random.Random(plan.seed)
        self._ledger = _Ledger(publisher.log, arena.sink)
        self._faults: list[Fault] = []
        self._latest = ""
        self._unfinished = 0

    async def run(self, phase: Phase) -> None:
        """Faults in all lanes of the phase until there are enough of them."""
        goal = sum(fault.counts for fault in self._faults) + phase.faults
        seconds = self._plan.events / self._plan.per_second * phase.faults / self._plan.faults
        # The faults that delay deliveries come as fast as they are recovered from, and are a
        # part of all; the others keep time.
        period_s = seconds * len(phase.lanes) / phase.faults / _SHARE_IN_TIME
        async with asyncio.TaskGroup() as lanes:
            for lane in phase.lanes:
                kinds = [kind for kind in self._arena.kinds if kind.lane == lane]
                rng = random.Random(self._random.random())
                pause_s = _PAUSE_S if kinds[0].delays else period_s
                lanes.create_task(self._lane(kinds, pause_s, goal, rng))

    async def until_events(self) -> None:
        """Let the load go on until enough events are acknowledged."""
        while self._log.accepted < self._plan.events:
            self._tell()
            await asyncio.sleep(0.2)

    async def drain(self, steering: Steering) -> None:
        """Until nothing is left to be made, or 240 s."""
        guard = asyncio.get_running_loop().create_task(steering.guard())
        give_up_at = time.monotonic() + _DRAIN_S
        while time.monotonic() < give_up_at and not guard.done():
            self._unfinished = await self._arena.unfinished()
            if not self._unfinished:
                break
            self._tell("draining")
            await asyncio.sleep(0.2)
        guard.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await guard

    def result(self, exit_codes: Mapping[str, int], began: float) -> Result:
        stored = self._arena.stored()
        keyrings = self._arena.roster.keyrings
        evidence = Evidence(
            endpoints=STEADY,
            routes=ROUTES,
            closing=frozenset(CLOSING),
            publishes=self._log.publishes,
            receipts=self._arena.sink.receipts(),
            faults=sorted(self._faults, key=lambda fault: fault.began),
            messages=stored.messages,
            deliveries=stored.deliveries,
            tasks=self._steered.tasks,
            stored_tasks=stored.tasks,
            signed=[one for ring in keyrings.values() for one in ring.receipts],
            secrets={name: ring.secrets for name, ring in keyrings.items()},
            errors=self._log.errors,
            transitions=self._arena.transitions(),
            unfinished=self._unfinished,
            audit=stored.findings,
        )
        verdict = judge(evidence)
        return Result(
            plan=self._plan,
            verdict=verdict,
            by_kind=Counter(f"{_group(fault)}: {fault.kind}" for fault in verdict.counted),
            accepted=self._log.accepted,
            sent_again=self._log.sent_again,
            refused=self._log.refused,
            statuses=stored.statuses,
            exit_codes=exit_codes,
            wall_s=time.monotonic() - began,
            steered=self._steered,
            calls=self._log.steered,
        )

    async def _lane(
        self, kinds: Sequence[Kind], period_s: float, goal: int, rng: random.Random
    ) -> None:
        next_at = time.monotonic() + period_s * rng.random()
        bag: list[Kind] = []
        while True:
            while True:
                if sum(fault.counts for fault in self._faults) >= goal:
                    return
                if time.monotonic() >= next_at:
                    break
                self._tell()
                await asyncio.sleep(min(0.5, max(0.0, next_at - time.monotonic())))
            next_at = time.monotonic() + period_s * rng.uniform(0.7, 1.3)
            bag = bag or shuffled(kinds, rng)
            await self._inject(bag.pop(), rng)

    async def _inject(self, kind: Kind, rng: random.Random) -> None:
        """A fault that delays deliveries lasts, for the others of its lane, until it has been
        recovered from: else nobody could say what a delay comes from."""
        recovers_from = await self._inject_now(kind, rng)
        give_up_at = time.monotonic() + _RECOVERY_S
        while kind.delays and time.monotonic() < give_up_at:
            if self._ledger.is_recovered(recovers_from):
                return
            await asyncio.sleep(0.05)

    async def _inject_now(self, kind: Kind, rng: random.Random) -> float:
        await self._until_in_flight()
        began, open_now, unsettled = time.monotonic(), self._log.open, self._ledger.unsettled()
        self._latest = f"{kind.target}: {kind.name}"
        async with asyncio.timeout(_STUCK_S):
            await kind.begin(rng)
            await asyncio.sleep(rng.uniform(*kind.hold_s))
            recovers_from = began if kind.from_begin else time.monotonic()
            await kind.end(rng)
        self._faults.append(
            Fault(
                kind=kind.name,
                target=kind.target,
                touches=kind.touches,
                began=began,
                recovers_from=recovers_from,
                ended=time.monotonic(),
                requests_open=open_now,
                unsettled=unsettled,
                lingers_s=kind.lingers_s,
                delays=kind.delays,
            )
        )
        self._tell()
        return recovers_from

    async def _until_in_flight(self) -> None:
        """A fault counts only with work in flight; the load usually sees to that."""
        give_up_at = time.monotonic() + _IN_FLIGHT_S
        while time.monotonic() < give_up_at:
            if self._log.open or self._ledger.unsettled():
                return
            await asyncio.sleep(0.005)

    def _tell(self, latest: str | None = None) -> None:
        self._progress(
            Standing(
                self._plan.name,
                self._log.accepted,
                sum(fault.counts for fault in self._faults),
                self._log.open,
                self._ledger.unsettled(),
                self._latest if latest is None else latest,
            )
        )


class _Ledger:
    """What is accepted and not yet delivered by the steady endpoints, kept up as the history
    grows."""

    def __init__(self, log: Log, sink: Sink) -> None:
        self._log = log
        self._sink = sink
        self._published = 0
        self._received = 0
        self._delivered: set[Pair] = set()
        self._open: dict[Pair, float] = {}  # by when they were accepted, oldest first
        self._sent_at: dict[str, float] = {}
        self._latest_sent = 0.0

    def unsettled(self) -> int:
        """How many deliveries of accepted events were not received yet."""
        self._catch_up()
        return len(self._open)

    def is_recovered(self, since: float) -> bool:
        """Nothing accepted before is left, and something published later has been delivered."""
        self._catch_up()
        return next(iter(self._open.values()), since + 1) > since and self._latest_sent > since

    def _catch_up(self) -> None:
        publishes, done = self._log.publishes, self._sink.done
        for publish in publishes[self._published :]:
            meant_for = [name for name in ROUTES[publish.event_name] if name in STEADY]
            if publish.outcome == "ok" and publish.message_id is not None and meant_for:
                self._sent_at[publish.message_id] = publish.sent_at
                for endpoint in meant_for:
                    pair = (endpoint, publish.message_id)
                    if pair not in self._delivered:
                        self._open[pair] = publish.answered_at
        self._published = len(publishes)
        for receipt in done[self._received : (count := len(done))]:
            if receipt.answered_at is not None:
                pair = (receipt.endpoint, receipt.message_id)
                self._delivered.add(pair)
                self._open.pop(pair, None)
                self._latest_sent = max(self._latest_sent, self._sent_at.get(pair[1], 0.0))
        self._received = count


def _group(fault: Fault) -> str:
    """What a fault is counted under: all processes of a role together, all ends of a link."""
    target = fault.target
    for role in ("api", "worker"):
        target = target.replace(f"{role}-a", role).replace(f"{role}-b", role)
    return "worker-sink" if target.startswith("workers-") else target
