"""The report for people: a table on the terminal, and the document in docs/."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from hookwright_benchmarks.results import Machine, Report, Row, figure

_STYLES = {"met": "green", "missed": "bold red", "for information": "dim"}
_INTRODUCTION = """\
# Performance: what was measured

This document is written by `make bench` from `benchmarks/results/embedded.json`; edit neither.
It measures the embedded form: `hookwright-server serve`, two processes, one SQLite file with
`synchronous=FULL`. Load generator, server and sink share the machine. The load is open: messages
fall due at a constant rate, and latency counts from when one was due. The sink checks every
signature by itself. Each figure is the median of the runs; least and greatest stand beside it.
Absolutes belong to the machine below; compare ratios."""


def show(report: Report, console: Console) -> None:
    """The table, and what it was measured on."""
    table = Table(title="Hookwright: promises and measurements", title_justify="left")
    for heading in ("promise", "target", "measured", "least to greatest", "unit", "verdict"):
        table.add_column(heading)
    for row in report.rows:
        table.add_row(*_cells(row), style=None, end_section=False)
    console.print(table)
    for line in _machine_lines(report):
        console.print(line, highlight=False)


def markdown(report: Report) -> str:
    """The document; equal reports give equal text."""
    return "\n".join([*_document(report), ""])


def warning(machine: Machine) -> str | None:
    """What to say when others used the machine; None when it was quiet."""
    if machine.was_quiet:
        return None
    return (
        f"The machine was not quiet: load average {machine.load_average} on {machine.cores} cores "
        "before the first run. Ratios hold better than absolutes; neither is what it could be."
    )


def _document(report: Report) -> Iterator[str]:
    yield _INTRODUCTION
    yield ""
    yield from (f"- {line}" for line in _machine_lines(report))
    yield ""
    yield "| promise | target | measured | least to greatest | unit | verdict |"
    yield "|---|---|---|---|---|---|"
    for row in report.rows:
        yield f"| {' | '.join(_plain_cells(row))} |"
    notes = [row for row in report.rows if row.note]
    if notes:
        yield ""
        yield "How it was measured:"
        yield ""
        yield from (f"- {row.promise}: {row.note}" for row in notes)


def _plain_cells(row: Row) -> tuple[str, ...]:
    target = "" if row.target is None else str(row.target)
    verdict = "" if row.target is None else row.verdict
    return row.promise, target, figure(row.measured), row.span, row.unit, verdict


def _cells(row: Row) -> tuple[str, ...]:
    *cells, verdict = _plain_cells(row)
    return *cells, f"[{_STYLES[row.verdict]}]{verdict}[/]"


def _machine_lines(report: Report) -> Iterator[str]:
    machine = report.machine
    yield f"Measured on {report.date} at commit {report.commit} by `{report.command}`."
    yield (
        f"Machine: {machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB, "
        f"{machine.system}; fdatasync {machine.fdatasync_ms} ms."
    )
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    yield f"Versions: Python {machine.python}, SQLite {machine.sqlite}, {versions}."
    yield warning(machine) or f"Load average before the first run: {machine.load_average}."
