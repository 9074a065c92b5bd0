"""The HTML pages and the badge: self-contained, complete, and safe to open."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hookwright_conformance import matrix
from hookwright_conformance.case import Case, all_cases
from hookwright_conformance.cli import main
from hookwright_conformance.coverage import gaps
from hookwright_conformance.requirements import load
from hookwright_conformance.results import Failure, Kind, Reached, Result, Results, Verdict
from hookwright_conformance.spec import Spec

CASES = {case.id: case for case in all_cases()}
FAILED, SHOULD, CLOCK = (
    CASES[id_]
    for id_ in (
        "wire.request-is-a-documented-post",
        "retries.planned-attempts-come-in-time",
        "clock.the-default-schedule-in-full",
    )
)
FAILURE = Failure(
    "Content-Type", "'application/json'", "'<script>'", ("   0.001  API POST /v1/apps",), "curl -i"
)


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "action", "data", "srcset"):
                self.links.append(value or "")
            elif name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def report(
    name: str, whole: dict[str, int] | None = None, kind: Kind = "server", **verdicts: Verdict
) -> dict[str, Any]:
    """What report.json holds of a run with these verdicts; `whole` as in Results."""
    by_name: dict[str, Case] = {"failed": FAILED, "should": SHOULD, "clock": CLOCK}
    whole = {by_name[which].profile: 1 for which in verdicts} | (whole or {})
    again = f"hookwright-conformance {kind}"
    results = Results("1.0", "http://127.0.0.1:1", again, whole, name, kind, ("core", "retries"))
    for which, verdict in verdicts.items():
        failure = None if verdict == "passed" else FAILURE
        note = "SHOULD not met: too late" if verdict == "not_met" else ""
        results.items.append(Result(by_name[which], verdict, 0.5, failure, note))
    return results.document()


def test_a_page_needs_nothing_from_elsewhere() -> None:
    """No script, no style or picture of its own file, no link but to itself; dark and light."""
    text = matrix.page([report("one", failed="failed", should="not_met")])
    page = Page(text)

    assert not {"script", "link", "img", "iframe", "object", "base"} & set(page.tags)
    assert [] == [link for link in page.links if not link.startswith("#")]
    assert "@import" not in text
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text


def test_a_page_explains_each_failure() -> None:
    """Sentence, verdict, expected, actual, timeline, curl, command; markup in it stays text."""
    page = Page(matrix.page([report("one", failed="failed", should="not_met")]))

    assert "does not conform to core 1.0 (0/1 MUST)" in page.text
    assert FAILED.requirement.sentence in page.text
    for part in ("✗ failed", "'application/json'", "'<script>'", "0.001  API POST", "curl -i"):
        assert part in page.text
    assert "SHOULD not met: too late" in page.text
    assert f"hookwright-conformance server --only {FAILED.id}" in page.text
    for reason in load().unobserved_requirements.values():
        assert reason in page.text


def test_a_matrix_sets_runs_side_by_side() -> None:
    """A column for each run, rows by profile, and every cell leads somewhere."""
    one = report("SQLite", failed="passed", clock="passed")
    two = report("Postgres", failed="failed")
    page = Page(matrix.page([one, two]))

    assert set(page.links) == {f"#{id_}" for id_ in page.ids}
    assert len(page.ids) == len(set(page.ids))
    assert ["run1-core-WIRE-1", "run2-core-WIRE-1", "run1-test-clock-RETRY-7"] == page.ids
    order = [page.text.index(name) for name in ("SQLite", "Postgres", "· profile not claimed")]
    assert sorted(order) == order


def test_a_cell_without_a_verdict_says_why() -> None:
    """The profile is another kind's, is not claimed, or was left out of this run."""
    runs = [
        report("all", failed="passed", should="passed", clock="passed"),
        report("some", failed="passed"),
        report("an SDK", kind="sdk"),
    ]
    found = {
        group.profile: [cell.text for cell in group.rows[0].cells] for group in matrix.groups(runs)
    }

    assert {
        "core": ["✓ passed", "✓ passed", "· judges servers"],
        "retries": ["✓ passed", "· not in this run", "· judges servers"],
        "test-clock": ["✓ passed", "· profile not claimed", "· judges servers"],
    } == found


def test_a_cell_tells_what_of_it_was_not_run() -> None:
    """Beside what was; all of it, when nothing was."""
    cases = [{"verdict": "passed"}, {"verdict": "not_run"}, {"verdict": "failed"}]
    told = [matrix.Cell("x", some).text for some in (cases, cases[:2], cases[1:2])]

    assert ["✗ failed 1/2, 1 not run", "✓ passed, 1 not run", "· not run"] == told


def test_a_badge_counts_what_is_met() -> None:
    """Well-formed, red when a MUST is not met, and grey when cases were not run."""
    runs: list[tuple[Verdict, int]] = [("passed", 1), ("failed", 1), ("passed", 74)]
    green, red, grey = (
        matrix.badge(report("one", {"core": cases}, failed=verdict, should="not_met"))
        for verdict, cases in runs
    )

    for badge, says in ((green, "1/1 MUST"), (red, "0/1 MUST"), (grey, "partial, 1/1 MUST")):
        title = ET.fromstring(badge).find("{http://www.w3.org/2000/svg}title")
        assert title is not None
        assert f"conformance 1.0: {says}" == title.text
    colours = {re.findall('fill="(#[0-9a-f]+)"', badge)[1] for badge in (green, red, grey)}
    assert 3 == len(colours)


def test_a_page_says_that_a_run_was_partial() -> None:
    """In its verdict, and in the line of the profile."""
    page = Page(matrix.page([report("one", {"core": 74}, failed="passed")]))

    assert "partial: 1 of 74 run of core 1.0 (1/1 MUST)" in page.text
    assert "conforms" not in page.text


def test_the_command_writes_a_matrix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From reports, in their order; it says what each run says."""
    paths: list[str] = []
    for name in ("SQLite", "Postgres"):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(report(name, failed="passed")), encoding="utf-8")
        paths.append(str(path))
    output = tmp_path / "new" / "matrix.html"

    assert 0 == main(["matrix", *paths, "--output", str(output), "--title", "All of them"])
    assert "<h1>All of them</h1>" in output.read_text(encoding="utf-8")
    assert "Postgres: conforms to core 1.0 (1/1 MUST)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"), [("{}", "is no report of this suite"), ("[", "cannot be")]
)
def test_a_matrix_of_anything_else_is_refused(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the file."""
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    output = tmp_path / "matrix.html"

    assert 2 == main(["matrix", str(path), "--output", str(output)])
    told = capsys.readouterr().err
    assert str(path) in told
    assert says in told
    assert not output.exists()


def test_gaps_are_named() -> None:
    """What no case reached, and reasons for what one did."""
    results = Results("1.0", "http://127.0.0.1:1", "again", {"core": 1})
    reached = Reached(("apps.get",), ("internal_error",))
    results.items = [Result(FAILED, "passed", 0, reached=reached)]
    found = gaps(results.document()["cases"], Spec.load(), load())

    assert any(each.startswith("operation apps.list is never called") for each in found)
    assert not any(each.startswith("operation apps.get ") for each in found)
    assert any(each.startswith("error code internal_error is answered: remove") for each in found)
    assert any(each.startswith("requirement WIRE-2 is never judged") for each in found)
