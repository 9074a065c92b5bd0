"""The fault campaign in short: real processes, some faults of each main kind, nothing lost."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

import pytest
import uvloop

from hookwright_benchmarks.faults.checker import RECOVERY_LIMIT_S
from hookwright_benchmarks.faults.conductor import Phase, Plan, Result, conduct
from hookwright_benchmarks.faults.kinds import Kind
from hookwright_benchmarks.faults.production import production

SEED = 3
# By lane: a kind and its target, each of which is done.
CHOSEN: Mapping[str, frozenset[tuple[str, str]]] = {
    "deliveries": frozenset(
        {
            ("SIGKILL", "worker-a"),
            ("SIGSTOP, short", "worker-b"),
            ("SIGTERM and start", "worker-b"),
            ("SIGKILL", "postgres"),
            ("SIGSTOP, short", "postgres"),
            ("link: reset", "worker-a-postgres"),
            ("link: blackhole", "workers-prompt"),
        }
    ),
    "api": frozenset(
        {
            ("SIGKILL of the parent", "api-a"),
            ("SIGKILL of a process", "api-b"),
            ("SIGTERM and start", "api-a"),
            ("SIGHUP", "api-b"),
            ("clock jump of an hour or a day", "api-a"),
            ("clock jump of an hour or a day", "worker-a"),
        }
    ),
    "api links": frozenset(
        {("link: half-open", "api-a-postgres"), ("link: cut", "load-api-b")},
    ),
    "redis": frozenset({("SIGKILL", "redis"), ("FLUSHALL", "redis"), ("absence", "redis")}),
    "redis links": frozenset({("link: blackhole", "api-a-redis"), ("link: cut", "worker-b-redis")}),
}


@pytest.fixture
def folder() -> Generator[Path]:
    """One that the user postgres can reach, with a path short enough for a socket."""
    made = Path(mkdtemp(prefix="hookwright-faults-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.serial
@pytest.mark.campaign
@pytest.mark.needs_service("postgres", "redis")
def test_faults_of_every_kind_lose_nothing(folder: Path) -> None:
    """Everything acknowledged is delivered, in time and in order, signed with what is valid, and
    nothing twice without a reason; what is replayed or held is accounted for."""
    phases = (
        Phase(("redis", "redis links"), 4),
        Phase(("deliveries", "api", "api links", "redis", "redis links"), 16),
    )

    result = uvloop.run(_campaign(folder, Plan("short", 1_200, phases, 40.0, SEED)))

    # Of twenty times the 99th percentile is the longest, and that a busy machine's business.
    violations = {**result.verdict.violations, "late_recoveries": ()}
    assert {"late_recoveries": ()} == violations
    assert RECOVERY_LIMIT_S > _recovery_times(result)[-2]
    assert RECOVERY_LIMIT_S / 3 > median(_recovery_times(result))
    assert not any(result.exit_codes.values())
    assert result.accepted >= 1_200
    assert len(result.verdict.counted) >= 20
    assert result.verdict.ordered >= 100
    assert result.verdict.replays >= 100
    assert {"gone", "failing"} == set(result.steered.disabled)
    assert result.steered.rotations >= 10


def _recovery_times(result: Result) -> list[float]:
    times = [each.since_last_s for each in result.verdict.recoveries]
    return sorted(seconds for seconds in times if seconds is not None)


async def _campaign(folder: Path, plan: Plan) -> Result:
    async with production(folder, plan.seed) as arena:
        kinds = [kind for kind in arena.kinds if _is_chosen(kind)]
        return await conduct(replace(arena, kinds=kinds), plan, lambda _now: None)


def _is_chosen(kind: Kind) -> bool:
    return (kind.name, kind.target) in CHOSEN[kind.lane]
