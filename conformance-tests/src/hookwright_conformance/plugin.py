"""The pytest plugin: collects the cases as items, runs them side by side, and reports.

pytest does the collecting, the reporting, JUnit and the exit status. Cases mostly wait, so they run
in a pool of threads that share one receiver; each pytest item then waits for its own result.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pytest

from hookwright_conformance.case import Case
from hookwright_conformance.curl import redacted
from hookwright_conformance.errors import TargetError, Unmet, printable, unreadable
from hookwright_conformance.items import CaseFile, CaseItem, collect, say
from hookwright_conformance.ping import ping
from hookwright_conformance.receiver import Receiver
from hookwright_conformance.results import Failure, Reached, Result, Results, of_rounds
from hookwright_conformance.spec import Spec
from hookwright_conformance.target import CLOCK, KnownFailure, Target
from hookwright_conformance.timeline import Timeline
from hookwright_conformance.world import World


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run against what, and how many cases at a time."""

    target: Target
    spec: Spec
    cases: Sequence[Case]
    parallel: int
    report: Path | None
    keep: bool = False
    """Whether what the cases make stays, to be looked at."""
    rounds: int = 1
    """How many times each case is run."""


class Runner:
    """Runs the plan; one instance is registered with pytest as a plugin."""

    def __init__(self, plan: Plan, results: Results) -> None:
        self.plan = plan
        self.results = results
        self._futures: dict[str, Future[Result]] = {}
        self._receiver: Receiver | None = None
        self._pool = ThreadPoolExecutor(plan.parallel, "case")
        # Whoever moves the clock moves everybody's: alone, and when all others are over.
        self._last = ThreadPoolExecutor(1, "clock")

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> CaseFile | None:
        """Collect the cases from the anchor file."""
        return collect(self, file_path, parent)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Start the receiver, ping, and set the selected cases going."""
        settings = self.plan.target.receiver
        try:
            receiver = Receiver.start(
                settings.bind,
                settings.port,
                public_url=settings.public_url,
                tls=any(case.profile == "ssrf" for case in self.plan.cases),
                authority=settings.authority,
                ipv6=settings.ipv6,
            )
        except OSError as error:
            where = " and ".join(filter(None, (settings.bind, settings.ipv6)))
            self._stop(f"the receiver cannot listen on {where}: {error}")
        self._receiver = receiver
        try:
            ping(self._world("ping", receiver), self.plan.target)
        except TargetError as error:
            self._stop(str(error))
        cases = [item.case for item in session.items if isinstance(item, CaseItem)]
        for case in cases:
            if case.profile != CLOCK:
                self._futures[case.id] = self._pool.submit(self._run, case, receiver)
        others = tuple(self._futures.values())
        self._last.submit(wait, others)
        for case in cases:
            if case.profile == CLOCK:
                self._futures[case.id] = self._last.submit(self._run, case, receiver)

    def _stop(self, why: str) -> NoReturn:
        self.results.stopped = f"nothing was tested: {why.splitlines()[0]}"
        pytest.exit(why, returncode=2)

    @property
    def cases(self) -> Sequence[Case]:
        """The cases of the plan."""
        return self.plan.cases

    def result(self, case: Case) -> Result:
        """The result of a case, as soon as it is there."""
        result = self._futures[case.id].result()
        self.results.items.append(result)
        return result

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Look for faults outside the cases, write the report, stop everything."""
        self._last.shutdown(wait=False, cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)
        self._last.shutdown()
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
        say(self.results, terminalreporter)

    def _world(self, name: str, receiver: Receiver) -> World:
        return World(name, self.plan.target, self.plan.spec, receiver)

    def _run(self, case: Case, receiver: Receiver) -> Result:
        if self.plan.target.lacks(case.needs):
            return Result(case, "not_run", 0, note=f"target.yaml declares no {case.needs}")
        began, timelines = time.monotonic(), list[Timeline]()
        failures: list[Failure | None] = []
        for _ in range(self.plan.rounds):
            world = self._world(case.id, receiver)
            failures.append(self._observe(case, world))
            timelines.append(world.timeline)
        seconds = time.monotonic() - began
        known = self.plan.target.known_failure(case.id)
        result = judge(case, of_rounds(failures), known, seconds)
        return replace(result, reached=Reached.of(*timelines))

    def _observe(self, case: Case, world: World) -> Failure | None:
        failure = observe(case, world, world.timeline)
        if not self.plan.keep:
            # What cannot be deleted is no case's business, whatever the answer looks like.
            with suppress(Exception):
                world.close()
        return failure


def observe(case: Case, world: object, timeline: Timeline) -> Failure | None:
    """Run a case; None when it found everything as required."""
    try:
        case.function(world)
    except Unmet as error:
        return _failure(timeline, error)
    except Exception as error:  # noqa: BLE001 - what nobody foresaw fails this case alone
        return _failure(timeline, unreadable(error))
    return None


def _failure(timeline: Timeline, error: Unmet) -> Failure:
    told = (error.what, str(error.expected), str(error.actual), *timeline.lines())
    what, expected, actual, *lines = (printable(redacted(each, timeline.secrets)) for each in told)
    return Failure(what, expected, actual, tuple(lines), timeline.last_request)


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
