"""`python -m hookwright_benchmarks.faults`."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hookwright_benchmarks.faults import small_disk
from hookwright_benchmarks.faults.clocks import is_possible as clocks_can_jump
from hookwright_benchmarks.faults.conductor import Arena, Phase, Plan, Result, Standing, conduct
from hookwright_benchmarks.faults.embedded import embedded
from hookwright_benchmarks.faults.kinds import Lane
from hookwright_benchmarks.faults.production import full_disk, production
from hookwright_benchmarks.faults.programs import NotStarted
from hookwright_benchmarks.faults.scorecard import (
    Circumstances,
    document,
    fault_log,
    markdown,
    show,
)
from hookwright_benchmarks.faults.versions import commit, versions
from hookwright_benchmarks.machine import describe

Open = Callable[[Path, int], AbstractAsyncContextManager[Arena]]

_ALL: tuple[Lane, ...] = ("deliveries", "api", "api links", "redis", "redis links")
_REDIS: tuple[Lane, ...] = ("redis", "redis links")
_EVENTS_EACH = 400


@dataclass(frozen=True, slots=True)
class Stage:
    """A plan, and what it is played on."""

    plan: Plan
    open: Open


def stages(events: int, faults: int, rate: float, seed: int) -> list[Stage]:
    """The production form gets most of both; disks and the embedded form a twentieth each."""
    small, few = max(1, events // 20), max(1, faults // 20)
    disks = few if small_disk.possible() else 0
    most = faults - few - disks
    only_redis = max(1, most // 5)
    phases = (Phase(_REDIS, only_redis), Phase(_ALL, most - only_redis))
    rest = events - small - (small if disks else 0)
    found = [Stage(Plan("production", rest, phases, rate, seed), production)]
    if disks:
        plan = Plan("full disk", small, (Phase(("deliveries",), disks),), rate / 2, seed)
        found.append(Stage(plan, full_disk))
    plan = Plan("embedded", small, (Phase(("deliveries",), few),), rate / 2, seed)
    return [*found, Stage(plan, embedded)]


async def play(
    wanted: list[Stage], folder: Path, progress: Callable[[Standing], object]
) -> list[Result]:
    """One stage after another, each in a folder of its own."""
    results: list[Result] = []
    for stage in wanted:
        place = folder / stage.plan.name.replace(" ", "-")
        place.mkdir()
        async with stage.open(place, stage.plan.seed) as arena:
            result = await conduct(arena, stage.plan, progress)
        log = "".join(f"{json.dumps(line)}\n" for line in fault_log(result))
        (place / "faults.jsonl").write_text(log)
        results.append(result)
    return results


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--events",
    type=click.IntRange(100),
    help="How many events are acknowledged, at least.  [default: 400 for each fault]",
)
@click.option(
    "--faults",
    type=click.IntRange(10),
    default=500,
    show_default=True,
    help="How many faults hit work in flight, at least.",
)
@click.option(
    "--rate",
    type=click.FloatRange(1, 5000),
    default=75.0,
    show_default=True,
    help="Events that fall due each second in the production form.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Chooses faults and moments.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep databases and logs there; must be empty.  [default: a temporary folder]",
)
@click.option(
    "--stage",
    "only",
    type=click.Choice(["production", "full disk", "embedded"]),
    help="Only this stage.  [default: all]",
)
@click.option(
    "--write",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write faults.json and faults.md into this folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(
    events: int | None,
    faults: int,
    rate: float,
    seed: int,
    folder: Path | None,
    only: str | None,
    write: Path | None,
    as_json: bool,
) -> None:
    """Disturb a whole installation under load in every way, and look for anything lost.

    Real processes: two `api`, two `worker`, Postgres, Redis, receivers; killed, paused, restarted,
    cut off from one another, their clocks and disks spoiled. At the end everything acknowledged
    must have been received, by every endpoint, byte for byte, and nothing twice without a fault
    that explains it; in order where that was asked for, signed with what was valid while secrets
    were rotated, replays and what was held for a disabled endpoint included. The default takes some
    50 minutes, `--faults 100` a fifth of it. Ends with 1 when something is wrong.
    Needs `postgresql` and `redis-server`; as root it fills disks too, with `cc` clocks jump too.
    """
    began = time.strftime("%Y-%m-%d")
    events = events or faults * _EVENTS_EACH
    wanted = [s for s in stages(events, faults, rate, seed) if only in (None, s.plan.name)]
    try:
        with _in_folder(folder) as place, _progress(wanted) as progress:
            results = uvloop.run(play(wanted, place, progress))
            about = Circumstances(
                began, commit(), seed, describe(place), versions(), tuple(_left_out())
            )
    except (NotStarted, TimeoutError) as error:
        raise click.ClickException(f"{error}\nIn --folder the logs are kept.") from error
    told = document(results, about)
    if write is not None:
        _write(write, told)
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        show(told, Console())
    sys.exit(0 if told["sound"] else 1)


def _left_out() -> Generator[str]:
    if not small_disk.possible():
        yield "full disks, which only root can make"
    if not clocks_can_jump():
        yield "clock jumps, which need a C compiler"


def _write(folder: Path, told: dict[str, Any]) -> None:
    (folder / "faults.json").write_text(json.dumps(told, indent=2) + "\n")
    (folder / "faults.md").write_text(markdown(told))


@contextmanager
def _in_folder(folder: Path | None) -> Generator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="hookwright-faults-") as temporary:
            Path(temporary).chmod(0o755)  # the user postgres must be able to pass
            yield Path(temporary)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.absolute()


@contextmanager
def _progress(wanted: list[Stage]) -> Generator[Callable[[Standing], None]]:
    """Bars on a terminal, a line now and then elsewhere; on standard error."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    plans = {stage.plan.name: stage.plan for stage in wanted}
    told_at = 0.0
    with Progress(
        *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal
    ) as bars:
        tasks = {
            name: (
                bars.add_task(f"{name}: events", total=plan.events),
                bars.add_task(f"{name}: faults", total=plan.faults),
            )
            for name, plan in plans.items()
        }

        def tell(now: Standing) -> None:
            nonlocal told_at
            of_events, of_faults = tasks[now.stage]
            bars.update(of_events, completed=now.events)
            bars.update(of_faults, completed=now.faults)
            if not console.is_terminal and time.monotonic() - told_at > 10:
                told_at = time.monotonic()
                plan = plans[now.stage]
                click.echo(
                    f"{now.stage}: {now.events} of {plan.events} events, {now.faults} of"
                    f" {plan.faults} faults; {now.open} requests open, {now.unsettled} deliveries"
                    f" to be made; {now.latest}",
                    err=True,
                )

        yield tell


if __name__ == "__main__":
    main()
