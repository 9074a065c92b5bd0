"""A campaign's report: every zero with its bound, every fault with its cases."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from hookwright_benchmarks.kill_campaign.__main__ import main
from hookwright_benchmarks.kill_campaign.campaign import Plan, Result
from hookwright_benchmarks.kill_campaign.history import FAULTS, Verdict
from hookwright_benchmarks.kill_campaign.report import document, lines

RESULT = Result(
    plan=Plan(kills=2, seed=7),
    verdict=Verdict(
        publishes={"ok": 100, "fail": 0, "unknown": 3},
        receipts=600,
        recovered=1,
        duplicates=2,
        in_flight=12,
        resumed_after_s=(1.0, 2.0, 3.0),
        waited_s=(1.0, 2.0, 9.0),
        idle_kills=(),
    ),
    kills={"group": 2},
    restart_s=(1.5, 1.6),
    statuses={"delivered": 303},
    exit_code=0,
    doctor={"findings": []},
    doctor_code=0,
    wall_s=9.0,
)


def test_zeros_have_a_bound() -> None:
    """The rule of three over what the fault is counted in: messages, deliveries, receipts."""
    faults = document(RESULT)["faults"]

    assert set(FAULTS) == faults.keys()
    assert 3 / 300 == faults["lost"]["upper_bound_95"]
    assert 3 / 101 == faults["partial_fan_outs"]["upper_bound_95"]
    assert 3 / 600 == faults["corrupted"]["upper_bound_95"]
    assert 3 / 12 == faults["not_resumed"]["upper_bound_95"]


def test_a_sound_result_can_be_read() -> None:
    """Programs get JSON, people get lines, both say the same."""
    told = document(RESULT)

    assert told["sound"]
    assert told == json.loads(json.dumps(told))
    assert "All is well." == list(lines(RESULT))[-1]
    assert {"p50": 2.0, "p99": 3.0, "max": 3.0} == told["resumed_after_seconds"]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RESULT, verdict=replace(RESULT.verdict, faults={"lost": ("key-1",)})),
        replace(RESULT, verdict=replace(RESULT.verdict, idle_kills=("group at 1.0",))),
        replace(RESULT, verdict=replace(RESULT.verdict, resumed_after_s=(15.1,))),
        replace(RESULT, exit_code=1),
        replace(RESULT, doctor_code=1),
    ],
    ids=["fault", "idle kill", "late", "exit code", "doctor"],
)
def test_anything_wrong_is_told(wrong: Result) -> None:
    """A fault, a kill that proves nothing, a late resumption, a bad stop or a finding."""
    assert not document(wrong)["sound"]
    assert "Something is wrong; see above." == list(lines(wrong))[-1]


def test_faults_are_shown_without_a_bound() -> None:
    """A fault is shown with its cases; a bound belongs to zeros alone."""
    wrong = replace(RESULT, verdict=replace(RESULT.verdict, faults={"lost": ("key-1",)}))

    assert {"count": 1, "upper_bound_95": None, "cases": ["key-1"]} == (
        document(wrong)["faults"]["lost"]
    )
    assert "    key-1" in list(lines(wrong))


def test_the_command_explains_itself() -> None:
    """`--help` names every option."""
    shown = CliRunner().invoke(main, ["--help"]).stdout

    assert all(option in shown for option in ("--kills", "--seed", "--rate", "--folder", "--json"))
