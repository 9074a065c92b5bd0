"""A scorecard: every zero with its bound, every violation with its cases, to read and to parse."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.console import Console

from hookwright_benchmarks.faults.__main__ import main, stages
from hookwright_benchmarks.faults.checker import VIOLATIONS, Verdict
from hookwright_benchmarks.faults.conductor import Phase, Plan, Result
from hookwright_benchmarks.faults.record import Fault
from hookwright_benchmarks.faults.recovery import Recovery
from hookwright_benchmarks.faults.scorecard import Circumstances, document, markdown, show
from hookwright_benchmarks.faults.steering import Steered
from hookwright_benchmarks.results import Machine

FAULT = Fault(
    kind="SIGKILL",
    target="worker-a",
    touches=frozenset({"worker"}),
    began=1.0,
    recovers_from=1.0,
    ended=2.0,
    requests_open=2,
    unsettled=3,
)
RESULT = Result(
    plan=Plan("production", 100, (Phase(("deliveries",), 2),), 50.0, seed=7),
    verdict=Verdict(
        outcomes={"ok": 100, "fail": 0, "unknown": 3},
        recovered_unknown=1,
        receipts=210,
        duplicates=4,
        transitions=400,
        errors={"postgres": 5, "redis": 0},
        recoveries=(Recovery(FAULT, 2.0, 1.0, 2.0), Recovery(FAULT, 9.0, 1.0, 4.0)),
        counted=(FAULT, FAULT),
        idle=(),
        violations={},
        ordered=12,
        replays=6,
        tasks=3,
        for_closing=30,
    ),
    by_kind={"worker: SIGKILL": 2},
    accepted=100,
    sent_again=8,
    refused={},
    statuses={"delivered": 200},
    exit_codes={"worker-a": 0},
    wall_s=9.0,
    steered=Steered(rotations=5, disabled=Counter(gone=2, failing=1)),
    calls=20,
)
ABOUT = Circumstances(
    date="2026-01-02",
    commit="abc1234",
    seed=7,
    machine=Machine("processor", 2, 4.0, "Linux", "3.11", "3.40", 0.1, 1.0),
    versions={"Postgres": "15.1"},
    left_out=("clock jumps, which need a C compiler",),
)


def test_zeros_have_a_bound() -> None:
    """The rule of three over what the violation is counted in, of all stages together."""
    violations = document([RESULT, RESULT], ABOUT)["total"]["violations"]

    assert set(VIOLATIONS) == violations.keys()
    assert {"count": 0, "of": 200, "upper_bound_95": 3 / 200} == violations["lost"]
    assert 3 / 420 == violations["corrupted"]["upper_bound_95"]
    assert 3 / 800 == violations["stale_completions"]["upper_bound_95"]
    assert 3 / 4 == violations["not_recovered"]["upper_bound_95"]
    assert 3 / (2 * 131) == violations["errors_by_redis"]["upper_bound_95"]
    assert 3 / 420 == violations["wrong_signers"]["upper_bound_95"]
    assert [24, 24] == [violations[f"ordering_{each}"]["of"] for each in ("inversions", "gaps")]
    assert [12, 6, 60] == [
        violations[each]["of"] for each in ("replays_lost", "tasks_stuck", "held_lost")
    ]


def test_a_sound_result_can_be_read() -> None:
    """Programs get JSON, people a page and tables; all say the same."""
    told = document([RESULT], ABOUT)
    screen = io.StringIO()
    show(told, Console(file=screen, width=120))
    page = markdown(told)

    assert told["sound"]
    assert told == json.loads(json.dumps(told))
    assert "All is well." in screen.getvalue()
    assert "| worker: SIGKILL | 2 |" in page
    assert "seed 7" in page
    assert "Left out: clock jumps" in page
    assert "| replays, by how many tasks | 6, 3 |" in page
    assert "enabled again | 3; 1 `failing`; 2 `gone` |" in page
    recovery = told["total"]["recovery_seconds"]
    assert {"count": 2, "p50": 4.0, "p99": 4.0, "max": 4.0} == recovery["all"]
    assert 9.0 == recovery["through_further_faults"]["max"]
    assert ["worker"] == list(recovery["by_part"])


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RESULT, verdict=replace(RESULT.verdict, violations={"lost": ("key-1",)})),
        replace(RESULT, exit_codes={"api-a": 1}),
    ],
    ids=["violation", "exit code"],
)
def test_anything_wrong_is_told(wrong: Result) -> None:
    """A violation with its cases, and without a bound; a program that did not end in order."""
    told = document([RESULT, wrong], ABOUT)
    screen = io.StringIO()
    show(told, Console(file=screen, width=120))

    assert not told["sound"]
    assert "Something is wrong; see above." in screen.getvalue()
    assert "## What was wrong" in markdown(told)


def test_the_stages_share_events_and_faults() -> None:
    """Together they have as many as were asked for; a part of the faults disturbs only Redis."""
    plans = [stage.plan for stage in stages(200_000, 500, 110.0, seed=1)]

    assert (200_000, 500) == (sum(p.events for p in plans), sum(p.faults for p in plans))
    assert {"redis", "redis links"} == set(plans[0].phases[0].lanes)


def test_the_command_explains_itself() -> None:
    """`--help` names every option."""
    shown = CliRunner().invoke(main, ["--help"]).stdout
    options = ("--events", "--faults", "--rate", "--seed", "--folder", "--write", "--json")

    assert all(option in shown for option in options)
