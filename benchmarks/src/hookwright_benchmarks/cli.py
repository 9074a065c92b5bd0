"""The command `hookwright-bench`: measure the promises, print one table, keep the figures."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from hookwright_benchmarks import machine, report, scale_report
from hookwright_benchmarks.results import Report, Row, read
from hookwright_benchmarks.suites import SUITES, WITHOUT_SERVER
from hookwright_benchmarks.suites.plan import BackEnd, Plan

RESULTS = Path("benchmarks/results")
DOCUMENT = Path("docs/performance.md")
SCALE_DOCUMENT = Path("docs/scale.md")
NOTES = RESULTS / "notes.md"
_BACK_ENDS: dict[str, tuple[BackEnd, ...]] = {
    "embedded": ("embedded",),
    "production": ("production",),
    "both": ("embedded", "production"),
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--backend",
    type=click.Choice(list(_BACK_ENDS)),
    default="both",
    show_default=True,
    help="`serve` on SQLite, or Postgres and Redis with `api` and `worker`.",
)
@click.option(
    "--only",
    "names",
    multiple=True,
    type=click.Choice(list(SUITES)),
    help="Run only this suite; may be given several times. Keeps nothing but `scale` alone.",
)
@click.option("--runs", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--quick", is_flag=True, help="A tiny load, once: whether it works. Keeps nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON lines.")
@click.option("--render", is_flag=True, help="Measure nothing: write the documents again.")
def main(
    backend: str, names: tuple[str, ...], runs: int, *, quick: bool, as_json: bool, render: bool
) -> None:
    """Measure what Hookwright promises, on this machine, from the repository's folder.

    A full run keeps its figures in benchmarks/results/ and writes docs/performance.md. So does
    `--only scale`, with docs/scale.md; without it that suite does not run.
    """
    if not RESULTS.is_dir():
        raise click.ClickException(f"{RESULTS} is not here; run this in the repository.")
    if render:
        write_documents()
        return
    logging.getLogger("alembic").setLevel(logging.WARNING)
    is_scale = names == ("scale",)
    reports = [
        measure(names or default_suites(each), back_end=each, runs=runs, quick=quick)
        for each in _BACK_ENDS[backend]
    ]
    for found in reports:
        if as_json:
            click.echo(found.to_json(), nl=False)
        else:
            report.show(found, _console())
    if not quick and (is_scale or not names):
        for found in reports:
            keep(found, is_scale=is_scale)
        write_documents()


def default_suites(back_end: BackEnd) -> tuple[str, ...]:
    """What a full run measures."""
    left_out = ("reads", "scale", *(() if back_end == "embedded" else WITHOUT_SERVER))
    return tuple(name for name in SUITES if name not in left_out)


def measure(
    names: Sequence[str], *, back_end: BackEnd = "embedded", runs: int = 3, quick: bool
) -> Report:
    """Run the suites and gather their rows."""
    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"[{time.monotonic() - began:6.1f} s] {back_end}: {line}", err=True)

    rows: list[Row] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hookwright-bench-")))
        where = machine.describe(folder)
        caution = report.warning(where)
        if caution is not None:
            click.echo(f"WARNING: {caution}", err=True)
        plan = Plan(quick, folder, say, stack, back_end, runs)
        for name in names:
            rows += SUITES[name](plan)
        facts = plan.postgres.facts() | plan.redis.facts() if plan.is_production else {}
        return Report(
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            command=" ".join(["hookwright-bench", *sys.argv[1:]]),
            commit=_commit(),
            machine=where,
            versions=machine.versions(),
            rows=rows,
            back_end=back_end,
            facts=facts,
        )


def keep(found: Report, *, is_scale: bool) -> None:
    """Write the figures."""
    path = RESULTS / f"{'scale-' if is_scale else ''}{found.back_end}.json"
    path.write_text(found.to_json(), encoding="utf-8")
    click.echo(f"wrote {path}", err=True)


def write_documents() -> None:
    """Write what is made of the kept figures."""
    promises, scales = (
        kept(("embedded", "production")),
        kept(("scale-embedded", "scale-production")),
    )
    notes = NOTES.read_text(encoding="utf-8") if NOTES.exists() else ""
    DOCUMENT.write_text(report.markdown(promises, scales, notes), encoding="utf-8")
    if len(scales) == len(_BACK_ENDS["both"]):
        SCALE_DOCUMENT.write_text(scale_report.markdown(*scales), encoding="utf-8")


def kept(names: Sequence[str]) -> list[Report]:
    """The reports of these names that have been kept."""
    paths = [RESULTS / f"{name}.json" for name in names]
    return [read(path) for path in paths if path.exists()]


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    return done.stdout.strip() or "unknown"


def _console() -> Console:
    # A file or a pipe has no width of its own; the table would be cut into pieces.
    return Console() if sys.stdout.isatty() else Console(width=150)
