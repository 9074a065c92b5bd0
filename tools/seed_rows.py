"""docs/seed-coverage.yaml: its rows, and what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from hookwright_conformance import requirements
from hookwright_conformance.case import all_cases
from hookwright_conformance.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "docs" / "seed-coverage.yaml"

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that a seed document describes; the source explains the members."""

    seed: str
    ours: Names = ()
    codes: Names = ()
    shown: Names = ()
    rules: Names = ()
    tests: Names = ()
    files: Names = ()
    differs: str = ""
    planned: str = ""
    later: Names = ()

    @property
    def status(self) -> str:
        """How much of it there is: `yes`, `otherwise`, `in part` or `not yet`."""
        if not self.planned:
            return "otherwise" if self.differs else "yes"
        return "in part" if self.shown or self.tests or self.files else "not yet"


@dataclass(frozen=True, slots=True)
class Seed:
    """A documented system."""

    name: str
    about: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Addition:
    """An operation that no seed describes, and why there is one."""

    operation: str
    why: str
    shown: Names = ()
    tests: Names = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """The whole source."""

    seeds: tuple[Seed, ...]
    additions: tuple[Addition, ...]


@dataclass(frozen=True, slots=True)
class Existing:
    """What entries may name: cases with the file that holds each, rules with their page."""

    operations: frozenset[str]
    codes: frozenset[str]
    cases: Mapping[str, str]
    rules: Mapping[str, str]


def read(path: Path = SOURCE) -> Coverage:
    """The source. Raises TypeError for a member that no row has."""
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    seeds = (
        Seed(seed["name"], seed["about"], tuple(Row(**_frozen(row)) for row in seed["rows"]))
        for seed in document["seeds"]
    )
    additions = (Addition(**_frozen(entry)) for entry in document["additions"])
    return Coverage(tuple(seeds), tuple(additions))


def existing() -> Existing:
    """What the contract, the conformance suite and docs/behaviour hold at present."""
    spec = Spec.load()
    return Existing(
        operations=frozenset(spec.operations),
        codes=frozenset(spec.error_codes),
        cases={one.id: _file_of(one.function.__module__) for one in all_cases()},
        rules={one.id: one.link for one in requirements.load().by_id.values()},
    )


def findings(coverage: Coverage, known: Existing) -> Iterator[str]:
    """One sentence for everything wrong with the source."""
    claimed: set[str] = set()
    for seed in coverage.seeds:
        for row in seed.rows:
            claimed.update(row.ours)
            for finding in _of_row(row, known):
                yield f"{seed.name}: {row.seed} {finding}"
    added = [entry.operation for entry in coverage.additions]
    for entry in coverage.additions:
        for finding in _of_row(Row(entry.why, (entry.operation,), **_shown(entry)), known):
            yield f"additions: {entry.operation}: {finding}"
    for operation in sorted(claimed & set(added)):
        yield f"additions: {operation} is described by a seed"
    for operation in sorted(known.operations - claimed - set(added)):
        yield f"{operation} is in no row and no addition"


def _of_row(row: Row, known: Existing) -> Iterator[str]:
    for kind, names, there in (
        ("operation", row.ours, known.operations),
        ("error code", row.codes, known.codes),
        ("case", row.shown, known.cases),
        ("rule", row.rules, known.rules),
    ):
        for name in names:
            if name not in there:
                yield f"names the {kind} {name}, which does not exist"
    for test in row.tests:
        if not _is_test(test):
            yield f"names the test {test}, which does not exist"
    for file in row.files:
        if not (ROOT / file).is_file():
            yield f"names the file {file}, which does not exist"
    yield from _of_plans(row, known)


def _of_plans(row: Row, known: Existing) -> Iterator[str]:
    for operation in row.later:
        if operation in known.operations:
            yield f"calls {operation} planned, but it exists"
    if row.later and not row.planned:
        yield "names later operations, but is not planned"
    if not (row.planned or row.shown or row.tests or row.files):
        yield "is shown by nothing, and not planned"


def _is_test(name: str) -> bool:
    path, _, function = name.partition("::")
    if not (ROOT / path).is_file():
        return False
    text = (ROOT / path).read_text(encoding="utf-8")
    return bool(re.search(rf"^(?:async )?def {re.escape(function)}\(", text, re.MULTILINE))


def _shown(entry: Addition) -> dict[str, Any]:
    return {"shown": entry.shown, "tests": entry.tests}


def _file_of(module: str) -> str:
    return f"conformance-tests/src/{module.replace('.', '/')}.py"


def _frozen(entry: Mapping[str, str | list[str]]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str) else tuple(value) for name, value in entry.items()
    }
