"""What a run found out, and the sentences in which it is reported."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from hookwright_conformance import matrix
from hookwright_conformance.case import Case
from hookwright_conformance.timeline import Timeline

Kind = Literal["server", "sdk"]
Verdict = Literal["passed", "failed", "known_failure", "not_met", "not_run"]
"""`known_failure`: failed as target.yaml says. `not_met`: a SHOULD or MAY that is not followed.
`not_run`: target.yaml does not declare what the case needs."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Everything that explains why a case failed."""

    what: str
    expected: str
    actual: str
    timeline: tuple[str, ...] = ()
    curl: str = ""
    """A command that repeats the last request; of an SDK the last command to its driver."""

    @property
    def message(self) -> str:
        """The failure in one line."""
        return f"{self.what}: expected {self.expected}, got {self.actual}"


@dataclass(frozen=True, slots=True)
class Reached:
    """What a case made the implementation do: operationIds called, error codes answered."""

    operations: tuple[str, ...] = ()
    error_codes: tuple[str, ...] = ()

    @classmethod
    def of(cls, *timelines: Timeline) -> Reached:
        """What timelines saw."""
        operations = {one for each in timelines for one in each.operations}
        error_codes = {one for each in timelines for one in each.error_codes}
        return cls(tuple(sorted(operations)), tuple(sorted(error_codes)))


@dataclass(frozen=True, slots=True)
class Result:
    """One case of one run."""

    case: Case
    verdict: Verdict
    seconds: float
    failure: Failure | None = None
    note: str = ""
    reached: Reached = Reached()


@dataclass(slots=True)
class Results:
    """All results of a run, as they come in."""

    version: str
    base_url: str
    repeat: str
    """The command that runs one case again, without its `--only ID`."""
    whole: Mapping[str, int]
    """How many cases each profile has: whoever runs fewer of them has not tested it."""
    name: str = ""
    """What reports call the implementation; its base URL unless it is given."""
    kind: Kind = "server"
    claimed: Sequence[str] = ()
    """The profiles that the implementation claims, run or not."""
    last: str = "last request"
    """What a failure's `curl` is."""
    rounds: int = 1
    """How many times each case is run."""
    chosen: int = 0
    """How many cases were to be run."""
    stopped: str = ""
    """Why none of them was."""
    began: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    items: list[Result] = field(default_factory=list[Result])
    faults: list[str] = field(default_factory=list[str])
    """What failed outside any case: stale known failures, a canary that was visited."""

    def profile_lines(self) -> list[str]:
        """One sentence per profile."""
        profiles = sorted({result.case.profile for result in self.items})
        return [self._profile_line(profile) for profile in profiles]

    def _profile_line(self, profile: str) -> str:
        mine = [result for result in self.items if result.case.profile == profile]
        ran = [result for result in mine if result.verdict != "not_run"]
        counts = ", ".join(
            f"{met}/{total} {level.upper()}"
            for level in ("must", "should", "may")
            for met, total in [_count(ran, level)]
            if total
        )
        met, total = _count(ran, "must")
        of_all = f"{len(ran)} of {self.whole[profile]} run"
        partial = len(mine) < self.whole[profile]
        if partial and met == total:
            return f"partial: {of_all} of {profile} {self.version}" + (counts and f" ({counts})")
        verb = "conforms to" if met == total else "does not conform to"
        known = sum(result.verdict == "known_failure" for result in mine)
        suffix = f"; {known} known failure(s)" if known else ""
        suffix += f"; {of_all}" if len(ran) < self.whole[profile] else ""
        return f"{verb} {profile} {self.version} ({counts}){suffix}"

    @property
    def conforms(self) -> bool | None:
        """Whether every MUST of every profile that was run is met, and nothing else failed. None
        when nothing failed but some cases of a profile were not chosen, or not come to."""
        musts = [one for one in self.items if one.case.requirement.level == "must"]
        if self.faults or any(one.verdict not in ("passed", "not_run") for one in musts):
            return False
        if len(self.items) < max(self.chosen, 1):
            return None
        ran = Counter(one.case.profile for one in self.items)
        return True if all(ran[one] >= self.whole[one] for one in ran) else None

    def document(self) -> dict[str, Any]:
        """The JSON report."""
        return {
            "suite": self.version,
            "name": self.name or self.base_url,
            "kind": self.kind,
            "claimed": list(self.claimed),
            "base_url": self.base_url,
            "began_at": self.began.isoformat(timespec="seconds"),
            "seconds": round((dt.datetime.now(dt.UTC) - self.began).total_seconds(), 1),
            "profiles": self.profile_lines(),
            "conforms": self.conforms,
            "rounds": self.rounds,
            "faults": [*self.faults, *filter(None, [self.stopped])],
            "cases": [self._entry(result) for result in sorted(self.items, key=_by_id)],
        }

    def _entry(self, result: Result) -> dict[str, object]:
        case, failure = result.case, result.failure
        entry: dict[str, object] = {
            "id": case.id,
            "summary": case.summary,
            "requirement": case.requirement.id,
            "level": case.requirement.level,
            "profile": case.profile,
            "verdict": result.verdict,
            "seconds": round(result.seconds, 3),
            "operations": list(result.reached.operations),
            "error_codes": list(result.reached.error_codes),
        }
        if result.note:
            entry["note"] = result.note
        if failure is not None:
            entry["failure"] = {
                "what": failure.what,
                "message": failure.message,
                "expected": failure.expected,
                "actual": failure.actual,
                "timeline": list(failure.timeline),
                "last": self.last,
                "curl": failure.curl,
                "again": self.again(case),
            }
        return entry

    def again(self, case: Case) -> str:
        """The command that runs one case again."""
        return f"{self.repeat} --only {case.id}"

    def write(self, folder: Path) -> None:
        """Write report.json, report.html and badge.svg into a folder that exists."""
        document = self.document()
        text = json.dumps(document, indent=2, ensure_ascii=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
        (folder / "report.html").write_text(matrix.page([document]), encoding="utf-8")
        (folder / "badge.svg").write_text(matrix.badge(document), encoding="utf-8")

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
                f"  {self.last}",
                f"    {failure.curl or '(none)'}",
                "  run again",
                f"    {self.again(case)}",
            ]
        )


def of_rounds(failures: Sequence[Failure | None]) -> Failure | None:
    """What became of a case that was run several times: its first failure, and how often it failed;
    None when it never did."""
    found = [each for each in failures if each is not None]
    if not found:
        return None
    often = f" ({len(found)} of {len(failures)} times)" if len(failures) > 1 else ""
    return replace(found[0], what=found[0].what + often)


def _count(results: Iterable[Result], level: str) -> tuple[int, int]:
    mine = [result for result in results if result.case.requirement.level == level]
    return sum(result.verdict == "passed" for result in mine), len(mine)


def sizes(cases: Sequence[Case]) -> Mapping[str, int]:
    """How many cases each profile has."""
    return Counter(case.profile for case in cases)


def _by_id(result: Result) -> str:
    return result.case.id


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
