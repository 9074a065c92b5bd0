"""What a run found out, and the sentences in which it is reported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hookwright_conformance.case import Case

Verdict = Literal["passed", "failed", "known_failure", "not_met"]
"""`known_failure`: failed as target.yaml says. `not_met`: a SHOULD or MAY that is not followed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Everything that explains why a case failed."""

    what: str
    expected: str
    actual: str
    timeline: tuple[str, ...] = ()
    curl: str = ""

    @property
    def message(self) -> str:
        """The failure in one line."""
        return f"{self.what}: expected {self.expected}, got {self.actual}"


@dataclass(frozen=True, slots=True)
class Result:
    """One case of one run."""

    case: Case
    verdict: Verdict
    seconds: float
    failure: Failure | None = None
    note: str = ""


@dataclass(slots=True)
class Results:
    """All results of a run, as they come in."""

    version: str
    base_url: str
    repeat: str
    """The command that runs one case again, without its `--only ID`."""
    items: list[Result] = field(default_factory=list[Result])
    faults: list[str] = field(default_factory=list[str])
    """What failed outside any case: stale known failures, a canary that was visited."""

    def profile_lines(self) -> list[str]:
        """One sentence per profile."""
        profiles = sorted({result.case.profile for result in self.items})
        return [self._profile_line(profile) for profile in profiles]

    def _profile_line(self, profile: str) -> str:
        mine = [result for result in self.items if result.case.profile == profile]
        counts = ", ".join(
            f"{met}/{total} {level.upper()}"
            for level in ("must", "should", "may")
            for met, total in [_count(mine, level)]
            if total
        )
        met, total = _count(mine, "must")
        verb = "conforms to" if met == total else "does not conform to"
        known = sum(result.verdict == "known_failure" for result in mine)
        suffix = f"; {known} known failure(s)" if known else ""
        return f"{verb} {profile} {self.version} ({counts}){suffix}"

    def document(self) -> dict[str, object]:
        """The JSON report."""
        return {
            "suite": self.version,
            "base_url": self.base_url,
            "profiles": self.profile_lines(),
            "faults": self.faults,
            "cases": [_entry(result) for result in sorted(self.items, key=_by_id)],
        }

    def write(self, folder: Path) -> None:
        """Write report.json into a folder that exists."""
        text = json.dumps(self.document(), indent=2, ensure_ascii=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")

    def explain(self, case: Case, failure: Failure) -> str:
        """A failure, with everything needed to understand and repeat it."""
        requirement = case.requirement
        return "\n".join(
            [
                f"{requirement.id} ({requirement.level.upper()}) {requirement.sentence}",
                f"  see {requirement.link}; case {case.id}: {case.summary}",
                "",
                f"  observed  {failure.what}",
                f"  expected  {failure.expected}",
                f"  actual    {failure.actual}",
                "",
                "  timeline (seconds)",
                *(f"  {line}" for line in failure.timeline),
                "",
                "  last request",
                f"    {failure.curl}",
                "  run again",
                f"    {self.repeat} --only {case.id}",
            ]
        )


def _count(results: Iterable[Result], level: str) -> tuple[int, int]:
    mine = [result for result in results if result.case.requirement.level == level]
    return sum(result.verdict == "passed" for result in mine), len(mine)


def _by_id(result: Result) -> str:
    return result.case.id


def _entry(result: Result) -> dict[str, object]:
    case, failure = result.case, result.failure
    entry: dict[str, object] = {
        "id": case.id,
        "requirement": case.requirement.id,
        "level": case.requirement.level,
        "profile": case.profile,
        "verdict": result.verdict,
        "seconds": round(result.seconds, 3),
    }
    if result.note:
        entry["note"] = result.note
    if failure is not None:
        entry["failure"] = {
            "message": failure.message,
            "expected": failure.expected,
            "actual": failure.actual,
            "timeline": list(failure.timeline),
            "curl": failure.curl,
        }
    return entry


def select(cases: Sequence[Case], profiles: Sequence[str], only: Sequence[str] = ()) -> list[Case]:
    """The cases of these profiles; with `only`, those of a listed id or group (`retries`)."""
    chosen = [case for case in cases if case.profile in profiles]
    if not only:
        return chosen
    return [
        case
        for case in chosen
        if any(case.id == wanted or case.id.startswith(f"{wanted}.") for wanted in only)
    ]
