"""What is measured becomes rows, a verdict, JSON and a document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hookwright_benchmarks import report
from hookwright_benchmarks.results import Machine, Report, Row, at_least, at_most, figure, read

ROOT = Path(__file__).resolve().parents[2]
MACHINE = Machine(
    processor="a processor",
    cores=2,
    memory_gib=4.0,
    system="Linux 6.1",
    python="3.11.7",
    sqlite="3.40.1",
    load_average=0.1,
    fdatasync_ms=0.2,
)
REPORT = Report(
    date="2026-11-21",
    command="hookwright-bench",
    commit="abc",
    machine=MACHINE,
    versions={"uvloop": "0.23.0"},
    rows=[
        Row("throughput", "accepted messages/s", "1/s", (710.0, 1_690.0, 750.0), at_least(700)),
        Row("latency", "202 → received, p50", "ms", (4.0, 5.0, 3.5), at_most(3), "How."),
        Row("engine", "CPU a delivery", "µs", (99.6,)),
    ],
)


def test_the_median_decides() -> None:
    """One good run among bad ones keeps no promise, nor does one bad run break it."""
    kept, broken, told = (row.verdict for row in REPORT.rows)

    assert ("met", "missed", "for information") == (kept, broken, told)


def test_a_target_may_be_met_exactly() -> None:
    """At least 700 is met by 700, at most 3 by 3."""
    assert (True, False) == (at_least(700).is_met_by(700), at_least(700).is_met_by(699.9))
    assert (True, False) == (at_most(3).is_met_by(3), at_most(3).is_met_by(3.01))


def test_json_keeps_everything() -> None:
    """A report read from its JSON is the same report, and its JSON the same text."""
    again = Report.from_json(REPORT.to_json())

    assert REPORT == again
    assert REPORT.to_json() == again.to_json()


def test_the_document_shows_every_row() -> None:
    """Promise, target, median, span, unit and verdict stand in one line of the table."""
    lines = report.markdown(REPORT).splitlines()

    assert "| accepted messages/s | ≥ 700 | 750 | 710 to 1,690 | 1/s | met |" in lines
    assert "| 202 → received, p50 | ≤ 3 | 4 | 3.5 to 5 | ms | missed |" in lines
    assert "| CPU a delivery |  | 99.6 | 99.6 to 99.6 | µs |  |" in lines
    assert "- 202 → received, p50: How." in lines


def test_a_busy_machine_is_told() -> None:
    """Figures of a machine that others used come with a warning, also in the document."""
    busy = replace(MACHINE, load_average=1.5)

    assert report.warning(MACHINE) is None
    assert "load average 1.5 on 2 cores" in str(report.warning(busy))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1_234.5, "1,234"), (99.96, "100"), (0.01234, "0.0123"), (3.0, "3"), (0.0, "0")],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    """More digits than three would be noise."""
    assert text == figure(value)


def test_the_committed_document_is_rendered_from_the_committed_figures() -> None:
    """docs/performance.md says what benchmarks/results/embedded.json holds, and nothing else."""
    found = read(ROOT / "benchmarks/results/embedded.json")

    assert report.markdown(found) == (ROOT / "docs/performance.md").read_text(encoding="utf-8")
