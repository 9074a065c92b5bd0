"""What is measured becomes rows, a verdict, JSON and a document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hookwright_benchmarks import cli, report, scale_report
from hookwright_benchmarks.results import Machine, Report, Row, at_least, at_most, figure

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
    lines = report.markdown([REPORT]).splitlines()

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


def test_both_forms_stand_in_one_document() -> None:
    """Each back end has its part, and settings that its figures depend on are told."""
    production = replace(REPORT, back_end="production", facts={"Postgres fsync": "on"})

    text = report.markdown([REPORT, production], notes="## Where the time goes\n\nThere.\n")

    assert ["## Embedded form", "## Production form", "## Where the time goes"] == [
        line for line in text.splitlines() if line.startswith("## ")
    ]
    assert "- Postgres fsync: on." in text


def test_of_the_scale_suite_only_promises_stand_in_the_document() -> None:
    """Rows without a target are figures of docs/scale.md alone."""
    rows = [
        Row("scale-production", "insert", "ratio", (1.2,), at_most(1.3)),
        Row("scale-production", "claim", "ms", (9.0,)),
    ]

    text = report.markdown([REPORT], [replace(REPORT, rows=rows)])

    assert "| insert | ≤ 1.3 |" in text
    assert "| claim |" not in text


def scale_rows() -> list[Row]:
    """What the scale suite finds, each value 100."""
    promises = [
        "finding who waits, 10 endpoints",
        "claim of 500, 10,000 pending",
        "insert at 11,000,000 deliveries ÷ empty",
        "stats: at 10,000,000 deliveries in 30 days ÷ at 10,000",
        "stats: the larger of these",
        "1 API, 1 worker: accepted",
        "1 API, 1 worker: delivered",
        *(
            f"1 API, 1 worker: CPU of {kind} a message"
            for kind in ("door", "api", "worker", "postgres", "redis")
        ),
        "log (WAL) a message, with 2 deliveries",
    ]
    return [Row("scale-production", promise, "", (100.0,)) for promise in promises]


def test_the_scale_document_reckons_with_what_was_measured() -> None:
    """A machine of 4 cores at 70 % makes 2.8 s of CPU a second, of which a message takes 300 µs."""
    text = scale_report.markdown(REPORT, replace(REPORT, rows=scale_rows()))

    assert "| one machine of API and workers | 9,333 | 4 cores ÷ 300 µs |" in text
    assert "| Postgres, log | 2,000 | 200 MB/s ÷ 100 KB |" in text
    assert "| 10 | 93,333 | 2,000 | 173 M | Postgres' log | 1,280 |" in text
    assert "| claim of 500, 10,000 pending |  | 100 |" in text
    assert 1 == text.count("| stats: at 10,000,000 deliveries in 30 days ÷ at 10,000 |")


def test_the_committed_documents_are_rendered_from_the_committed_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """docs/ says what benchmarks/results holds, and nothing else."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(cli, "DOCUMENT", tmp_path / "performance.md")
    monkeypatch.setattr(cli, "SCALE_DOCUMENT", tmp_path / "scale.md")

    cli.write_documents()

    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert made == {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in made}
