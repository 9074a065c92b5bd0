"""Runs a campaign: load, kill, restart, again and again; then heal, drain, stop, judge."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hookwright import Hookwright
from hookwright.webhooks import Webhook
from hookwright_benchmarks.kill_campaign.evidence import statuses, stored_messages, unfinished
from hookwright_benchmarks.kill_campaign.history import History, Kill, Verdict, judge
from hookwright_benchmarks.kill_campaign.publishers import (
    APP,
    OrderedPublisher,
    Publisher,
    RawPublisher,
    SdkPublisher,
    publishes,
    waiting,
)
from hookwright_benchmarks.kill_campaign.server import KILL_KINDS, KillKind, Server, until
from hookwright_benchmarks.kill_campaign.sink import Behaviour, Sink

PER_SECOND = 30.0
# One at a time they go slower than the others.
_ORDERED_PER_SECOND = 5.0
RESUME_LIMIT_S = 15.0

BEHAVIOURS: Mapping[str, Behaviour] = {
    "prompt": Behaviour(),
    "slow": Behaviour(delay_s=(0.1, 0.8)),
    "flaky": Behaviour(delay_s=(0.0, 0.05), failing=0.2),
}
_RETRIES = {"delays_seconds": [0.2, 0.5, 1, 2, 3, 5], "max_attempts": 30, "jitter": 0.5}
_LOAD_S = 60.0
_IN_FLIGHT = 3  # one of them could be answered in the very moment of the kill
_DRAIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """`kills`: how many that hit work in flight; `during_start`: the share of restarts that are
    killed once more before they are ready (not counted); `per_second`: messages of each of 6
    publishers, beside two whose messages have an order; `load_s`: how long, at most, the load lasts
    between a start and the next kill."""

    kills: int
    seed: int
    per_second: float = PER_SECOND
    during_start: float = 0.08
    load_s: float = 0.4
    behaviours: Mapping[str, Behaviour] = field(default_factory=lambda: BEHAVIOURS)


@dataclass(frozen=True, slots=True)
class Result:
    """What a campaign found."""

    plan: Plan
    verdict: Verdict
    kills: Mapping[str, int]
    restart_s: tuple[float, ...]
    statuses: Mapping[str, int]
    exit_code: int
    doctor: Mapping[str, Any]
    doctor_code: int
    wall_s: float

    @property
    def sound(self) -> bool:
        return (
            self.verdict.sound
            and not self.verdict.idle_kills
            and max(self.verdict.resumed_after_s, default=0.0) <= RESUME_LIMIT_S
            and self.exit_code == 0
            and self.doctor_code == 0
        )


Progress = Callable[[int, str], object]


class Stage:
    """A running server with endpoints at a sink, and publishers that are ready to start."""

    def __init__(self, server: Server, sink: Sink, plan: Plan) -> None:
        self.server = server
        self.sink = sink
        self.plan = plan
        self.names: dict[str, str] = {}
        self.kills: list[Kill] = []
        self.publishers: list[Publisher] = []

    def furnish(self) -> None:
        """Make the app, its endpoints and the publishers."""
        with Hookwright(self.server.api_key, base_url=self.server.base_url) as client:
            client.apps.create(slug=APP, name="Kill campaign")
            for name in self.plan.behaviours:
                endpoint = client.endpoints.create(
                    APP, url=self.sink.url(name), retry_policy=_RETRIES, max_concurrency=64
                )
                self.names[endpoint.id] = name
                self.sink.verifiers[name] = Webhook(endpoint.signing_secret or "")
        self.publishers = [
            kind(f"{kind.__name__}-{number}", self.server.base_url, self.server.api_key, rate)
            for number, rate in enumerate([self.plan.per_second] * 3)
            for kind in (SdkPublisher, RawPublisher)
        ]
        self.publishers += [
            OrderedPublisher(f"ordered-{number}", self.server.base_url, self.server.api_key, rate)
            for number, rate in enumerate([_ORDERED_PER_SECOND] * 2)
        ]

    def under_load(self) -> int:
        """How many publishes wait for their answers while deliveries are being sent, or 0."""
        slow = [
            endpoint
            for endpoint, _ in self.sink.in_flight()
            if self.plan.behaviours[endpoint].delay_s[0] > 0
        ]
        return waiting(self.publishers) if len(slow) >= _IN_FLIGHT else 0

    def kill(self, kind: KillKind) -> None:
        """Kill once work is in flight. TimeoutError when that does not come about."""
        publishing: list[int] = []

        def loaded() -> int:
            publishing.append(self.under_load())
            return publishing[-1]

        until(loaded, _LOAD_S, "no work in flight")
        kill = Kill(time.monotonic(), kind, publishing[-1])
        self.server.kill(kind)
        self.kills.append(kill)

    def drain(self) -> None:
        """Let all publishers finish and all deliveries end. TimeoutError when they do not."""
        self.sink.heal()
        for publisher in self.publishers:
            publisher.finish()
        for publisher in self.publishers:
            publisher.join(_DRAIN_S)
        database = self.server.database
        until(lambda: unfinished(database) == 0, _DRAIN_S, "deliveries are unfinished", pause_s=0.1)

    def history(self) -> History:
        return History(
            endpoints=tuple(self.plan.behaviours),
            publishes=publishes(self.publishers),
            receipts=self.sink.receipts(),
            kills=self.kills,
            messages=stored_messages(self.server.database, self.names),
        )


@contextmanager
def staged(
    folder: Path, plan: Plan, environment: Mapping[str, str] | None = None
) -> Generator[Stage]:
    """A started and furnished stage; nothing is left running."""
    server = Server(folder, environment)
    with Sink(plan.behaviours, plan.seed) as sink:
        try:
            server.start()
            stage = Stage(server, sink, plan)
            stage.furnish()
            yield stage
        finally:
            server.close()


def run(folder: Path, plan: Plan, progress: Progress = lambda _done, _kind: None) -> Result:
    """A whole campaign on a fresh database in `folder`.

    Raises TimeoutError and NotStarted when the server does not come back or does not drain.
    """
    began = time.monotonic()
    restarts: list[float] = []
    with staged(folder, plan) as stage:
        for publisher in stage.publishers:
            publisher.start()
        rng = random.Random(plan.seed)
        for number in range(plan.kills):
            time.sleep(rng.uniform(0, plan.load_s))
            kind = rng.choice(KILL_KINDS)
            stage.kill(kind)
            if not stage.server.running and rng.random() < plan.during_start:
                _kill_start(stage, rng)
            restarts.append(stage.server.restart())
            progress(number + 1, kind)
        stage.drain()
        code = stage.server.stop()
        history = stage.history()
        doctor = stage.server.command("doctor", "--json")
        return Result(
            plan=plan,
            verdict=judge(history),
            kills=_kinds(history),
            restart_s=tuple(sorted(restarts)),
            statuses=statuses(stage.server.database),
            exit_code=code,
            doctor=json.loads(doctor.stdout or "{}"),
            doctor_code=doctor.returncode,
            wall_s=time.monotonic() - began,
        )


def _kill_start(stage: Stage, rng: random.Random) -> None:
    stage.server.launch()
    time.sleep(rng.uniform(0.1, 1.5))
    stage.kills.append(Kill(time.monotonic(), "start", 0, counted=False))
    stage.server.kill("group")


def _kinds(history: History) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for kill in history.kills:
        kinds[kill.kind] = kinds.get(kill.kind, 0) + 1
    return kinds
