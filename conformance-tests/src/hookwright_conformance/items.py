"""Cases as pytest sees them: items of one file, each with a result that somebody else obtains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from hookwright_conformance.case import Case
from hookwright_conformance.results import Result, Results

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


class CaseRunner(Protocol):
    """Who runs the cases."""

    results: Results

    @property
    def cases(self) -> Sequence[Case]:
        """The cases that were selected."""
        ...

    def result(self, case: Case) -> Result:
        """The result of a case, as soon as it is there."""
        ...


class CaseItem(pytest.Item):
    """One case."""

    case: Case
    runner: CaseRunner

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
            case "not_run":
                pytest.skip(f"not run: {result.note}")

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

    runner: CaseRunner

    def collect(self) -> Iterator[CaseItem]:
        """One item per selected case."""
        for case in self.runner.cases:
            item: CaseItem = _untyped(CaseItem).from_parent(self, name=case.id, nodeid=case.id)
            item.case, item.runner = case, self.runner
            yield item


def collect(runner: CaseRunner, file_path: Path, parent: pytest.Collector) -> CaseFile | None:
    """The cases of a runner, when pytest asks for the anchor file."""
    if file_path != ANCHOR:
        return None
    found: CaseFile = _untyped(CaseFile).from_parent(parent, path=file_path)
    found.runner = runner
    return found


def say(results: Results, reporter: pytest.TerminalReporter) -> None:
    """The end of the console's report: one sentence per profile."""
    if not results.items:
        return
    reporter.section("conformance")
    for line in results.faults:
        reporter.write_line(f"fault: {line}", red=True)
    for result in results.items:
        if result.verdict in ("known_failure", "not_met"):
            reporter.write_line(f"{result.case.id}: {result.note}", yellow=True)
        elif result.verdict == "not_run":
            reporter.write_line(f"{result.case.id}: not run: {result.note}")
    if results.rounds > 1:
        reporter.write_line(f"each case was run {results.rounds} times")
    for line in results.profile_lines():
        verdict = line.partition(" ")[0]
        colour = {"conforms": "green", "partial:": "yellow"}.get(verdict, "red")
        reporter.write_line(line, **{colour: True})
