"""The suite against the reference server: the sound one conforms, and each mutant of it dies.

`hookwright-conformance selftest` also shows that a mutant leaves nearly all other cases alone; that
takes minutes, so here each mutant meets only the cases that name it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from hookwright_conformance.case import all_cases
from hookwright_conformance.errors import TargetError
from hookwright_conformance.selftest import SOUND, mutants, selftest, started

FOLDER = Path(__file__).parents[1]
LAUNCHER = f"{sys.executable} {FOLDER / 'mutants' / 'launch.py'}"
TARGET = FOLDER / "target.example.yaml"
# A killer often waits in vain for a request that the mutant does not send: not for long.
IMPATIENT = TARGET.read_text(encoding="utf-8").replace(
    "delivery_seconds: 10", "delivery_seconds: 2"
)
KILLERS = mutants(all_cases())


def verdicts(mutant: str, only: Sequence[str], target: Path, report: Path) -> dict[str, str]:
    """Run cases against a mutant; the verdict of each."""
    command = [sys.executable, "-m", "hookwright_conformance", "server", "--target", str(target)]
    with started(LAUNCHER, mutant) as announced:
        command += ["--base-url", announced["base_url"], "--report", str(report)]
        command += [argument for case in only for argument in ("--only", case)]
        environment = {**os.environ, **announced["environment"]}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=250, check=False
        )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    cases = json.loads((report / "report.json").read_text(encoding="utf-8"))["cases"]
    return {case["id"]: case["verdict"] for case in cases}


@pytest.mark.serial
def test_the_reference_server_conforms(tmp_path: Path) -> None:
    """Every case passes: MUST and SHOULD, in every profile."""
    found = verdicts(SOUND, [], TARGET, tmp_path)

    assert dict.fromkeys((case.id for case in all_cases()), "passed") == found


@pytest.mark.parametrize("mutant", sorted(KILLERS))
def test_a_mutant_dies_by_each_case_that_names_it(mutant: str, tmp_path: Path) -> None:
    """No killer sleeps."""
    target = tmp_path / "target.yaml"
    target.write_text(IMPATIENT, encoding="utf-8")
    found = verdicts(mutant, sorted(KILLERS[mutant]), target, tmp_path)

    assert KILLERS[mutant] == {case for case, verdict in found.items() if verdict != "passed"}


def test_an_unknown_mutant_is_refused() -> None:
    """A typing error proves nothing."""
    with pytest.raises(TargetError, match="no case names the mutant"):
        list(selftest(LAUNCHER, TARGET, ["no-such-mutant"]))


def test_a_launcher_that_dies_is_named() -> None:
    """Instead of waiting for an announcement that never comes."""
    with (
        pytest.raises(TargetError, match="before it was ready"),
        started(f"{sys.executable} -c pass", SOUND),
    ):
        pass
