"""The faults: what each does to its target, and how it is undone.

A fault belongs to a *lane*; those of one lane come one after another, those of different lanes
overlap.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import psycopg
import redis

from hookwright_benchmarks.faults.cast import LINKS
from hookwright_benchmarks.faults.clocks import Clocks
from hookwright_benchmarks.faults.cluster import APIS, WORKERS, Cluster
from hookwright_benchmarks.faults.links import Link
from hookwright_benchmarks.faults.programs import Program, Service
from hookwright_benchmarks.faults.record import Part

Lane = Literal["deliveries", "api", "api links", "redis", "redis links"]
"""`deliveries`: whatever brings deliveries to a stop, worker, Postgres and sink."""
Act = Callable[[random.Random], Awaitable[object]]

LEASE_S = 10.0
_SHORT_S = (0.3, 3.0)
_LONG_S = (LEASE_S + 0.5, LEASE_S + 3.0)
_AT_ONCE = (0.0, 0.0)
_LINGERS_S = 16.0
"""A connection that nobody tells its death is given up after 9 s, a session after 10 s."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`begin`, then after `hold_s` (from, to) `end`. Recovery counts from the kill
    (`from_begin`) or from the moment before `end`. `delays`: deliveries can come to a stop by it.
    `weight`: how often, among those of its lane."""

    name: str
    lane: Lane
    target: str
    touches: frozenset[Part]
    begin: Act
    end: Act
    hold_s: tuple[float, float] = _AT_ONCE
    from_begin: bool = False
    weight: float = 1.0
    lingers_s: float = 2.0
    delays: bool = False


async def _nothing(_rng: random.Random) -> None:
    pass


def all_kinds(cluster: Cluster, clocks: Clocks | None) -> list[Kind]:
    """Every fault that can be done to `cluster`; clocks jump when there is a way."""
    kinds: list[Kind] = []
    for name in APIS:
        kinds += _of_api(cluster.programs[name], clocks)
    for name in WORKERS:
        kinds += _of_worker(cluster.programs[name], clocks)
    kinds += _of_service(cluster.postgres, "postgres") + _of_postgres(cluster.postgres)
    kinds += _of_service(cluster.redis, "redis") + _of_redis(cluster.redis)
    for link, lane, touches in _links(cluster):
        kinds += _of_link(link, lane, touches)
    return [replace(kind, delays=kind.lane == "deliveries") for kind in kinds]


def _of_api(program: Program, clocks: Clocks | None) -> list[Kind]:
    async def kill_parent(_rng: random.Random) -> None:
        program.signal(signal.SIGKILL, whole=False)

    async def kill_process(rng: random.Random) -> None:
        os.kill(rng.choice(program.children()), signal.SIGKILL)

    async def reload(_rng: random.Random) -> None:
        program.signal(signal.SIGHUP, whole=False)

    async def restart(_rng: random.Random) -> None:
        await program.replace()

    async def ready(_rng: random.Random) -> None:
        await program.ready()

    touches: frozenset[Part] = frozenset({"api"})
    name = program.name
    lane: Lane = "api"
    return [
        Kind("SIGKILL of the parent", lane, name, touches, kill_parent, ready, from_begin=True),
        Kind("SIGKILL of a process", lane, name, touches, kill_process, ready, from_begin=True),
        Kind("SIGTERM and start", lane, name, touches, restart, ready, from_begin=True),
        Kind("SIGHUP", lane, name, touches, reload, ready, from_begin=True),
        *_pauses(program.signal, lane, name, touches),
        *_jumps(clocks, name),
    ]


def _of_worker(program: Program, clocks: Clocks | None) -> list[Kind]:
    async def kill(_rng: random.Random) -> None:
        program.signal(signal.SIGKILL)

    async def restart(_rng: random.Random) -> None:
        await program.replace()

    async def ready(_rng: random.Random) -> None:
        await program.ready()

    touches: frozenset[Part] = frozenset({"worker"})
    name = program.name
    lane: Lane = "deliveries"
    return [
        Kind("SIGKILL", lane, name, touches, kill, ready, from_begin=True, weight=3),
        Kind("SIGTERM and start", lane, name, touches, restart, ready, from_begin=True),
        *_pauses(program.signal, lane, name, touches),
        *_jumps(clocks, name),
    ]


def _pauses(
    send: Callable[[signal.Signals], object], lane: Lane, target: str, touches: frozenset[Part]
) -> list[Kind]:
    async def stop(_rng: random.Random) -> None:
        send(signal.SIGSTOP)

    async def go_on(_rng: random.Random) -> None:
        send(signal.SIGCONT)

    return [
        Kind(name, lane, target, touches, stop, go_on, hold_s, lingers_s=4)
        for name, hold_s in (
            ("SIGSTOP, short", _SHORT_S),
            ("SIGSTOP, longer than a lease", _LONG_S),
        )
    ]


def _jumps(clocks: Clocks | None, target: str) -> list[Kind]:
    """They touch nothing: they explain neither a duplicate nor a 5xx."""
    if clocks is None:
        return []

    async def jump(rng: random.Random) -> None:
        hours = rng.choice((1, -1, 24, -24))
        clocks.set(target, hours * 3600 + rng.uniform(-60, 60))

    async def back(_rng: random.Random) -> None:
        clocks.set(target, 0.0)

    name = "clock jump of an hour or a day"
    return [Kind(name, "api", target, frozenset(), jump, back, (1.0, 4.0))]


def _of_service(service: Service, name: Literal["postgres", "redis"]) -> list[Kind]:
    async def kill(_rng: random.Random) -> None:
        await service.kill()

    async def stop(_rng: random.Random) -> None:
        await service.stop()

    async def start(_rng: random.Random) -> None:
        await service.start()

    touches: frozenset[Part] = frozenset({name})
    lane: Lane = "deliveries" if name == "postgres" else "redis"
    return [
        Kind("SIGKILL", lane, name, touches, kill, start, from_begin=True, weight=2),
        Kind("restart", lane, name, touches, stop, start),
        Kind("absence", lane, name, touches, stop, start, (2.0, 8.0)),
        *_pauses(service.signal, lane, name, touches),
    ]


def _of_postgres(service: Service) -> list[Kind]:
    async def kill_backend(rng: random.Random) -> None:
        """Postgres then ends all sessions and recovers."""
        async with await psycopg.AsyncConnection.connect(service.url) as connection:
            rows = await connection.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            pids = [int(row[0]) for row in await rows.fetchall()]
        if pids:
            os.kill(rng.choice(pids), signal.SIGKILL)

    async def end_sessions(_rng: random.Random) -> None:
        async with await psycopg.AsyncConnection.connect(service.url) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )

    async def answers(_rng: random.Random) -> None:
        await _until_postgres_answers(service.url)

    touches: frozenset[Part] = frozenset({"postgres"})
    lane: Lane = "deliveries"
    return [
        Kind(name, lane, "postgres", touches, begin, answers, from_begin=True)
        for name, begin in (
            ("SIGKILL of a backend", kill_backend),
            ("all sessions ended", end_sessions),
        )
    ]


async def _until_postgres_answers(url: str) -> None:
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(url, connect_timeout=2) as connection:
                await connection.execute("SELECT 1")
            return
        except psycopg.OperationalError:
            await asyncio.sleep(0.05)


def _of_redis(service: Service) -> list[Kind]:
    async def flush(_rng: random.Random) -> None:
        await asyncio.to_thread(_flush, service.url)

    touches: frozenset[Part] = frozenset({"redis"})
    return [Kind("FLUSHALL", "redis", "redis", touches, flush, _nothing, from_begin=True, weight=3)]


def _flush(url: str) -> None:
    client: Any = redis.from_url(url)  # its commands are typed in part only
    with client:
        client.flushall()


def _links(cluster: Cluster) -> list[tuple[Link, Lane, frozenset[Part]]]:
    api, postgres, hints, worker, sink = (
        frozenset[Part]({part}) for part in ("api", "postgres", "redis", "worker", "sink")
    )
    links = cluster.links
    return [
        *((links[f"load-{name}"], "api links", api) for name in APIS),
        *((links[f"{name}-postgres"], "api links", postgres) for name in APIS),
        *((links[f"{name}-redis"], "redis links", hints) for name in (*APIS, *WORKERS)),
        *((links[f"{name}-postgres"], "deliveries", worker) for name in WORKERS),
        *((links[f"workers-{name}"], "deliveries", sink) for name in LINKS),
    ]


def _of_link(link: Link, lane: Lane, touches: frozenset[Part]) -> list[Kind]:
    def kind(
        verb: str,
        do: Callable[[random.Random], object],
        hold_s: tuple[float, float],
        lingers_s: float = 3.0,
    ) -> Kind:
        async def begin(rng: random.Random) -> None:
            do(rng)

        async def heal(_rng: random.Random) -> None:
            await link.heal()

        return Kind(
            f"link: {verb}", lane, link.name, touches, begin, heal, hold_s, lingers_s=lingers_s
        )

    return [
        kind("latency", lambda rng: link.latency(rng.uniform(0.02, 0.5), 0.1), (1.0, 5.0)),
        kind("slice", lambda rng: link.slice(rng.randint(50, 500), 0.005), (1.0, 5.0)),
        kind("cut", lambda _: link.cut(), _AT_ONCE),
        kind("reset", lambda _: link.reset(), _AT_ONCE),
        kind(
            "half-open",
            lambda rng: link.half_open(rng.choice(("up", "down"))),
            (1.0, 5.0),
            _LINGERS_S,
        ),
        kind("blackhole", lambda _: link.blackhole(), (1.0, 8.0)),
        kind("refused", lambda _: link.refuse(), (1.0, 5.0)),
    ]


def shuffled(kinds: Sequence[Kind], rng: random.Random) -> list[Kind]:
    """Each of them at least once, in a random order; more often by weight."""
    bag = [kind for kind in kinds for _ in range(max(1, round(kind.weight)))]
    rng.shuffle(bag)
    return bag
