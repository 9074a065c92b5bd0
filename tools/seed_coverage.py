"""Writes docs/seed-coverage.md from docs/seed-coverage.yaml; with --check it only compares."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from seed_rows import ROOT, Addition, Coverage, Existing, Row, existing, findings, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGE = ROOT / "docs" / "seed-coverage.md"
HEAD = """\
<!-- Made from docs/seed-coverage.yaml by tools/seed_coverage.py (`make generate`). -->

# What others document, and where it is here

Five systems that send or receive webhooks, each known from its public documentation, and where
Hookwright does what they describe. *Yes*: as described. *Otherwise*: the same purpose in another
form, or with more, as the row explains. *In part* and *not yet*: the row says what is missing, and
with what it comes. The last column names what shows it: cases of the
[conformance suite](../conformance-tests/README.md), the sentences that they observe, and tests. A
test fails when a row names something that does not exist, and when an operation of the contract
stands in no row.
"""
_STATUSES = ("yes", "otherwise", "in part", "not yet")


def main(arguments: list[str]) -> int:
    """Bring the page up to date, or tell what is wrong; 1 when something is."""
    coverage, known = read(), existing()
    wrong = list(findings(coverage, known))
    if not wrong and arguments != ["--check"]:
        PAGE.write_text(page(coverage, known), encoding="utf-8")
    elif not wrong and PAGE.read_text(encoding="utf-8") != page(coverage, known):
        wrong = ["docs/seed-coverage.md is not what docs/seed-coverage.yaml says; `make generate`"]
    for finding in wrong:
        sys.stderr.write(f"error: {finding}\n")
    return 1 if wrong else 0


def page(coverage: Coverage, known: Existing) -> str:
    """The whole page."""
    return "".join(f"{line}\n" for line in _lines(coverage, known))


def _lines(coverage: Coverage, known: Existing) -> Iterator[str]:
    yield HEAD
    yield "| document | rows | yes | otherwise | in part | not yet |"
    yield "|---|---|---|---|---|---|"
    for seed in coverage.seeds:
        yield _counts(seed.name, seed.rows)
    yield _counts("all", [row for seed in coverage.seeds for row in seed.rows])
    for seed in coverage.seeds:
        yield f"\n## {seed.name}\n\n{seed.about}\n"
        yield "| it describes | here | our operations and what is different | shown by |"
        yield "|---|---|---|---|"
        for row in seed.rows:
            yield _cells(row.seed, row.status, _ours(row), _shown(row, known))
    yield "\n## Our own\n\nOperations that none of the five describes.\n"
    yield "| operation | why | shown by |"
    yield "|---|---|---|"
    for entry in coverage.additions:
        yield _cells(f"`{entry.operation}`", entry.why, _shown(entry, known))


def _counts(name: str, rows: Iterable[Row]) -> str:
    counted = Counter(row.status for row in rows)
    return _cells(name, *(str(n) for n in (counted.total(), *(counted[s] for s in _STATUSES))))


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _ours(row: Row) -> str:
    parts = [", ".join(f"`{name}`" for name in row.ours)]
    if row.codes:
        parts.append(f"errors {', '.join(f'`{code}`' for code in row.codes)}")
    if row.planned:
        missing = "Not yet" if row.status == "not yet" else "Missing"
        later = f" ({', '.join(f'`{name}`' for name in row.later)})" if row.later else ""
        parts += [row.differs, f"*{missing}:* {row.planned}{later}"]
    else:
        parts.append(row.differs)
    return "<br>".join(part for part in parts if part)


def _shown(row: Row | Addition, known: Existing) -> str:
    links = [f"[`{case}`](../{known.cases[case]})" for case in row.shown]
    if isinstance(row, Row):
        links += [f"[{rule}]({known.rules[rule].removeprefix('docs/')})" for rule in row.rules]
    for test in row.tests:
        path, _, function = test.partition("::")
        links.append(f"[`{function}`](../{path})")
    if isinstance(row, Row):
        links += [f"[{file}](../{file})" for file in row.files]
    return ", ".join(links)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
