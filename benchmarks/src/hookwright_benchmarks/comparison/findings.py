"""What was found of every library: to JSON and back, and as the document in docs/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from hookwright_benchmarks.comparison.features import SCENES, Seen
from hookwright_benchmarks.fresh import HOW
from hookwright_benchmarks.results import figure

COSTS = {
    "import_ms": "importing it, CPU in ms",
    "client_ms": "making a client then, CPU in ms",
    "first_call_ms": "the first call, CPU in ms",
    "memory_mb": "memory after the first call, MB more than before the import",
}
_INTRODUCTION = """\
# Beside other SDKs

This document is written by `make compare` from `benchmarks/results/comparison.json`; edit neither.
Each library is installed into an environment of its own, the newest there is, and asked over a
socket by a server that answers what a script says. All have their default settings, but for
stripe, which tries nothing again unless a number is given (here 2). Every cell was seen."""
_HOW = f"""\
CPU of an import is the least of {HOW}:
what [performance.md](performance.md) says of `import hookwright` is measured so, too. The other
costs are medians of fresh processes that know what a server takes of the standard library already.
How each library is asked stands in `benchmarks/src/hookwright_benchmarks/comparison`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One library: its version, the median of each cost, what was seen in each scene."""

    library: str
    version: str
    costs: dict[str, float]
    scenes: dict[str, Seen]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All libraries, ours first, and where it was."""

    date: str
    python: str
    machine: str
    findings: tuple[Finding, ...]

    def to_json(self) -> str:
        """For a file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def from_json(text: str) -> Comparison:
    """The inverse of `Comparison.to_json`."""
    found: dict[str, Any] = json.loads(text)
    findings = tuple(
        Finding(scenes={name: Seen(**s) for name, s in each.pop("scenes").items()}, **each)
        for each in found.pop("findings")
    )
    return Comparison(findings=findings, **found)


def markdown(comparison: Comparison) -> str:
    """The document; equal comparisons give equal text."""
    where = f"Measured on {comparison.date} with Python {comparison.python}, {comparison.machine}."
    return "\n".join([_INTRODUCTION, "", where, "", *_table(comparison), "", _HOW, ""])


def _table(comparison: Comparison) -> Iterator[str]:
    names = [f"{each.library} {each.version}" for each in comparison.findings]
    yield f"| | {' | '.join(names)} |"
    yield "|---|" + "---|" * len(names)
    for cost, told in COSTS.items():
        yield _row(told, [figure(each.costs[cost]) for each in comparison.findings])
    for name, scene in SCENES.items():
        seen = [each.scenes[name] for each in comparison.findings]
        promise = (scene.__doc__ or "").rstrip(".")
        yield _row(promise, [f"{'yes' if s.can else '**no**'}: {_plain(s.what)}" for s in seen])


def _row(told: str, cells: list[str]) -> str:
    return f"| {told} | {' | '.join(cells)} |"


def _plain(text: str) -> str:
    for mark in "\\`|<>*_":
        text = text.replace(mark, f"\\{mark}")
    return text
