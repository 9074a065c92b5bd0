"""docs/seed-coverage.md: everything that it names exists, and every operation has its row."""

from __future__ import annotations

import dataclasses
import re

import pytest
import seed_coverage
import seed_rows
from seed_rows import Addition, Coverage, Row, Seed

KNOWN = seed_rows.existing()
SOUND = Row("It does.", ours=("trigger.send",), shown=("delivery.is-sent-once",))


def _found(row: Row) -> list[str]:
    """What is wrong with a source of this row, in which all other operations are additions."""
    others = sorted(KNOWN.operations - set(row.ours))
    shown = ("delivery.is-sent-once",)
    additions = tuple(Addition(operation, "We want it.", shown) for operation in others)
    return list(seed_rows.findings(Coverage((Seed("One", "", (row,)),), additions), KNOWN))


def test_the_source_has_no_findings() -> None:
    """Nothing is named that does not exist, and no operation is left out."""
    assert [] == list(seed_rows.findings(seed_rows.read(), KNOWN))


def test_the_page_is_up_to_date() -> None:
    """`make generate` would change nothing."""
    page = seed_coverage.PAGE.read_text(encoding="utf-8")

    assert seed_coverage.page(seed_rows.read(), KNOWN) == page


def test_all_five_documents_are_there() -> None:
    """Each with rows enough to be the whole of it, and each row once."""
    seeds = seed_rows.read().seeds

    assert 5 == len(seeds)
    assert [] == [seed.name for seed in seeds if len(seed.rows) < 10]
    for seed in seeds:
        texts = [row.seed for row in seed.rows]
        assert len(set(texts)) == len(texts), seed.name


def test_texts_are_sentences() -> None:
    """They end with a full stop and name no number of a tracker."""
    coverage = seed_rows.read()
    rows = [row for seed in coverage.seeds for row in seed.rows]
    texts = [text for row in rows for text in (row.seed, row.differs, row.planned) if text]
    texts += [entry.why for entry in coverage.additions]

    assert [] == [text for text in texts if not text.endswith(".") or re.search(r"#\d", text)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ours": ("trigger.send", "trigger.shout")}, "the operation trigger.shout"),
        ({"codes": ("too_loud",)}, "the error code too_loud"),
        ({"shown": ("delivery.is-never-sent",)}, "the case delivery.is-never-sent"),
        ({"rules": ("DELIVERY-0",)}, "the rule DELIVERY-0"),
        ({"tests": ("tests/test_wheels.py::test_nothing",)}, "the test tests/test_wheels.py::"),
        ({"tests": ("tests/test_no_file.py::test_x",)}, "the test tests/test_no_file.py::"),
        ({"files": ("docs/nothing.md",)}, "the file docs/nothing.md"),
        ({"planned": "Later.", "later": ("apps.list",)}, "calls apps.list planned"),
        ({"later": ("sources.list",)}, "is not planned"),
        ({"shown": ()}, "is shown by nothing"),
    ],
)
def test_each_rule_finds_its_breach(change: dict[str, object], expected: str) -> None:
    """One finding, which names it."""
    [found] = _found(dataclasses.replace(SOUND, **change))  # type: ignore[arg-type]

    assert expected in found


def test_an_operation_is_claimed_or_added() -> None:
    """Neither left out nor both."""
    neither = Coverage((Seed("One", "", (SOUND,)),), ())
    both = Coverage((), tuple(Addition(each, "So.") for each in KNOWN.operations))
    claimed = seed_rows.findings(neither, KNOWN)
    twice = dataclasses.replace(both, seeds=neither.seeds)

    assert "apps.list is in no row and no addition" in list(claimed)
    found = list(seed_rows.findings(twice, KNOWN))
    assert "additions: trigger.send is described by a seed" in found


def test_statuses() -> None:
    """They follow from what a row has."""
    rows = [
        SOUND,
        dataclasses.replace(SOUND, differs="By post."),
        dataclasses.replace(SOUND, planned="The rest."),
        Row("It does.", planned="All of it."),
    ]

    assert ["yes", "otherwise", "in part", "not yet"] == [row.status for row in rows]
