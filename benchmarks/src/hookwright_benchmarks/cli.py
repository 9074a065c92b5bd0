"""The command `hookwright-bench`: measure the promises, print one table, keep the figures."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from hookwright_benchmarks import machine, report
from hookwright_benchmarks.results import Report, Row
from hookwright_benchmarks.suites import SUITES
from hookwright_benchmarks.suites.plan import Plan

RESULTS = Path("benchmarks/results/embedded.json")
DOCUMENT = Path("docs/performance.md")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only",
    "names",
    multiple=True,
    type=click.Choice(list(SUITES)),
    help="Run only this suite; may be given several times. Keeps nothing.",
)
@click.option("--quick", is_flag=True, help="A tiny load, once: whether it works. Keeps nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, not as a table.")
@click.option(
    "--render", is_flag=True, help=f"Measure nothing: write {DOCUMENT} from {RESULTS} again."
)
def main(names: tuple[str, ...], quick: bool, as_json: bool, render: bool) -> None:
    """Measure what Hookwright promises, on this machine, from the repository's folder.

    A full run writes the figures to benchmarks/results/embedded.json and docs/performance.md.
    """
    if not RESULTS.parent.is_dir():
        raise click.ClickException(f"{RESULTS.parent} is not here; run this in the repository.")
    if render:
        DOCUMENT.write_text(report.markdown(Report.from_json(RESULTS.read_text())))
        return
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="hookwright-bench-") as folder:
        found = measure(names or tuple(SUITES), Path(folder), quick=quick)
    if as_json:
        click.echo(found.to_json(), nl=False)
    else:
        report.show(found, _console())
    if not names and not quick:
        keep(found)


def measure(names: tuple[str, ...], folder: Path, *, quick: bool) -> Report:
    """Run the suites and gather their rows."""
    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"[{time.monotonic() - began:6.1f} s] {line}", err=True)

    where = machine.describe(folder)
    caution = report.warning(where)
    if caution is not None:
        click.echo(f"WARNING: {caution}", err=True)
    plan = Plan(quick=quick, folder=folder, say=say)
    rows: list[Row] = []
    for name in names:
        rows += SUITES[name](plan)
    return Report(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        command=" ".join(["hookwright-bench", *sys.argv[1:]]),
        commit=_commit(),
        machine=where,
        versions=machine.versions(),
        rows=rows,
    )


def keep(found: Report) -> None:
    """Write the figures, and the document that is made of them."""
    RESULTS.write_text(found.to_json(), encoding="utf-8")
    DOCUMENT.write_text(report.markdown(found), encoding="utf-8")
    click.echo(f"wrote {RESULTS} and {DOCUMENT}", err=True)


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    return done.stdout.strip() or "unknown"


def _console() -> Console:
    # A file or a pipe has no width of its own; the table would be cut into pieces.
    return Console() if sys.stdout.isatty() else Console(width=150)
