"""`make conformance`: the suite on what is ours, the matrix of all runs, and what is committed."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import conformance_document as document
from conformance_document import Column, Columns
from conformance_runs import RUNS

TOOL = Path(__file__).parents[1] / "tools" / "conformance.py"
RUN = RUNS[2]
IDS = sorted(RUN.cases())
COLUMN = Column("c0ffee1", "2026-11-20", 30.5, "", dict.fromkeys(IDS, "passed"))
WHY = {"note": "why"}


def test_runs_become_a_matrix(tmp_path: Path) -> None:
    """The reference server is started, asked, reported on, and set into the matrix."""
    command = [sys.executable, str(TOOL), "--run", "sqlite", "--out", str(tmp_path)]
    only = ["--", "--only", "errors.unknown-path-is-a-problem"]
    done = subprocess.run(
        [*command, *only], capture_output=True, text=True, timeout=800, check=False
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    said = r"Reference server, SQLite: partial: 1 of \d+ run of core 1\.0 \(1/1 MUST\)"
    assert re.search(said, done.stdout)
    assert "Reference server, SQLite" in (tmp_path / "matrix.html").read_text(encoding="utf-8")
    made = {path.name for path in (tmp_path / "sqlite").iterdir()}
    assert {"badge.svg", "junit.xml", "report.html", "report.json"} == made


def report(**verdicts: str) -> dict[str, Any]:
    """What report.json holds of a run in which these cases, by their place in IDS, were run."""
    cases = [
        {"id": IDS[int(place[1:])], "verdict": verdict} | ({} if verdict == "passed" else WHY)
        for place, verdict in verdicts.items()
    ]
    began = "2026-11-22T05:00:00+00:00"
    return {"base_url": "http://127.0.0.1:1", "began_at": began, "seconds": 1.5, "cases": cases}


def complete() -> Columns:
    """A column of each run, everything passed."""
    return {run.folder: replace(COLUMN, cases=dict.fromkeys(run.cases(), "passed")) for run in RUNS}


def test_the_committed_report_names_the_cases_that_there_are() -> None:
    """In each column those of a whole run, no more and no less, and the page says the same."""
    columns = document.read()
    made = document.PAGE.read_text(encoding="utf-8")

    assert [] == list(document.findings(columns))
    assert document.page(columns) == made, f"{document.PAGE} is out of date; {document.REMEDY}"


def test_the_matrix_of_the_site_has_a_column_of_each_run() -> None:
    """And no cell of it is empty."""
    html = document.matrix_page()

    assert [] == [run.name for run in RUNS if f"<th>{run.name}</th>" not in html]
    cells = re.findall(r'<td class="cell[^>]*>(?:<a[^>]*>)?([^<]*)<', html)
    assert "" not in cells
    assert any("profile not claimed" in cell for cell in cells)


def test_a_case_that_is_not_noted_is_named_with_the_remedy() -> None:
    """So is one that is no case any more."""
    column = replace(COLUMN, cases=dict.fromkeys(IDS[1:], "passed"))
    idle = replace(COLUMN, cases=COLUMN.cases | {"gone.case": "passed"})

    (absent,) = document.findings(complete() | {RUN.folder: column})
    (gone,) = document.findings(complete() | {RUN.folder: idle})

    assert f"docs/conformance.json, {RUN.name}: has no {IDS[0]}; {document.REMEDY}" == absent
    assert f"docs/conformance.json, {RUN.name}: gone.case is no case; {document.REMEDY}" == gone
    assert COLUMN == document.pruned(idle, RUN)
    assert [IDS[0]] == document.missing(RUN, {RUN.folder: column})


def test_a_run_of_some_cases_is_noted_on_top() -> None:
    """Each of its cases with the commit; the others, and when they were run, stay."""
    made = document.merged(COLUMN, report(_0="failed", _1="passed"), "beef123", RUN)

    assert made == replace(
        COLUMN,
        cases=COLUMN.cases | {IDS[0]: "failed"},
        notes={IDS[0]: "why"},
        later={IDS[0]: "beef123", IDS[1]: "beef123"},
    )


def test_a_whole_run_takes_the_place_of_all() -> None:
    """Nothing of what was noted before is left."""
    old = replace(COLUMN, notes={IDS[0]: "why"}, later={IDS[0]: "beef123"})
    whole = report(**{f"_{place}": "passed" for place in range(len(IDS))})

    made = document.merged(old, whole, "beef123", RUN)

    assert Column("beef123", "2026-11-22", 1.5, "", COLUMN.cases) == made


def test_what_is_not_met_is_listed_with_its_reason() -> None:
    """On the page, and in the matrix."""
    failed = replace(COLUMN, cases=COLUMN.cases | {IDS[0]: "failed"}, notes={IDS[0]: "because"})
    level = RUN.cases()[IDS[0]].requirement.level.upper()

    page = document.page({RUN.folder: failed})

    assert f"* {RUN.name}, `{IDS[0]}` ({level}): because\n" in page
    assert "| verdict | does not conform |" in page
