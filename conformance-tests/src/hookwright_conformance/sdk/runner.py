"""The command `hookwright-conformance sdk`: pytest underneath, as in the server mode."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest

from hookwright_conformance import requirements
from hookwright_conformance.case import Case
from hookwright_conformance.errors import TargetError, Unmet
from hookwright_conformance.items import CaseFile, CaseItem, collect, say
from hookwright_conformance.results import Result, Results, select, sizes
from hookwright_conformance.run import check_known_failures, pytest_arguments, unmatched
from hookwright_conformance.sdk.case import sdk_cases
from hookwright_conformance.sdk.crew import Crew
from hookwright_conformance.sdk.driver import Claim, Driver
from hookwright_conformance.spec import Spec
from hookwright_conformance.target import KnownFailure, read_known_failures


@dataclass(frozen=True, slots=True)
class SdkOptions:
    """What the command line asks for; see `hookwright-conformance sdk --help`."""

    driver: str
    profiles: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    report: Path | None = None
    name: str = ""
    parallel: int = 4
    spec: Path | None = None
    known_failures: Path | None = None


class SdkRunner:
    """Runs the chosen cases; registered with pytest as a plugin."""

    def __init__(
        self, crew: Crew, cases: Sequence[Case], results: Results, report: Path | None
    ) -> None:
        self.results = results
        self.cases = cases
        self._crew = crew
        self._report = report
        self._futures: dict[str, Future[Result]] = {}

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> CaseFile | None:
        """Collect the cases from the anchor file."""
        return collect(self, file_path, parent)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Set the cases going."""
        for item in session.items:
            if isinstance(item, CaseItem):
                self._futures[item.case.id] = self._crew.submit(item.case)

    def result(self, case: Case) -> Result:
        """The result of a case, as soon as it is there."""
        result = self._futures[case.id].result()
        self.results.items.append(result)
        return result

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Stop the drivers and write the report."""
        self.results.faults += self._crew.close()
        if self.results.faults and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._report is not None:
            self.results.write(self._report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One sentence per profile."""
        say(self.results, terminalreporter)


def run(options: SdkOptions) -> int:
    """Run the cases. 0: conforms; 1: a case failed. Raises TargetError when nothing was tested."""
    arguments = shlex.split(options.driver)
    known = _known_failures(options.known_failures)
    claim = claimed(arguments)
    cases = _chosen(claim, options)
    if options.report is not None:
        options.report.mkdir(parents=True, exist_ok=True)
    again = ["hookwright-conformance", "sdk", "--driver", options.driver]
    if options.known_failures is not None:
        again += ["--known-failures", str(options.known_failures)]
    if options.spec is not None:
        again += ["--spec", str(options.spec)]
    version = requirements.load().version
    about = f"{claim.sdk} {claim.version}"
    whole = sizes(sdk_cases())
    results = Results(version, about, shlex.join(again), whole, options.name, "sdk", claim.profiles)
    results.last, results.chosen = "last command to the driver", len(cases)
    if not (options.only or options.profiles):
        results.faults += unmatched(known, cases)
    by_case = {entry.case: entry for entry in known}
    crew = Crew(arguments, Spec.load(options.spec), options.parallel, by_case)
    runner = SdkRunner(crew, cases, results, options.report)
    return int(pytest.main(pytest_arguments(options.report), plugins=[runner]))


def claimed(arguments: Sequence[str]) -> Claim:
    """What the driver says of its SDK. Raises TargetError when it cannot be talked to."""
    driver = Driver(arguments)
    try:
        claim = driver.claim()
        driver.stop()
    except Unmet as error:
        raise TargetError(f"the driver `{shlex.join(arguments)}` is none: {error}") from error
    finally:
        driver.kill()
    return claim


def _chosen(claim: Claim, options: SdkOptions) -> list[Case]:
    unclaimed = set(options.profiles) - set(claim.profiles)
    if unclaimed:
        raise TargetError(f"the driver does not claim {', '.join(sorted(unclaimed))}")
    chosen = select(sdk_cases(), options.profiles or claim.profiles, options.only)
    if not chosen:
        wanted = ", ".join(options.only) or "the claimed profiles"
        raise TargetError(f"no case matches {wanted}; `hookwright-conformance list` shows all ids")
    return chosen


def _known_failures(path: Path | None) -> list[KnownFailure]:
    if path is None:
        return []
    known = read_known_failures(path)
    try:
        check_known_failures(known, sdk_cases())
    except TargetError as error:
        raise TargetError(f"{path}: {error}") from error
    return known
