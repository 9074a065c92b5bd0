"""`python -m hookwright_benchmarks.comparison`."""

from __future__ import annotations

import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import click
from rich.console import Console

from hookwright_benchmarks.comparison.environments import Environment, install
from hookwright_benchmarks.comparison.features import SCENES, Seen
from hookwright_benchmarks.comparison.findings import (
    COSTS,
    Comparison,
    Finding,
    from_json,
    markdown,
)
from hookwright_benchmarks.comparison.libraries import LIBRARIES
from hookwright_benchmarks.machine import describe

_RESULTS = Path("benchmarks/results/comparison.json")
_DOCUMENT = Path("docs/comparison.md")
_PROBED = [name for name in COSTS if name != "import_ms"]


@click.command()
@click.option("--runs", type=click.IntRange(1, 50), default=7, show_default=True)
@click.option("--render", is_flag=True, help="Measure nothing: write the document again.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found; write nothing.")
def main(runs: int, render: bool, as_json: bool) -> None:
    """Install openai, stripe and svix, and set our SDK beside them, from the repository's folder.

    Costs are of RUNS fresh processes: the least of an import, else the median. Writes
    benchmarks/results/comparison.json and docs/comparison.md. Needs the network once, for pip.
    """
    if render:
        _DOCUMENT.write_text(markdown(from_json(_RESULTS.read_text(encoding="utf-8"))))
        return
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="hookwright-comparison-") as folder:
        comparison = _compare(Path(folder), runs, console)
    if as_json:
        click.echo(comparison.to_json(), nl=False)
        return
    _RESULTS.write_text(comparison.to_json(), encoding="utf-8")
    _DOCUMENT.write_text(markdown(comparison), encoding="utf-8")
    console.print(f"wrote {_RESULTS} and {_DOCUMENT}")


def _compare(folder: Path, runs: int, console: Console) -> Comparison:
    environments: list[Environment] = []
    for library in LIBRARIES.values():
        console.print(f"installing {library.requirement} ...")
        environments.append(install(library.name, library.requirement, folder / library.name))
    costs: dict[str, list[dict[str, float]]] = {each.library: [] for each in environments}
    for run in range(runs):
        console.print(f"costs: run {run + 1} of {runs}")
        for each in environments:
            costs[each.library].append(each.probe("cost"))
    findings: list[Finding] = []
    for each in environments:
        console.print(f"scenes: {each.library} {each.version}")
        scenes = {name: Seen(**each.probe(name)) for name in SCENES}
        found = {name: median(cost[name] for cost in costs[each.library]) for name in _PROBED}
        found["import_ms"] = each.import_ms(LIBRARIES[each.library].module, runs)
        findings.append(Finding(each.library, each.version, found, scenes))
    machine = describe(folder)
    return Comparison(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        python=platform.python_version(),
        machine=f"{machine.processor}, {machine.cores} cores",
        findings=tuple(findings),
    )


if __name__ == "__main__":
    main()
