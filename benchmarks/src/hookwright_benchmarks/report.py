"""The report for people: a table on the terminal, and the document in docs/."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from hookwright_benchmarks.results import Machine, Report, Row, figure

_STYLES = {"met": "green", "missed": "bold red", "for information": "dim"}
_INTRODUCTION = """\
# Performance: what was measured

This document is written by `make bench` from the figures in `benchmarks/results/`; edit neither.
Load generator, server and sink share the machine. The load is open: messages fall due at a
constant rate, and latency counts from when one was due. The sink checks every signature by
itself. Each figure is the median of the runs; least and greatest stand beside it. Absolutes
belong to the machine that is named; compare ratios."""
_FORMS = {
    "embedded": """\
## Embedded form

`hookwright-server serve`: three processes, one SQLite file with `synchronous=FULL`.""",
    "production": """\
## Production form

`hookwright-server api` with one process, one `worker`, Postgres and Redis, all on the machine.""",
}
_DEPTH = """\
## At depth

Promises about large tables. [scale.md](scale.md) has more on how cost grows."""


def show(report: Report, console: Console) -> None:
    """The table, and what it was measured on."""
    table = Table(title=f"Hookwright, {report.back_end}", title_justify="left")
    for heading in ("promise", "target", "measured", "least to greatest", "unit", "verdict"):
        table.add_column(heading)
    for row in report.rows:
        table.add_row(*_cells(row), style=None, end_section=False)
    console.print(table)
    for line in _machine_lines(report):
        console.print(line, highlight=False)


def markdown(reports: Sequence[Report], scales: Sequence[Report] = (), notes: str = "") -> str:
    """The document; equal reports give equal text.

    Of `scales` it shows what has a target. `notes` is Markdown: where the time goes.
    """
    parts = [_INTRODUCTION]
    for report in reports:
        lines = [_FORMS[report.back_end], "", *conditions(report), "", *table(report.rows)]
        parts.append("\n".join([*lines, *_how(report.rows)]))
    promised = [row for report in scales for row in report.rows if row.target is not None]
    if promised:
        parts.append("\n".join([_DEPTH, "", *table(promised), *_how(promised)]))
    if notes:
        parts.append(notes.rstrip())
    return "\n\n".join(parts) + "\n"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as lines of Markdown."""
    yield "| promise | target | measured | least to greatest | unit | verdict |"
    yield "|---|---|---|---|---|---|"
    yield from (f"| {' | '.join(_plain_cells(row))} |" for row in rows)


def conditions(report: Report) -> Iterator[str]:
    """When, where and on what it was measured, as a list of Markdown."""
    yield from (f"- {line}" for line in _machine_lines(report))


def warning(machine: Machine) -> str | None:
    """What to say when others used the machine; None when it was quiet."""
    if machine.was_quiet:
        return None
    return (
        f"The machine was not quiet: load average {machine.load_average} on {machine.cores} cores "
        "before the first run. Ratios hold better than absolutes; neither is what it could be."
    )


def _how(rows: Sequence[Row]) -> Iterator[str]:
    notes = [row for row in rows if row.note]
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
    if report.facts:
        yield "; ".join(f"{name}: {value}" for name, value in report.facts.items()) + "."
    yield warning(machine) or f"Load average before the first run: {machine.load_average}."
