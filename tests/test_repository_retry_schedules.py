"""The tables of docs/behaviour/retries.md are those of the contract."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parent.parent / "tools" / "retry_schedules.py"
_SPEC = importlib.util.spec_from_file_location("retry_schedules", TOOL)
assert _SPEC is not None
assert _SPEC.loader is not None
retry_schedules = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(retry_schedules)


def test_the_page_is_up_to_date() -> None:
    """`python tools/retry_schedules.py` would change nothing."""
    page = retry_schedules.PAGE.read_text(encoding="utf-8")

    assert retry_schedules.updated(page) == page


def test_the_default_takes_ten_attempts_over_three_days() -> None:
    """The published table: 10 attempts over 75 h 17 min 35 s with a jitter of a tenth."""
    tables = retry_schedules.tables()

    assert "10 attempts over 75 h 17 min 35 s; jitter makes each wait up to 10% longer." in tables
    assert "| 10 | 36 h | 75 h 17 min 35 s |" in tables
    assert "| 2 to 50 | 1 min each | 1 min to 49 min |" in tables


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [(0, "0 s"), (250, "250 ms"), (61_500, "1 min 1 s 500 ms"), (7_200_000, "2 h")],
)
def test_durations_are_written_for_people(duration_ms: int, text: str) -> None:
    """Only the parts that are not zero are written."""
    assert text == retry_schedules.duration_text(duration_ms)
