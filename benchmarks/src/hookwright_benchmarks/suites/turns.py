"""Measures that take turns: whatever else the machine does then falls on all of them alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from statistics import median

from hookwright_benchmarks.results import Row, Target
from hookwright_benchmarks.suites.plan import Plan


def medians(plan: Plan, measures: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """One median a run for each measure."""
    runs = defaultdict[str, list[float]](list)
    for _ in range(plan.runs):
        took = defaultdict[str, list[float]](list)
        for _ in range(plan.of(20, 3)):
            for name, measure in measures.items():
                took[name].append(measure())
        for name, values in took.items():
            runs[name].append(median(values))
    return runs


def row(
    plan: Plan,
    promise: str,
    unit: str,
    values: list[float],
    target: Target | None = None,
    note: str = "",
) -> Row:
    """A row of the scale suite of this back end."""
    return Row(f"scale-{plan.back_end}", promise, unit, tuple(values), target, note)
