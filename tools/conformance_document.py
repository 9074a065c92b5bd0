"""docs/conformance.json: what the last runs of `make conformance` found, for the site to show.

`write` notes runs there and makes docs/conformance.md of it; `matrix_page` is the matrix, which
tools/site_pages.py puts into the site. Sentences, levels and summaries are those of the suite.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from conformance_runs import ROOT, RUNS, Run

from hookwright_conformance import matrix, requirements
from hookwright_conformance.case import all_cases
from hookwright_conformance.results import Result, Results, Verdict, sizes
from hookwright_conformance.sdk.case import sdk_cases

DOCUMENT = ROOT / "docs" / "conformance.json"
PAGE = ROOT / "docs" / "conformance.md"
MATRIX = "conformance-matrix.html"
TITLE = "Hookwright: conformance"
REMEDY = "run `make conformance ARGS=--new`, which runs those alone, and commit docs/conformance.*"
HEAD = f"""\
<!-- Made from docs/conformance.json by `make conformance ARGS=--write`; edit neither. -->

# Conformance: what was found

The [conformance suite](../conformance-tests/README.md) on everything here that claims to conform
to the contract. Requirement by requirement, with the cases of each: `{MATRIX}`, a page of the site
that `make docs` builds. A test fails when this report names other cases than the suite has.
"""


@dataclass(slots=True)
class Column:
    """What is known of one run: the verdict on each case, and why those are bad that are.

    `commit`, `date` and `seconds` are those of the last whole run; `later` has the commit of each
    case that was run alone after it.
    """

    commit: str
    date: str
    seconds: float
    about: str
    cases: dict[str, str]
    notes: dict[str, str] = field(default_factory=dict[str, str])
    later: dict[str, str] = field(default_factory=dict[str, str])


Columns = dict[str, Column]
"""By the folder of the run."""


def read(path: Path | None = None) -> Columns:
    """What is noted; nothing when there is no such file."""
    path = path or DOCUMENT
    if not path.is_file():
        return {}
    noted: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {folder: Column(**column) for folder, column in noted.items()}


def write(made: Mapping[str, Path]) -> None:
    """Note these runs (report.json, by folder) beside the others, and make the page of all."""
    columns, commit = read(), _commit()
    for folder, path in made.items():
        columns[folder] = merged(columns.get(folder), matrix.read(path), commit, _run(folder))
    there = [run for run in RUNS if run.folder in columns]
    columns = {run.folder: pruned(columns[run.folder], run) for run in there}
    noted = {folder: asdict(column) for folder, column in columns.items()}
    text = json.dumps(noted, indent=1, ensure_ascii=False)
    DOCUMENT.write_text(text + "\n", encoding="utf-8")
    PAGE.write_text(page(columns), encoding="utf-8")


def merged(old: Column | None, report: matrix.Report, commit: str, run: Run) -> Column:
    """The column after a run: a whole one takes the old one's place, others come on top of it."""
    entries: list[dict[str, Any]] = report["cases"]
    cases = {entry["id"]: entry["verdict"] for entry in entries}
    notes = {entry["id"]: _note(entry) for entry in entries if entry["verdict"] != "passed"}
    day = dt.datetime.fromisoformat(report["began_at"]).date().isoformat()
    about = report["base_url"] if run.kind == "sdk" else ""
    new = Column(commit, day, report["seconds"], about, cases, notes)
    if old is None or cases.keys() >= run.cases().keys():
        return new
    new.commit, new.date, new.seconds = old.commit, old.date, old.seconds
    new.cases = dict(sorted({**old.cases, **cases}.items()))
    new.notes = {**_but(old.notes, cases), **notes}
    new.later = {**_but(old.later, cases), **dict.fromkeys(cases, commit)}
    return new


def pruned(column: Column, run: Run) -> Column:
    """Without the cases that are gone."""
    gone = column.cases.keys() - run.cases().keys()
    return replace(
        column,
        cases=_but(column.cases, gone),
        notes=_but(column.notes, gone),
        later=_but(column.later, gone),
    )


def missing(run: Run, columns: Columns) -> list[str]:
    """The cases of a whole run that are not noted."""
    noted: Collection[str] = columns[run.folder].cases if run.folder in columns else ()
    return sorted(run.cases().keys() - set(noted))


def findings(columns: Columns) -> Iterator[str]:
    """A sentence for each run that is noted with other cases than the suite has."""
    for run in RUNS:
        absent = missing(run, columns)
        if absent:
            yield f"docs/conformance.json, {run.name}: has no {', '.join(absent)}; {REMEDY}"
        gone = sorted(columns[run.folder].cases.keys() - run.cases().keys()) if not absent else []
        if gone:
            yield f"docs/conformance.json, {run.name}: {', '.join(gone)} is no case; {REMEDY}"


def reports(columns: Columns) -> list[matrix.Report]:
    """The columns as the suite's own reports, for the cases that there still are."""
    return [_report(run, columns[run.folder]) for run in RUNS if run.folder in columns]


def matrix_page() -> str:
    """The matrix of what is noted: one HTML page that needs nothing beside it."""
    return matrix.page(reports(read()), TITLE)


def page(columns: Columns) -> str:
    """docs/conformance.md."""
    return "".join(f"{line}\n" for line in _lines(columns))


def _run(folder: str) -> Run:
    return next(run for run in RUNS if run.folder == folder)


def _note(entry: Mapping[str, Any]) -> str:
    text: str = entry.get("note") or entry.get("failure", {}).get("message", "")
    return text


def _but(noted: Mapping[str, str], those: Collection[str]) -> dict[str, str]:
    return {id_: text for id_, text in noted.items() if id_ not in those}


def _commit() -> str:
    """The commit of the checkout; what this tool writes does not make it a changed one."""
    own = [f":(top,exclude){path.relative_to(ROOT)}" for path in (DOCUMENT, PAGE)]
    name = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", *own)
    return f"{name}-dirty" if changed else name


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _report(run: Run, column: Column) -> matrix.Report:
    whole = sizes(sdk_cases() if run.kind == "sdk" else all_cases())
    where = ", ".join(part for part in (column.about, f"commit {column.commit}") if part)
    version = requirements.load().version
    results = Results(version, where, "", whole, run.name, run.kind, run.claimed)
    for id_, case in run.cases().items():
        if id_ in column.cases:
            later = f"Run later, at commit {column.later[id_]}." if id_ in column.later else ""
            note = " ".join(part for part in (column.notes.get(id_, ""), later) if part)
            verdict = cast("Verdict", column.cases[id_])
            results.items.append(Result(case, verdict, 0, note=note))
    report = results.document()
    report["began_at"], report["seconds"] = column.date, column.seconds
    for entry in report["cases"]:
        entry["seconds"] = None  # how long the whole took is told, once
    return report


def _lines(columns: Columns) -> Iterator[str]:
    told = reports(columns)
    yield HEAD
    yield _cells("", *(report["name"] for report in told))
    yield _cells(*["---"] * (len(told) + 1))
    yield _cells("verdict", *(_verdict(report) for report in told))
    yield _cells("cases", *(str(len(report["cases"])) for report in told))
    yield _cells("run on", *(report["began_at"] for report in told))
    yield _cells("at", *(_commits(columns[run.folder]) for run in RUNS if run.folder in columns))
    yield "\n## By profile\n\nWhat is met of what the profile asks; or why it was not run.\n"
    yield _cells("profile", *(report["name"] for report in told))
    yield _cells(*["---"] * (len(told) + 1))
    for group in matrix.groups(told):
        yield _cells(f"`{group.profile}`", *map(_sum, group.sums))
    yield "\n## What is not met\n"
    yield from list(_not_met(told)) or ["Nothing."]


def _verdict(report: matrix.Report) -> str:
    return {True: "conforms", False: "does not conform", None: "partial"}[report["conforms"]]


def _commits(column: Column) -> str:
    later = sorted(set(column.later.values()))
    also = f"; {len(column.later)} cases later, at {', '.join(later)}" if later else ""
    return column.commit + also


def _sum(line: str) -> str:
    """`conforms to core 1.0 (74/74 MUST)` without what the row says."""
    found = re.fullmatch(r"(conforms) to .*?\((.*)\)", line)
    return found[2] if found else line


def _not_met(told: Sequence[matrix.Report]) -> Iterator[str]:
    for report in told:
        for case in report["cases"]:
            if case["verdict"] != "passed":
                level = case["level"].upper()
                yield f"* {report['name']}, `{case['id']}` ({level}): {case.get('note', '')}"


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
