"""The pytest plugin: collects the cases as items, runs them side by side, and reports.

pytest does the collecting, the reporting, JUnit and the exit status. Cases mostly wait, so they run
in a pool of threads that share one receiver; each pytest item then waits for its own result.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hookwright_conformance.case import Case
from hookwright_conformance.errors import TargetError, Unmet
from hookwright_conformance.ping import ping
from hookwright_conformance.receiver import Receiver
from hookwright_conformance.results import Failure, Result, Results
from hookwright_conformance.spec import Spec
from hookwright_conformance.target import KnownFailure, Target
from hookwright_conformance.world import World

ANCHOR = Path(__file__).with_name("requirements.yaml")
"""The file that pytest is pointed at; the cases are collected from it."""


def _untyped(node: type[pytest.Item | pytest.File]) -> Any:
    """pytest leaves `from_parent` unannotated."""
    return node


class CaseFailed(Exception):
    """Carries a failed result to pytest's report."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.failure.message if result.failure else result.note)
        self.result = result


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run against what, and how many cases at a time."""

    target: Target
    spec: Spec
    cases: Sequence[Case]
    parallel: int
    report: Path | None


class CaseItem(pytest.Item):
    """One case."""

    case: Case
    runner: Runner

    def runtest(self) -> None:
        """Wait for the case and turn its verdict into pytest's words."""
        result = self.runner.result(self.case)
        match result.verdict:
            case "passed":
                return
            case "failed":
                raise CaseFailed(result)
            case "known_failure" | "not_met":
                pytest.xfail(result.note)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The explanation of a failed case; pytest's own for an error of the suite."""
        error = excinfo.value
        if isinstance(error, CaseFailed) and error.result.failure is not None:
            return self.runner.results.explain(self.case, error.result.failure)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest says that the case stands."""
        return ANCHOR, None, self.case.id


class CaseFile(pytest.File):
    """The anchor file as pytest's collector."""

    runner: Runner

    def collect(self) -> Iterator[CaseItem]:
        """One item per selected case."""
        for case in self.runner.plan.cases:
            item: CaseItem = _untyped(CaseItem).from_parent(self, name=case.id, nodeid=case.id)
            item.case, item.runner = case, self.runner
            yield item


class Runner:
    """Runs the plan; one instance is registered with pytest as a plugin."""

    def __init__(self, plan: Plan, results: Results) -> None:
        self.plan = plan
        self.results = results
        self._futures: dict[str, Future[Result]] = {}
        self._receiver: Receiver | None = None
        self._pool = ThreadPoolExecutor(plan.parallel, "case")

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> CaseFile | None:
        """Collect the cases from the anchor file."""
        if file_path != ANCHOR:
            return None
        found: CaseFile = _untyped(CaseFile).from_parent(parent, path=file_path)
        found.runner = self
        return found

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Start the receiver, ping, and set the selected cases going."""
        settings = self.plan.target.receiver
        try:
            receiver = Receiver.start(settings.bind, settings.port, public_url=settings.public_url)
        except OSError as error:
            pytest.exit(f"the receiver cannot listen on {settings.bind}: {error}", returncode=2)
        self._receiver = receiver
        try:
            ping(self._world("ping", receiver), self.plan.target)
        except TargetError as error:
            pytest.exit(str(error), returncode=2)
        for item in session.items:
            if isinstance(item, CaseItem):
                self._futures[item.case.id] = self._pool.submit(self._run, item.case, receiver)

    def result(self, case: Case) -> Result:
        """The result of a case, as soon as it is there."""
        result = self._futures[case.id].result()
        self.results.items.append(result)
        return result

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Look for faults outside the cases, write the report, stop everything."""
        self._pool.shutdown(cancel_futures=True)
        if self._receiver is not None:
            visits = len(self._receiver.canary.visits)
            if visits:
                self.results.faults.append(
                    f"{visits} connection(s) to the canary: nothing may call it"
                )
            self._receiver.close()
        if self.results.faults and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.plan.report is not None:
            self.results.write(self.plan.report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One sentence per profile."""
        if not self.results.items:
            return
        terminalreporter.section("conformance")
        for line in self.results.faults:
            terminalreporter.write_line(f"fault: {line}", red=True)
        for result in self.results.items:
            if result.verdict in ("known_failure", "not_met"):
                terminalreporter.write_line(f"{result.case.id}: {result.note}", yellow=True)
        for line in self.results.profile_lines():
            conforms = line.startswith("conforms")
            terminalreporter.write_line(line, green=conforms, red=not conforms)

    def _world(self, name: str, receiver: Receiver) -> World:
        return World(name, self.plan.target, self.plan.spec, receiver)

    def _run(self, case: Case, receiver: Receiver) -> Result:
        world, began = self._world(case.id, receiver), time.monotonic()
        failure: Failure | None = None
        try:
            case.function(world)
        except Unmet as error:
            failure = _failure(world, error)
        except Exception as error:  # noqa: BLE001 - what nobody foresaw fails this case alone
            where = "".join(traceback.format_exception(error)[-2:]).strip()
            failure = _failure(world, Unmet("the answers", "what the case can read", where))
        finally:
            with suppress(Unmet):
                world.close()
        seconds = time.monotonic() - began
        return judge(case, failure, self.plan.target.known_failure(case.id), seconds)


def _failure(world: World, error: Unmet) -> Failure:
    timeline = world.timeline
    expected, actual = str(error.expected), str(error.actual)
    return Failure(error.what, expected, actual, tuple(timeline.lines()), timeline.last_curl)


def judge(
    case: Case, failure: Failure | None, known: KnownFailure | None, seconds: float
) -> Result:
    """The verdict on a case. A known failure that passes, or fails otherwise, is a failure."""
    if known is not None:
        return _judge_known(case, failure, known, seconds)
    if failure is None:
        return Result(case, "passed", seconds)
    if case.requirement.level == "must":
        return Result(case, "failed", seconds, failure)
    note = f"{case.requirement.level.upper()} not met: {failure.message}"
    return Result(case, "not_met", seconds, failure, note)


def _judge_known(
    case: Case, failure: Failure | None, known: KnownFailure, seconds: float
) -> Result:
    if failure is None:
        stale = Failure(
            "the entry under known_failures", "a case that fails", "it passes: remove the entry"
        )
        return Result(case, "failed", seconds, stale)
    if known.message is not None and known.message not in failure.message:
        other = Failure(
            "the message of a known failure", known.message, failure.message,
            failure.timeline, failure.curl,
        )  # fmt: skip
        return Result(case, "failed", seconds, other)
    return Result(case, "known_failure", seconds, failure, f"known failure: {known.reason}")
