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
from hookwright_conformance.plugin import ANCHOR, Plan, Runner
from hookwright_conformance.results import Results, select
from hookwright_conformance.spec import Spec
from hookwright_conformance.target import Target, load


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for; see `hookwright-conformance server --help`."""

    target: Path
    base_url: str = ""
    profiles: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    report: Path | None = None
    parallel: int = 8
    spec: Path | None = None


def run(options: Options) -> int:
    """Run the cases. 0: conforms; 1: a case failed; 2: nothing was tested. Raises TargetError."""
    target = load(options.target, os.environ, options.base_url)
    cases = all_cases()
    _check_known_failures(target, cases)
    chosen = _choose(target, cases, options)
    if options.report is not None:
        options.report.mkdir(parents=True, exist_ok=True)
    again = ["hookwright-conformance", "server", "--target", str(options.target)]
    if options.base_url:
        again += ["--base-url", options.base_url]
    results = Results(requirements.load().version, target.base_url, shlex.join(again))
    spec = Spec.load(options.spec)
    runner = Runner(Plan(target, spec, chosen, options.parallel, options.report), results)
    return int(pytest.main(_arguments(options), plugins=[runner]))


def _arguments(options: Options) -> list[str]:
    # Nothing of the folder that the command is called in may change what is run.
    arguments = [
        str(ANCHOR),
        f"--rootdir={ANCHOR.parent}",
        "-c",
        os.devnull,
        "--noconftest",
        "--no-header",
        "--verbose",
        "-p",
        "no:cacheprovider",
        "--override-ini=console_output_style=count",
    ]
    if options.report is not None:
        arguments += [f"--junitxml={options.report / 'junit.xml'}", "-o", "junit_family=xunit2"]
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
    return chosen


def _check_known_failures(target: Target, cases: Sequence[Case]) -> None:
    ids = {case.id for case in cases}
    unknown = [entry.case for entry in target.known_failures if entry.case not in ids]
    if unknown:
        raise TargetError(f"known_failures names no case of this suite: {', '.join(unknown)}")
