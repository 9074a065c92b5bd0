"""Proves the suite: every mutant must die by the cases that name it, while nearly all others pass.

A mutant is an implementation with one thing broken on purpose. The suite knows only its name and
how to start it: `LAUNCHER NAME` prints one JSON line when it is ready,
`{"base_url": …, "environment": {"VARIABLE": "key", …}}`, and ends when its standard input closes.
`LAUNCHER none` starts the sound implementation.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hookwright_conformance.apart import run_apart
from hookwright_conformance.case import Case, all_cases
from hookwright_conformance.errors import TargetError

SOUND = "none"
OTHERS_THAT_MUST_PASS = 0.8

Entry = dict[str, Any]
"""A case in report.json."""


@dataclass(frozen=True, slots=True)
class Autopsy:
    """What the suite made of one mutant."""

    mutant: str
    expected_killers: frozenset[str]
    failed: frozenset[str]
    cases: int

    @property
    def missed(self) -> list[str]:
        """Cases that name the mutant but did not notice it."""
        return sorted(self.expected_killers - self.failed)

    @property
    def others_passed(self) -> float:
        """Which part of the cases that do not name it still passed."""
        others = self.cases - len(self.expected_killers)
        return 1 - len(self.failed - self.expected_killers) / others if others else 1.0

    @property
    def proven(self) -> bool:
        """Whether the mutant died as it should."""
        return not self.missed and self.others_passed >= OTHERS_THAT_MUST_PASS

    def line(self) -> str:
        """The finding in one line."""
        verdict = "dies" if self.proven else "LIVES" if self.missed else "BREAKS TOO MUCH"
        missed = f"; not noticed by {', '.join(self.missed)}" if self.missed else ""
        others = f"{self.others_passed:.0%} of the other cases pass"
        return (
            f"{verdict:<16}{self.mutant}: {len(self.expected_killers)} killer(s), {others}{missed}"
        )


def mutants(cases: Sequence[Case]) -> dict[str, frozenset[str]]:
    """Each mutant that a case names, with the cases that must kill it."""
    names = sorted({mutant for case in cases for mutant in case.kills})
    return {name: frozenset(case.id for case in cases if name in case.kills) for name in names}


def selftest(launcher: str, target: Path, only: Sequence[str] = ()) -> Iterator[Autopsy]:
    """Run the whole suite against the sound implementation and each mutant. Raises TargetError when
    the sound one fails a case, a launcher does not start, or `only` names no mutant."""
    cases = all_cases()
    known = mutants(cases)
    unknown = set(only) - set(known)
    if unknown:
        raise TargetError(f"no case names the mutant(s) {', '.join(sorted(unknown))}")
    with started(launcher, SOUND) as announced:
        found = run_suite(target, announced)
    failed = sorted(case for case, entry in found.items() if entry["verdict"] == "failed")
    if failed:
        raise TargetError(f"the sound implementation fails {', '.join(failed)}")
    for name, killers in known.items():
        if only and name not in only:
            continue
        with started(launcher, name) as announced:
            found = run_suite(target, announced)
        yield Autopsy(name, killers, frozenset(not_passed(found)), len(found))


@contextmanager
def started(launcher: str, mutant: str) -> Generator[dict[str, Any]]:
    """Run `LAUNCHER MUTANT` and yield what it announces. Raises TargetError for nothing."""
    process = subprocess.Popen(
        [*shlex.split(launcher), mutant], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    if process.stdin is None or process.stdout is None:
        raise TargetError("the launcher has no pipes")
    try:
        line = process.stdout.readline()
        if not line:
            raise TargetError(
                f"{launcher} {mutant} ended with {process.wait()} before it was ready"
            )
        yield _announced(line, f"{launcher} {mutant}")
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _announced(line: bytes, command: str) -> dict[str, Any]:
    try:
        announced: dict[str, Any] = json.loads(line)
        return {name: announced[name] for name in ("base_url", "environment")}
    except (ValueError, TypeError, KeyError) as error:
        what = "JSON with base_url and environment"
        raise TargetError(f"{command} announced {line[:200]!r} instead of {what}") from error


def run_suite(
    target: Path,
    announced: dict[str, Any],
    only: Sequence[str] = (),
    within_s: float | None = None,
) -> dict[str, Entry]:
    """Run all cases, or those with the ids `only`, against what a launcher has announced; what the
    report says of each. Raises TargetError when nothing was tested, or not within `within_s`."""
    entries: list[Entry] = report_of(target, announced, only, within_s)["cases"]
    return {entry["id"]: entry for entry in entries}


def not_passed(found: dict[str, Entry]) -> dict[str, Entry]:
    """Those of the cases that noticed something."""
    seen = ("passed", "not_run")
    return {case: entry for case, entry in found.items() if entry["verdict"] not in seen}


def report_of(
    target: Path,
    announced: dict[str, Any],
    only: Sequence[str] = (),
    within_s: float | None = None,
) -> dict[str, Any]:
    """The same; all that report.json holds."""
    with tempfile.TemporaryDirectory(prefix="hookwright-selftest-") as name:
        folder = Path(name)
        arguments = ["server", "--target", str(target), "--base-url", announced["base_url"]]
        arguments += ["--report", str(folder), *(part for id_ in only for part in ("--only", id_))]
        environment = {**os.environ, **announced["environment"]}
        status = run_apart(arguments, environment, folder / "output", within_s)
        report = folder / "report.json"
        if status not in (0, 1) or not report.is_file():
            said = (folder / "output").read_text(encoding="utf-8", errors="replace")
            raise TargetError(f"the suite did not run: {said[-4000:]}")
        document: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return document
