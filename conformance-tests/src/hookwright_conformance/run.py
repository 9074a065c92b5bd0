"""Runs the cases against a target, with pytest underneath."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from hookwright_conformance import requirements
from hookwright_conformance.case import Case, all_cases
from hookwright_conformance.errors import TargetError
from hookwright_conformance.items import ANCHOR
from hookwright_conformance.plugin import Plan, Runner
from hookwright_conformance.results import Results, select, sizes
from hookwright_conformance.spec import Spec
from hookwright_conformance.target import KnownFailure, Target, load

LAST = "last request"
GONE = "what it is about is deleted with the end of the case; --keep leaves it there"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for; see `hookwright-conformance server --help`."""

    target: Path
    base_url: str = ""
    profiles: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    report: Path | None = None
    name: str = ""
    parallel: int = 8
    spec: Path | None = None
    keep: bool = False
    rounds: int = 1


def run(options: Options) -> int:
    """Run the cases. 0: conforms; 1: a case failed; 2: nothing was tested. Raises TargetError."""
    target = load(options.target, os.environ, options.base_url)
    cases = all_cases()
    check_known_failures(target.known_failures, cases)
    chosen = _choose(target, cases, options)
    if options.report is not None:
        options.report.mkdir(parents=True, exist_ok=True)
    again = ["hookwright-conformance", "server", "--target", str(options.target)]
    if options.base_url:
        again += ["--base-url", options.base_url]
    if options.spec is not None:
        again += ["--spec", str(options.spec)]
    if options.rounds > 1:
        again += ["--repeat", str(options.rounds)]
    version = requirements.load().version
    whole = sizes(cases)
    results = Results(
        version,
        target.base_url,
        shlex.join(again),
        whole,
        options.name,
        claimed=target.profiles,
        last=LAST if options.keep else f"{LAST} ({GONE})",
        rounds=options.rounds,
        chosen=len(chosen),
    )
    if not (options.only or options.profiles):
        come_to = [case for case in chosen if not target.lacks(case.needs)]
        results.faults += unmatched(target.known_failures, come_to)
    spec = Spec.load(options.spec)
    plan = Plan(
        target, spec, chosen, options.parallel, options.report, options.keep, options.rounds
    )
    return int(pytest.main(pytest_arguments(options.report), plugins=[Runner(plan, results)]))


def pytest_arguments(report: Path | None) -> list[str]:
    """What pytest is called with; JUnit's report goes into the folder `report`."""
    # Nothing of the folder that the command is called in may change what is run.
    arguments = [
        str(ANCHOR),
        f"--rootdir={ANCHOR.parent}",
        "-c",
        os.devnull,
        "--noconftest",
        "--no-header",
        "--verbose",
        "-rN",  # where `CI` is set it would say every failure again
        "-p",
        "no:cacheprovider",
        "--override-ini=console_output_style=count",
    ]
    if report is not None:
        arguments += [f"--junitxml={report / 'junit.xml'}", "-o", "junit_family=xunit2"]
    return arguments


def _choose(target: Target, cases: Sequence[Case], options: Options) -> list[Case]:
    unclaimed = set(options.profiles) - set(target.profiles)
    if unclaimed:
        raise TargetError(
            f"target.yaml does not claim the profile(s) {', '.join(sorted(unclaimed))}"
        )
    chosen = select(cases, options.profiles or target.profiles, options.only)
    if not chosen:
        wanted = ", ".join(options.only) or "the claimed profiles"
        raise TargetError(f"no case matches {wanted}; `hookwright-conformance list` shows all ids")
    if all(target.lacks(case.needs) for case in chosen):
        needed = " and ".join(sorted({str(case.needs) for case in chosen}))
        raise TargetError(f"target.yaml declares no {needed}: nothing can be run without")
    return chosen


def unmatched(known: Sequence[KnownFailure], chosen: Sequence[Case]) -> list[str]:
    """Known failures that a whole run does not come to: nobody would notice when they are stale."""
    ids = {case.id for case in chosen}
    return [
        f"known_failures: {entry.case} is in no claimed profile, or is not run; remove the entry"
        for entry in known
        if entry.case not in ids
    ]


def check_known_failures(known: Sequence[KnownFailure], cases: Sequence[Case]) -> None:
    """Raise TargetError for an entry of no case, and for two of one case."""
    ids = {case.id for case in cases}
    unknown = [entry.case for entry in known if entry.case not in ids]
    if unknown:
        raise TargetError(f"known_failures names no case of this suite: {', '.join(unknown)}")
    named = [entry.case for entry in known]
    twice = sorted({each for each in named if named.count(each) > 1})
    if twice:
        raise TargetError(f"known_failures names a case twice: {', '.join(twice)}; keep one entry")
