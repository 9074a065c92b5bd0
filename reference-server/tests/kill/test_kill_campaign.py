"""Kill -9 under load: what was answered 202 is delivered, all of it, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookwright_benchmarks.kill_campaign.campaign import RESUME_LIMIT_S, Plan, run

KILLS_EACH = 25
SEEDS = (1, 2)


@pytest.mark.long
@pytest.mark.campaign
@pytest.mark.parametrize("seed", SEEDS)
def test_kills_lose_nothing(tmp_path: Path, seed: int) -> None:
    """Of the group, the worker, the parent or the engine: nothing lost, halved or left lying."""
    result = run(tmp_path, Plan(KILLS_EACH, seed))
    verdict = result.verdict

    assert {} == verdict.faults
    assert () == verdict.idle_kills
    assert KILLS_EACH == sum(n for kind, n in result.kills.items() if kind != "start")
    assert verdict.in_flight >= KILLS_EACH
    assert max(verdict.resumed_after_s) <= 2 * RESUME_LIMIT_S  # on a busy machine
    assert {"delivered"} == result.statuses.keys()
    assert (0, 0, []) == (result.exit_code, result.doctor_code, result.doctor["findings"])
