"""The stages in the production form: all faults, and a disk that fills up under Postgres."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from hookwright_benchmarks.faults import evidence
from hookwright_benchmarks.faults.cast import Roster
from hookwright_benchmarks.faults.clocks import Clocks
from hookwright_benchmarks.faults.cluster import APIS, WORKERS, Cluster, running
from hookwright_benchmarks.faults.evidence import Stored
from hookwright_benchmarks.faults.kinds import Kind, all_kinds
from hookwright_benchmarks.faults.publisher import Publisher
from hookwright_benchmarks.faults.record import Transition
from hookwright_benchmarks.faults.small_disk import SmallDisk
from hookwright_benchmarks.kill_campaign.sink import Sink

_DISK_MB = 320
_LITTLE_WAL = {"max_wal_size": "64MB", "min_wal_size": "32MB"}


@dataclass(frozen=True, slots=True)
class ProductionArena:
    """See `Arena`."""

    cluster: Cluster
    kinds: Sequence[Kind]

    @property
    def sink(self) -> Sink:
        return self.cluster.sink

    @property
    def roster(self) -> Roster:
        return self.cluster.roster

    def publisher(self, per_second: float, seed: int) -> Publisher:
        return Publisher(self.cluster.api_ports, self.cluster.api_key, per_second, seed)

    async def heal(self) -> None:
        await self.cluster.heal()

    async def unfinished(self) -> int:
        def ask() -> int:
            with evidence.postgres(self.cluster.postgres.url) as select:
                return evidence.unfinished(select)

        try:
            return await asyncio.to_thread(ask)
        except psycopg.OperationalError as error:
            raise OSError(str(error)) from error

    async def stop(self) -> Mapping[str, int]:
        programs = self.cluster.programs
        await asyncio.gather(*(program.ready() for program in programs.values()))
        codes = await asyncio.gather(*(program.stop() for program in programs.values()))
        return dict(zip(programs, codes, strict=True))

    def stored(self) -> Stored:
        with evidence.postgres(self.cluster.postgres.url) as select:
            return evidence.stored(select, self.roster.names, evidence.audit(select))

    def transitions(self) -> Iterable[Transition]:
        return evidence.transitions(self.cluster.postgres.url)


@asynccontextmanager
async def production(folder: Path, seed: int) -> AsyncGenerator[ProductionArena]:
    """Everything that can be done to it. Without a C compiler no clock jumps."""
    clocks = Clocks.build(folder, (*APIS, *WORKERS))
    more = None if clocks is None else clocks.environment
    async with running(folder, seed, environment=more) as cluster:
        yield ProductionArena(cluster, all_kinds(cluster, clocks))


@asynccontextmanager
async def full_disk(folder: Path, seed: int) -> AsyncGenerator[ProductionArena]:
    """Postgres on a small disk of its own, which fills up and is emptied. Needs root."""
    with SmallDisk(folder / "disk", _DISK_MB) as disk:
        async with running(
            folder, seed, data=disk.folder / "postgres", postgres_settings=_LITTLE_WAL
        ) as cluster:

            async def fill(_rng: random.Random) -> None:
                await asyncio.to_thread(disk.fill)

            async def empty(_rng: random.Random) -> None:
                disk.empty()
                await asyncio.sleep(0.5)  # services.py needs a moment to see that it has died
                if not cluster.postgres.running:
                    await cluster.postgres.start()

            kind = Kind(
                "disk full",
                "deliveries",
                "postgres",
                frozenset({"postgres"}),
                fill,
                empty,
                (1.0, 5.0),
                lingers_s=4,
                delays=True,
            )
            yield ProductionArena(cluster, [kind])
