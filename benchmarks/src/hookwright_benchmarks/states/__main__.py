"""`python -m hookwright_benchmarks.states`."""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click
import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hookwright_benchmarks.rig.services import Service
from hookwright_benchmarks.states.run import Diverged, run
from hookwright_server.settings import PostgresUrl

# Nothing here outlives the run, so nothing waits for the disk.
_SETTINGS = {"fsync": "off", "full_page_writes": "off"}
_BACKENDS = ("sqlite", "postgres")


@click.command()
@click.option("--steps", default=100_000, show_default=True, help="How many, on each back end.")
@click.option(
    "--backend",
    type=click.Choice((*_BACKENDS, "both")),
    default="both",
    show_default=True,
    help="Where the server keeps its data.",
)
@click.option("--seed", default=1, show_default=True, help="Of the first round; the same repeats.")
def main(steps: int, backend: str, seed: int) -> None:
    """Do random things to a server and to a small model of it, and compare them after each.

    Users publish, steer, replay, rotate and switch off; receivers answer as a script says; the
    clock moves. Every delivery, list and number must be what the model says, and every request
    to a receiver genuine. Starts a Postgres of its own (Debian: apt-get install postgresql).
    The exit status is 1 when there is a divergence: the shortest way to it is printed, and how
    to do it again.
    """
    logging.disable(logging.WARNING)  # what endpoints suffer is no news here
    console = Console()
    chosen = _BACKENDS if backend == "both" else (backend,)
    sys.exit(max(_campaign(console, each, steps, seed) for each in chosen))


def _campaign(console: Console, backend: str, steps: int, seed: int) -> int:
    columns = (TextColumn(backend), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began = time.monotonic()
    with _database(backend) as database, Progress(*columns, console=console) as bar:
        task = bar.add_task(backend, total=steps)
        try:
            made = run(
                database,
                steps=steps,
                first_seed=seed,
                on_step=lambda done: bar.update(task, completed=done),
            )
        except Diverged as error:
            console.print(str(error), markup=False, highlight=False, soft_wrap=True)
            again = f"--backend {backend} --seed {error.seed} --steps 1000"
            console.print(f"Again: make states ARGS={again!r}", highlight=False, soft_wrap=True)
            return 1
    took = time.monotonic() - began
    console.print(f"{backend}: {made:,} steps, seed {seed}: no divergence ({took:,.0f} s).")
    return 0


@contextmanager
def _database(backend: str) -> Generator[Path | PostgresUrl]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if backend == "sqlite":
            yield folder / "hookwright.db"
            return
        with Service("postgres", folder, _SETTINGS) as service:
            with psycopg.connect(service.url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE states TEMPLATE template0")
            yield PostgresUrl(service.url.rpartition("/")[0] + "/states")


if __name__ == "__main__":
    main()
