"""`python -m hookwright_benchmarks.kill_campaign`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn, TimeRemainingColumn

from hookwright_benchmarks.kill_campaign.campaign import PER_SECOND, Plan, Result, run
from hookwright_benchmarks.kill_campaign.report import document, lines
from hookwright_benchmarks.kill_campaign.server import NotStarted


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--kills",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="How many kills that hit work in flight.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Chooses moments and kinds.")
@click.option(
    "--rate",
    type=click.FloatRange(1, 500),
    default=PER_SECOND,
    show_default=True,
    help="Messages a second of each publisher.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep database and server log there.  [default: a temporary folder]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(kills: int, seed: int, rate: float, folder: Path | None, as_json: bool) -> None:
    """Kill a server under load with SIGKILL, again and again, and look for anything lost.

    A real server on one SQLite file, publishers and receivers over real sockets. Each kill hits
    the process group, the worker or the parent while deliveries are being sent and publishes wait
    for their answers. At the end everything accepted must have been received, by every endpoint,
    byte for byte, and nothing twice without a kill to explain it. Takes 2 to 4 s a kill. Ends
    with 1 when something is wrong.
    """
    plan = Plan(kills, seed, per_second=rate)
    try:
        with _in_folder(folder) as place, _progress(kills) as advance:
            result = run(place, plan, lambda _done, _kind: advance())
    except (NotStarted, TimeoutError) as error:
        raise click.ClickException(f"{error}\nIn --folder the server's log is kept.") from error
    _show(result, as_json)
    sys.exit(0 if result.sound else 1)


def _show(result: Result, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(document(result), indent=2))
    else:
        click.echo("\n".join(lines(result)))


@contextmanager
def _in_folder(folder: Path | None) -> Generator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="hookwright-kills-") as temporary:
            yield Path(temporary)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.absolute()


@contextmanager
def _progress(kills: int) -> Generator[Callable[[], None]]:
    """A bar on a terminal, a line for every tenth kill elsewhere; on standard error."""
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn(), TimeElapsedColumn())
    done = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("kills", total=kills)

        def advance() -> None:
            nonlocal done
            done += 1
            bar.advance(task)
            if not console.is_terminal and done % 10 == 0:
                click.echo(f"{done} of {kills} kills", err=True)

        yield advance


if __name__ == "__main__":
    main()
