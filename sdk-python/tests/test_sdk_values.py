"""Paths, queries, JSON values, UNSET, retry arithmetic and settings: the pure parts."""

from __future__ import annotations

import copy
import enum
import pickle
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright._core import retry
from hookwright._core.call import UNSET, Unset, expand, json_value, query_items
from hookwright._core.settings import settings_from
from hookwright.errors import UsageError

INSTANT = datetime(2026, 11, 21, 10, 0, 0, 123000, timezone(timedelta(hours=2)))


class Colour(enum.StrEnum):
    RED = "red"


class Model:
    def to_dict(self) -> dict[str, Any]:
        return {"at": INSTANT, "left_out": UNSET}


def test_unset_is_one_object() -> None:
    """Copies and pickles of UNSET are UNSET, and it is falsy."""
    copies = [copy.copy(UNSET), copy.deepcopy([UNSET])[0], pickle.loads(pickle.dumps(UNSET))]

    assert all(each is UNSET for each in copies)
    assert (False, "UNSET", True) == (bool(UNSET), repr(UNSET), isinstance(UNSET, Unset))


@given(
    st.text(min_size=1).filter(
        lambda text: not {".", ".."} & set(text.replace("\\", "/").split("/"))
    )
)
def test_a_path_value_stays_one_segment(value: str) -> None:
    """Whatever a path parameter holds, it is one segment and can be read back."""
    path = expand("/v1/apps/{slug}/endpoints", slug=value)

    assert ["", "v1", "apps", "endpoints"] == [*path.split("/")[:3], path.split("/")[4]]
    assert value == unquote(path.split("/")[3])
    assert not set(path) & set("?# %\\\r\n") - {"%"}


@pytest.mark.parametrize("value", ["", ".", "..", "../x", "a/../b", "..\\x", "\ud800", None, 7])
def test_a_wrong_path_value_is_refused(value: Any) -> None:
    """Empty values, dot segments and non-strings never reach a URL."""
    with pytest.raises(UsageError):
        expand("/v1/apps/{slug}", slug=value)


def test_query_items() -> None:
    """UNSET and None vanish; everything else becomes text, sequences one pair per item."""
    items = query_items(
        a=UNSET,
        b=None,
        c=True,
        d=False,
        e=5,
        f=1.5,
        g=INSTANT,
        h=["x", Colour.RED],
        i=Colour.RED,
        j=(),
    )

    assert (
        ("c", "true"),
        ("d", "false"),
        ("e", "5"),
        ("f", "1.5"),
        ("g", "2026-11-21T08:00:00.123Z"),
        ("h", "x"),
        ("h", "red"),
        ("i", "red"),
    ) == items


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), b"x", {"a": 1}, object()])  # noqa: DTZ001
def test_wrong_query_values_are_refused(value: Any) -> None:
    """Naive datetimes and structures have no text in a query."""
    with pytest.raises(UsageError):
        query_items(after=value)


def test_json_value() -> None:
    """Models, datetimes, enums, tuples and mappings become plain JSON; UNSET members go."""
    value = json_value(
        {"m": Model(), "t": (1, None, UNSET), "e": Colour.RED, "u": UNSET, "n": None}
    )

    expected = {"m": {"at": "2026-11-21T08:00:00.123Z"}, "t": [1, None], "e": "red", "n": None}
    assert expected == value


def test_json_value_keeps_microseconds() -> None:
    """A time finer than milliseconds is not rounded."""
    assert "2026-01-01T00:00:00.000001Z" == json_value(datetime(2026, 1, 1, 0, 0, 0, 1, UTC))


def test_json_value_refuses() -> None:
    """What JSON cannot carry is named in a UsageError."""
    circle: list[Any] = []
    circle.append(circle)
    before_time = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))

    for value in [object(), b"x", {1: 2}, [datetime(2026, 1, 1)], before_time, circle]:  # noqa: DTZ001
        with pytest.raises(UsageError):
            json_value(value)


@pytest.mark.parametrize("value", [Decimal("9.90"), UUID(int=7)])
def test_json_value_names_the_next_step(value: Any) -> None:
    """Numbers and ids that JSON has no form for are refused with what to send instead."""
    with pytest.raises(UsageError, match=rf"{type(value).__name__}\('.*'\); send str\(value\)$"):
        json_value({"total": value})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_is_its_own_value(value: Any) -> None:
    """Plain JSON passes unchanged."""
    assert value == json_value(value)


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 120))
def test_delay_bounds(done: int, chance: float, retry_after: float | None) -> None:
    """A wait is never shorter than Retry-After and never longer than that or 8 s."""
    delay = retry.delay_seconds(done, retry_after, lambda: chance)

    assert delay is not None
    assert (retry_after or 0) <= delay <= max(8.0, retry_after or 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7", 7.0), (" 7 ", 7.0), ("7.0", 7.0), ("7.5", 8.0), ("0.01", 1.0), ("7.5s", None)],
)
def test_retry_after_in_seconds(text: str, expected: float | None) -> None:
    """A number of seconds is one; a fraction, which some servers send, is rounded up."""
    assert expected == retry.retry_after_seconds(text, 40.0)


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000"])
def test_retry_after_date_is_utc(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The date is read in its own zone, whatever zone this machine is in."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        seconds = retry.retry_after_seconds(f"Thu, 01 Jan 1970 00:01:40 {zone}", 40.0)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert 60.0 == seconds


@given(st.text() | st.integers().map(str))
def test_any_retry_after_is_read_or_ignored(text: str) -> None:
    """No Retry-After header, however odd, raises or gives a negative wait."""
    seconds = retry.retry_after_seconds(text, 0.0)

    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "HOOKWRIGHT_API_KEY"),
        ({"HOOKWRIGHT_API_KEY": "k"}, "HOOKWRIGHT_BASE_URL"),
        ({"HOOKWRIGHT_API_KEY": "", "HOOKWRIGHT_BASE_URL": "http://h"}, "HOOKWRIGHT_API_KEY"),
        ({"HOOKWRIGHT_API_KEY": "k\n", "HOOKWRIGHT_BASE_URL": "http://h"}, "visible ASCII"),
    ],
)
def test_missing_settings_are_named(environ: Mapping[str, str], message: str) -> None:
    """A missing or broken setting is a UsageError that names the variable, never the key."""
    with pytest.raises(UsageError, match=message):
        settings_from(None, None, {}, environ=environ)


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com",
        "ftp://h",
        "http://",
        "http://u:p@h",
        "http://u@h",
        "http://h?x=1",
        "http://h#x",
        "http://h/?",
        "http://h:99999",
        "http://h:x",
        "http://h:0",
        "http://[::1",
        "http://h /x",
        "http://hé",
        "http://h\n",
        "http://h\\@evil",
    ],
)
def test_wrong_base_urls_are_refused(url: str) -> None:
    """A base URL is scheme, host, perhaps a port and a path, and nothing else."""
    with pytest.raises(UsageError, match="base URL"):
        settings_from("k", url, {}, environ={})


def test_base_url_may_have_a_path() -> None:
    """Arguments win over the environment, and a closing slash does not matter."""
    environ = {"HOOKWRIGHT_API_KEY": "other", "HOOKWRIGHT_BASE_URL": "http://other"}

    settings = settings_from("k", "https://h:8443/hooks/", {"x-a": "1"}, environ=environ)

    assert "https://h:8443/hooks" == settings.base_url
    assert ("Bearer k", "1") == (settings.headers["authorization"], settings.headers["x-a"])
