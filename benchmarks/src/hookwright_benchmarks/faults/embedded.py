"""The stage in the embedded form: `serve` on one SQLite file, on a disk that can be filled."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from hookwright_benchmarks.faults import evidence
from hookwright_benchmarks.faults.cast import BEHAVIOURS, Roster, furnish
from hookwright_benchmarks.faults.cluster import SETTINGS, free_port, responds
from hookwright_benchmarks.faults.evidence import Stored
from hookwright_benchmarks.faults.kinds import Act, Kind
from hookwright_benchmarks.faults.programs import Program
from hookwright_benchmarks.faults.publisher import Publisher
from hookwright_benchmarks.faults.record import Part, Transition
from hookwright_benchmarks.faults.small_disk import SmallDisk, possible
from hookwright_benchmarks.kill_campaign.sink import Sink

_DISK_MB = 160
_Whom = Literal["all", "parent", "worker", "engine"]
_KILLS: tuple[tuple[str, _Whom], ...] = (
    ("SIGKILL of all", "all"),
    ("SIGKILL of the parent", "parent"),
    ("SIGKILL of the worker", "worker"),
    ("SIGKILL of the engine", "engine"),
)
_TOUCHES: frozenset[Part] = frozenset({"api", "worker"})


@dataclass(slots=True)
class EmbeddedArena:
    """See `Arena`."""

    sink: Sink
    program: Program
    database: Path
    port: int
    api_key: str
    kinds: Sequence[Kind]
    roster: Roster = field(default_factory=Roster)

    def publisher(self, per_second: float, seed: int) -> Publisher:
        return Publisher([self.port], self.api_key, per_second, seed)

    async def heal(self) -> None:
        """Every fault here undoes itself."""

    async def unfinished(self) -> int:
        def ask() -> int:
            with evidence.sqlite(self.database) as select:
                return evidence.unfinished(select)

        try:
            return await asyncio.to_thread(ask)
        except sqlite3.OperationalError as error:
            raise OSError(str(error)) from error

    async def stop(self) -> Mapping[str, int]:
        return {"serve": await self.program.stop()}

    def stored(self) -> Stored:
        with evidence.sqlite(self.database) as select:
            return evidence.stored(select, self.roster.names, _findings(self.database))

    def transitions(self) -> Iterable[Transition]:
        """None are written down: only one engine at a time records results."""
        return ()


@asynccontextmanager
async def embedded(folder: Path, seed: int) -> AsyncGenerator[EmbeddedArena]:
    """A server that is ready; where this user may, its disk fills up as well."""
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(SmallDisk(folder / "disk", _DISK_MB)) if possible() else None
        database = (disk.folder if disk else folder) / "hookwright.db"
        sink = stack.enter_context(Sink(BEHAVIOURS, seed))
        port = free_port()
        program = _program(folder, database, port)
        program.start()
        stack.push_async_callback(program.kill)
        await program.ready()
        key = _live_key(folder / "serve.log")
        arena = EmbeddedArena(sink, program, database, port, key, _kinds(program, disk))
        arena.roster = await furnish(key, f"http://127.0.0.1:{port}", sink, lambda _link: sink.port)
        yield arena


def _program(folder: Path, database: Path, port: int) -> Program:
    arguments = ("serve", "--port", str(port), "--database", str(database), "--json")
    return Program(
        "serve",
        (sys.executable, "-m", "hookwright_server", *arguments),
        {**os.environ, **SETTINGS},
        folder / "serve.log",
        lambda: responds(port),
    )


def _live_key(log: Path) -> str:
    for line in log.read_text().splitlines():
        if '"account_created"' in line:
            return str(json.loads(line)["live_key"])
    raise RuntimeError(f"{log} names no key")


def _kinds(program: Program, disk: SmallDisk | None) -> list[Kind]:
    async def ready(_rng: random.Random) -> None:
        await program.ready()

    async def restart(_rng: random.Random) -> None:
        await program.replace()

    kinds = [
        *(
            _kind(name, _signalling(program, signal.SIGKILL, whom), ready, from_begin=True)
            for name, whom in _KILLS
        ),
        _kind("SIGTERM and start", restart, ready, from_begin=True),
        *(
            replace(
                _kind(
                    name,
                    _signalling(program, signal.SIGSTOP, "all"),
                    _signalling(program, signal.SIGCONT, "all"),
                ),
                hold_s=hold_s,
            )
            for name, hold_s in (
                ("SIGSTOP, short", (0.3, 2.0)),
                ("SIGSTOP, longer than a lease", (10.5, 12.0)),
            )
        ),
    ]
    return kinds if disk is None else [*kinds, _full_disk(disk, program)]


def _kind(name: str, begin: Act, end: Act, *, from_begin: bool = False) -> Kind:
    return Kind(
        name,
        "deliveries",
        "serve",
        _TOUCHES,
        begin,
        end,
        from_begin=from_begin,
        lingers_s=4.0,
        delays=True,
    )


def _signalling(program: Program, number: signal.Signals, whom: _Whom) -> Act:
    async def send(_rng: random.Random) -> None:
        if whom in ("worker", "engine"):
            for pid in program.children() if whom == "worker" else program.grandchildren():
                os.kill(pid, number)
        else:
            program.signal(number, whole=whom == "all")

    return send


def _full_disk(disk: SmallDisk, program: Program) -> Kind:
    async def fill(_rng: random.Random) -> None:
        await asyncio.to_thread(disk.fill)

    async def empty(_rng: random.Random) -> None:
        disk.empty()
        await program.ready()

    return replace(_kind("disk full", fill, empty), hold_s=(0.5, 3.0), weight=3.0)


def _findings(database: Path) -> list[str]:
    doctor = subprocess.run(
        [sys.executable, "-m", "hookwright_server", "doctor", "--json"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "HOOKWRIGHT_DATABASE": str(database)},
    )
    if doctor.returncode == 0:
        return []
    told: dict[str, Any] = json.loads(doctor.stdout or '{"findings": []}')
    faults = [f"{one['check']}: {one['meaning']}" for one in told["findings"] if one["is_fault"]]
    return faults or [f"doctor ended with {doctor.returncode}: {doctor.stderr[-200:]}"]
