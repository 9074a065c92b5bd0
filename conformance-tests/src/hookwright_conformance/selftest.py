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
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hookwright_conformance.case import Case, all_cases
from hookwright_conformance.errors import TargetError

SOUND = "none"
OTHERS_THAT_MUST_PASS = 0.8


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
        verdicts = _run_suite(target, announced)
    failed = sorted(case for case, verdict in verdicts.items() if verdict == "failed")
    if failed:
        raise TargetError(f"the sound implementation fails {', '.join(failed)}")
    for name, killers in known.items():
        if only and name not in only:
            continue
        with started(launcher, name) as announced:
            verdicts = _run_suite(target, announced)
        dead = frozenset(case for case, verdict in verdicts.items() if verdict != "passed")
        yield Autopsy(name, killers, dead, len(verdicts))


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
        announced: dict[str, Any] = json.loads(line)
        yield announced
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _run_suite(target: Path, announced: dict[str, Any]) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="hookwright-selftest-") as folder:
        command = [
            sys.executable,
            "-m",
            "hookwright_conformance",
            "server",
            "--target",
            str(target),
        ]
        command += ["--base-url", announced["base_url"], "--report", folder]
        environment = {**os.environ, **announced["environment"]}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        report = Path(folder) / "report.json"
        if done.returncode not in (0, 1) or not report.is_file():
            raise TargetError(f"the suite did not run: {done.stdout[-3000:]}{done.stderr[-1000:]}")
        entries: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["cases"]
    return {entry["id"]: entry["verdict"] for entry in entries}
