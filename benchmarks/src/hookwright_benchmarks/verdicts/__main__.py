"""`python -m hookwright_benchmarks.verdicts`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hookwright_benchmarks.rig.services import Service
from hookwright_benchmarks.verdicts.campaign import Outcome, compare
from hookwright_benchmarks.verdicts.twins import twins

# Nothing here outlives the run, so nothing waits for the disk.
_SETTINGS = {"fsync": "off", "full_page_writes": "off"}
# As many installations have it: text that is not compared byte by byte unless a query says so.
_CREATE = (
    "CREATE DATABASE verdicts TEMPLATE template0 ENCODING UTF8"
    " LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'"
)


@click.command()
@click.option("--bodies", default=100_000, show_default=True, help="How many JSON bodies to send.")
@click.option("--seed", default=1, show_default=True, help="Which stream; the same one repeats.")
def main(bodies: int, seed: int) -> None:
    """Send generated requests, most of them hostile, to a server on SQLite and one on Postgres.

    Both draw the same random numbers and read the same clock, so their answers must be equal:
    status, headers and body. Starts a Postgres of its own (Debian: apt-get install postgresql).
    The exit status is 1 when an answer differed; the first differences are printed.
    """
    console = Console()
    columns = (TextColumn("bodies"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("bodies", total=bodies)

        def progress(outcome: Outcome) -> None:
            if outcome.requests % 100 == 0:
                bar.update(task, completed=outcome.bodies)

        outcome = run(bodies, seed, progress)
        bar.update(task, completed=outcome.bodies)
    for difference in outcome.first:
        console.print(str(difference), markup=False, highlight=False)
    statuses = ", ".join(
        f"{status}: {count:,}" for status, count in sorted(outcome.statuses.items())
    )
    console.print(
        f"{outcome.requests:,} requests, {outcome.bodies:,} with a body, seed {seed}; "
        f"{outcome.differences:,} answers differed. {statuses}",
        highlight=False,
    )
    sys.exit(1 if outcome.differences else 0)


def run(bodies: int, seed: int, progress: Callable[[Outcome], None] = lambda _: None) -> Outcome:
    """The comparison on a fresh SQLite file and a fresh Postgres."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Service("postgres", folder, _SETTINGS) as service:
            with psycopg.connect(service.url, autocommit=True) as connection:
                connection.execute(_CREATE)
            url = service.url.rpartition("/")[0] + "/verdicts"
            with twins(folder, url, seed) as (sqlite, postgres):
                return compare(sqlite, postgres, bodies=bodies, seed=seed, progress=progress)


if __name__ == "__main__":
    main()
