"""report.html, matrix.html and badge.svg: one or several runs, from what report.json holds.

A page is one file that needs no network and no script. Rows are requirements by profile, columns
are runs; each cell leads to what the cases of that requirement saw in that run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, Template

from hookwright_conformance import requirements
from hookwright_conformance.errors import TargetError
from hookwright_conformance.requirements import Requirement
from hookwright_conformance.target import PROFILES

Report = dict[str, Any]
"""What report.json holds."""

_MEMBERS = (
    *("suite", "name", "kind", "claimed", "base_url", "began_at", "seconds"),
    *("profiles", "conforms", "cases"),
)
_SHOWN = {
    "passed": "✓ passed",
    "failed": "✗ failed",
    "known_failure": "✗ known failure",
    "not_met": "✗ not met",
    "not_run": "· not run",
}
_WORST_FIRST = ("failed", "known_failure", "not_met", "passed")
# Widths of text in 11 px Verdana-like faces, near enough for a badge.
_BADGE_CHARACTER_PX, _BADGE_PADDING_PX = 6.6, 10


@dataclass(frozen=True, slots=True)
class Cell:
    """What one run says of one requirement in one profile. Where `cases` is empty, `why_not` says
    why nothing ran."""

    anchor: str
    cases: Sequence[dict[str, Any]]
    why_not: str = ""

    @property
    def verdict(self) -> str:
        """The worst verdict of its cases."""
        seen = {case["verdict"] for case in self.cases}
        return next((verdict for verdict in _WORST_FIRST if verdict in seen), "not_run")

    @property
    def text(self) -> str:
        """The verdict, and how many of several cases have passed; or why there is none."""
        if not self.cases:
            return f"· {self.why_not}"
        ran = [case for case in self.cases if case["verdict"] != "not_run"]
        passed = sum(case["verdict"] == "passed" for case in ran)
        count = f" {passed}/{len(ran)}" if len(ran) > 1 else ""
        left_out = len(self.cases) - len(ran) if ran else 0
        return _SHOWN[self.verdict] + count + (f", {left_out} not run" if left_out else "")


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement of a profile."""

    requirement: Requirement
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Group:
    """A profile with its rows, and what each run says of the whole."""

    profile: str
    rows: Sequence[Row]
    sums: Sequence[str]


def read(path: Path) -> Report:
    """A report.json. Raises TargetError when it is none."""
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TargetError(f"{path} cannot be read: {error}") from error
    document: Report = cast("Report", found) if isinstance(found, dict) else {}
    missing = [name for name in _MEMBERS if name not in document]
    if missing:
        raise TargetError(
            f"{path} is no report of this suite: it has no {', '.join(missing)}. "
            "Write one with `hookwright-conformance server --report FOLDER`."
        )
    return document


def page(reports: Sequence[Report], title: str = "") -> str:
    """The HTML page of these runs, in their order."""
    listed = requirements.load()
    default = "Conformance matrix" if len(reports) > 1 else f"Conformance of {reports[0]['name']}"
    return _template("matrix.html").render(
        title=title or default,
        reports=reports,
        groups=groups(reports),
        unobserved=[
            (listed.by_id[id_], reason) for id_, reason in listed.unobserved_requirements.items()
        ],
        shown=_SHOWN,
    )


def badge(report: Report) -> str:
    """An SVG badge: the suite's version, and how many MUST are met over all profiles; grey when not
    every case of them was run."""
    judged = [case for case in report["cases"] if case["verdict"] != "not_run"]
    musts = [case for case in judged if case["level"] == "must"]
    met = sum(case["verdict"] == "passed" for case in musts)
    partial = "partial, " if report["conforms"] is None else ""
    label, value = f"conformance {report['suite']}", f"{partial}{met}/{len(musts)} MUST"
    left, right = (
        round(len(text) * _BADGE_CHARACTER_PX) + _BADGE_PADDING_PX for text in (label, value)
    )
    return _template("badge.svg").render(
        label=label, value=value, left=left, right=right, conforms=report["conforms"]
    )


def groups(reports: Sequence[Report]) -> list[Group]:
    """What these runs say, profile by profile."""
    found = {case["profile"] for report in reports for case in report["cases"]}
    known = [profile for profile in PROFILES if profile in found]
    return [_group(profile, reports) for profile in [*known, *sorted(found - set(known))]]


def _group(profile: str, reports: Sequence[Report]) -> Group:
    mine = [[case for case in report["cases"] if case["profile"] == profile] for report in reports]
    ids = {case["requirement"] for cases in mine for case in cases}
    runs = [(cases, _why_not(report, profile)) for cases, report in zip(mine, reports, strict=True)]
    rows = [
        Row(one, [_cell(profile, one.id, number, *run) for number, run in enumerate(runs, 1)])
        for one in requirements.load().by_id.values()
        if one.id in ids
    ]
    return Group(profile, rows, [_sum(report, profile) for report in reports])


def _cell(
    profile: str, id_: str, number: int, cases: Sequence[dict[str, Any]], why_not: str
) -> Cell:
    mine = [case for case in cases if case["requirement"] == id_]
    return Cell(f"run{number}-{profile}-{id_}", mine, why_not)


def _why_not(report: Report, profile: str) -> str:
    judged = "server" if profile in PROFILES else "sdk"
    if report["kind"] != judged:
        return "judges servers" if judged == "server" else "judges SDKs"
    return "not in this run" if profile in report["claimed"] else "profile not claimed"


def _sum(report: Report, profile: str) -> str:
    lines: list[str] = report["profiles"]
    mine = [line for line in lines if f" {profile} " in line]
    return mine[0] if mine else _why_not(report, profile)


@cache
def _template(name: str) -> Template:
    text = (files("hookwright_conformance") / "templates" / name).read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text)
