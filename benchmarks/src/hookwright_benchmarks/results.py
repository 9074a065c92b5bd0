"""What was measured: rows with their targets, and the machine; to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

Verdict = Literal["met", "missed", "for information"]


@dataclass(frozen=True, slots=True)
class Target:
    """The promise in figures: at most or at least `value`."""

    kind: Literal["at most", "at least"]
    value: float

    def is_met_by(self, measured: float) -> bool:
        """Whether `measured` keeps the promise."""
        return measured <= self.value if self.kind == "at most" else measured >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.kind == 'at most' else '≥'} {figure(self.value)}"


def at_most(value: float) -> Target:
    return Target("at most", value)


def at_least(value: float) -> Target:
    return Target("at least", value)


@dataclass(frozen=True, slots=True)
class Row:
    """One promise, and what each run measured. `note` says how, and against what."""

    suite: str
    promise: str
    unit: str
    values: tuple[float, ...]
    target: Target | None = None
    note: str = ""

    @property
    def measured(self) -> float:
        """The median of the runs; it decides."""
        return median(self.values)

    @property
    def verdict(self) -> Verdict:
        if self.target is None:
            return "for information"
        return "met" if self.target.is_met_by(self.measured) else "missed"

    @property
    def span(self) -> str:
        """The least and the greatest run."""
        return f"{figure(min(self.values))} to {figure(max(self.values))}"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured. `load_average` is that of the minute before the first run."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    sqlite: str
    load_average: float
    fdatasync_ms: float

    @property
    def was_quiet(self) -> bool:
        """Others left the processors alone, as far as the load average knows."""
        return self.load_average < 0.25 * self.cores


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run of `hookwright-bench` found.

    `facts` are settings that the figures depend on, such as those of Postgres and Redis.
    """

    date: str
    command: str
    commit: str
    machine: Machine
    versions: Mapping[str, str]
    rows: Sequence[Row]
    back_end: str = "embedded"
    facts: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> str:
        """Stable text: the same report gives the same bytes."""
        rows = [
            asdict(row) | {"median": rounded(row.measured), "verdict": row.verdict}
            for row in self.rows
        ]
        document = asdict(self) | {"quiet": self.machine.was_quiet, "rows": rows}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The report that `to_json` wrote."""
        document: dict[str, Any] = json.loads(text)
        return cls(
            date=document["date"],
            command=document["command"],
            commit=document["commit"],
            machine=Machine(**document["machine"]),
            versions=document["versions"],
            rows=[_row(each) for each in document["rows"]],
            back_end=document.get("back_end", "embedded"),
            facts=document.get("facts", {}),
        )


def read(path: Path) -> Report:
    return Report.from_json(path.read_text(encoding="utf-8"))


def rounded(value: float) -> float:
    """Four digits: more would be noise."""
    return float(f"{value:.4g}")


def figure(value: float) -> str:
    """A number as people read it: three digits, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):g}"


def _row(document: Mapping[str, Any]) -> Row:
    target = document["target"]
    return Row(
        suite=document["suite"],
        promise=document["promise"],
        unit=document["unit"],
        values=tuple(document["values"]),
        target=None if target is None else Target(**target),
        note=document["note"],
    )
