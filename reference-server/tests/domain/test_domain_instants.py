from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain import instants

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.001z", 1),
        ("1970-01-01T00:30:00-00:30", 3_600_000),
        ("1970-01-01T01:00:00.5+01:00", 500),
        ("2026-11-21T08:30:15.123999Z", 1_795_249_815_123),
        ("9999-12-31T23:59:59.999Z", instants.LATEST_MS),
    ],
)
def test_parse_reads_rfc3339(text: str, at_ms: int) -> None:
    """RFC 3339 with an offset is read to the millisecond; further digits are cut off."""
    actual = instants.parse(text)

    assert at_ms == actual


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-21",
        "2026-11-21T08:30:15",
        "2026-11-21 08:30:15Z",
        "2026-11-21T08:30Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-11-21T08:30:15.Z",
        "2026-11-21T08:30:15+24:00",
        "2026-11-21T08:30:15+01:60",
        "2026-11-21T08:30:15+0100",
        "2026-11-21T08:30:15Z\n",
        "٢٠٢٦-11-21T08:30:15Z",
        "1795249815",
    ],
)
def test_parse_refuses_all_else(text: str) -> None:
    """No offset, hours and dates that do not exist, other forms and other years are refused."""
    with pytest.raises(instants.InstantError):
        instants.parse(text)


@given(st.integers(0, instants.LATEST_MS))
def test_render_and_parse_are_inverse(at_ms: int) -> None:
    """What is rendered reads back as the same instant, always in 24 characters ending in Z."""
    text = instants.render(at_ms)

    assert (24, "Z", at_ms) == (len(text), text[-1], instants.parse(text))


@given(st.integers(DAY_MS, instants.LATEST_MS - DAY_MS), st.integers(-1439, 1439))
def test_offsets_agree_with_the_standard_library(at_ms: int, minutes: int) -> None:
    """An instant is the same in whatever zone it is written."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    elsewhere = instant.astimezone(timezone(timedelta(minutes=minutes)))

    actual = instants.parse(elsewhere.isoformat())

    assert at_ms == actual


@given(st.text())
def test_parse_never_fails_otherwise(text: str) -> None:
    """Any text is an instant or an InstantError."""
    try:
        at_ms = instants.parse(text)
    except instants.InstantError:
        return

    assert 0 <= at_ms <= instants.LATEST_MS
