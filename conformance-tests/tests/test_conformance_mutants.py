"""The suite against the reference server: the sound one conforms, and each mutant of it dies.

`hookwright-conformance selftest` also shows that a mutant leaves nearly all other cases alone; that
takes minutes, so here each mutant meets only the cases that name it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conformance_timing import impatient, patient

from hookwright_conformance import requirements
from hookwright_conformance.case import all_cases
from hookwright_conformance.coverage import gaps
from hookwright_conformance.errors import TargetError
from hookwright_conformance.selftest import (
    SOUND,
    Entry,
    mutants,
    not_passed,
    report_of,
    run_suite,
    selftest,
    started,
)
from hookwright_conformance.spec import Spec

if TYPE_CHECKING:
    from service_fixtures import NewDatabase

FOLDER = Path(__file__).parents[1] / "mutants"
LAUNCHER = f"{sys.executable} {FOLDER / 'launch.py'}"
TARGET = FOLDER / "target.yaml"
KILLERS = mutants(all_cases())


# So many a test, of which so many at a time: they mostly wait.
TOGETHER, AT_A_TIME = 6, 4
# What must not come may come after a case has looked for it, on a machine that is busy.
LOOKS = 3


def parts_of_suite() -> Iterator[tuple[str, list[str]]]:
    """Mutants, by the part of the suite that the first of their killers belongs to."""

    def part_of(mutant: str) -> str:
        return min(KILLERS[mutant]).partition(".")[0]

    for part, those in groupby(sorted(KILLERS, key=part_of), key=part_of):
        names = list(those)
        for begin in range(0, len(names), TOGETHER):
            yield f"{part}-{begin}" if begin else part, names[begin : begin + TOGETHER]


PARTS = dict(parts_of_suite())


@pytest.fixture(scope="module")
def forks() -> Generator[dict[str, str]]:
    """The environment in which launchers are forks of one process."""
    tell = "import json, os, sys; print(json.dumps({**os.environ}), flush=True); sys.stdin.read()"
    command = [sys.executable, str(FOLDER / "forks.py"), sys.executable, "-c", tell]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield {name: told[name] for name in told if name.startswith("HOOKWRIGHT_MUTANT_")}
        process.communicate(timeout=240)


def run(mutant: str, target: Path, only: Sequence[str] = ()) -> dict[str, Entry]:
    """Run cases against a mutant; what is reported of each."""
    with started(LAUNCHER, mutant) as announced:
        return run_suite(target, announced, only, within_s=800)


PASSED = ("passed", None)


def verdicts(found: dict[str, Entry]) -> dict[str, tuple[str, object]]:
    """What became of each case, and what it says of its failure."""
    return {case: (entry["verdict"], entry.get("failure")) for case, entry in found.items()}


@pytest.mark.long
def test_the_reference_server_conforms(tmp_path: Path) -> None:
    """Every case passes: MUST and SHOULD, in every profile; and nothing documented is left out."""
    with started(LAUNCHER, SOUND) as announced:
        report = report_of(patient(tmp_path), announced, within_s=800)
    found = {case["id"]: case for case in report["cases"]}

    assert dict.fromkeys((case.id for case in all_cases()), PASSED) == verdicts(found)
    assert [] == gaps(report["cases"], Spec.load(), requirements.load())
    assert report["conforms"]


@pytest.mark.long
@pytest.mark.needs_service("postgres")
def test_the_reference_server_conforms_on_postgres(
    new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every case passes there too."""
    monkeypatch.setenv("HOOKWRIGHT_MUTANT_DATABASE", new_database())
    found = run(SOUND, patient(tmp_path))

    assert dict.fromkeys((case.id for case in all_cases()), PASSED) == verdicts(found)


@pytest.mark.parametrize("part", PARTS)
def test_mutants_die_by_each_case_that_names_them(
    part: str, tmp_path: Path, forks: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No killer sleeps."""
    for name, value in forks.items():
        monkeypatch.setenv(name, value)
    target = impatient(tmp_path)

    def killed_by(mutant: str) -> frozenset[str]:
        dead: frozenset[str] = frozenset()
        for _ in range(LOOKS):
            if awake := KILLERS[mutant] - dead:
                dead |= not_passed(run(mutant, target, sorted(awake))).keys()
        return dead

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        found = dict(zip(PARTS[part], pool.map(killed_by, PARTS[part]), strict=True))

    assert {mutant: KILLERS[mutant] for mutant in PARTS[part]} == found


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
