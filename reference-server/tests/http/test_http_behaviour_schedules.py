"""Schedules, walked in full with the test clock: presets, precedence, limits on attempts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from http_lab import Client, Document, Lab
from http_sink import ONCE, Open, Sink, reply, seconds_between, waits

_MINUTE, _HOUR = 60, 3600
_DEFAULT = [5, 30, 120, 900, _HOUR, 4 * _HOUR, 10 * _HOUR, 24 * _HOUR, 36 * _HOUR]
_EXPONENTIAL = [30, 60, 120, 240, 480, 960, 1920] + [_HOUR] * 42
_LINEAR = [_MINUTE] * 49
# Real time goes by while the server works: so many seconds an attempt may come late.
_LATE_S = 20.0


@pytest.fixture
def receiver(sink: Open) -> Sink:
    """Fails always."""
    return sink(reply(500))


def dead_letter(
    client: Client, receiver: Sink, policy: Any = None, of_app: Any = None, days: int = 5
) -> Document:
    """A delivery that failed until the end of its schedule."""
    slug = client.new_app(retry_policy=of_app)["slug"]
    client.new_endpoint(slug, receiver.url, retry_policy=policy)
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.advance(f"P{days}D")
    row = client.delivery(delivery)
    assert "dead_letter" == row["status"], row
    return row


def waited(client: Client, delivery: Document) -> list[float]:
    """The waits between the starts of its attempts, in seconds."""
    times = [attempt["created_at"] for attempt in client.attempts(delivery["id"])]
    return [seconds_between(earlier, later) for earlier, later in pairwise(times)]


def assert_waits(expected: list[int], actual: list[float], jitter: float = 0.0) -> None:
    """Each wait is at least as long as planned, and longer by jitter only."""
    assert len(expected) == len(actual)
    for planned, real in zip(expected, actual, strict=True):
        assert planned <= real <= planned * (1 + jitter) + _LATE_S


def test_the_default_schedule_is_as_documented(lab: Lab, receiver: Sink) -> None:
    """Ten attempts, each wait within its jitter, over at least 75 h 17 min 35 s."""
    row = dead_letter(lab.client, receiver)
    actual = waited(lab.client, row)

    assert_waits(_DEFAULT, actual, jitter=0.1)
    assert sum(actual) >= 75 * _HOUR + 17 * _MINUTE + 35 == sum(_DEFAULT)
    assert (10, 10, 10) == (row["attempt_count"], row["max_attempts"], len(receiver.got))
    assert any(real > planned + _LATE_S for planned, real in zip(_DEFAULT, actual, strict=True))
    assert 1 == len({got.body for got in receiver.got})
    timestamps = [int(got.headers["webhook-timestamp"]) for got in receiver.got]
    assert sorted(set(timestamps)) == timestamps
    assert round(sum(actual)) in range(
        timestamps[-1] - timestamps[0] - 1, timestamps[-1] - timestamps[0] + 2
    )
    lab.client.advance("P9D")
    assert 10 == len(receiver.got)


@pytest.mark.parametrize(
    ("preset", "expected"),
    [("exponential", _EXPONENTIAL), ("linear", _LINEAR), ("none", []), ("default", _DEFAULT)],
)
def test_a_preset_is_as_documented(
    lab: Lab, receiver: Sink, preset: str, expected: list[int]
) -> None:
    """The waits of each preset, without jitter to be exact."""
    row = dead_letter(lab.client, receiver, {"preset": preset, "jitter": 0})

    assert_waits(expected, waited(lab.client, row))
    assert len(expected) + 1 == row["max_attempts"] == row["attempt_count"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (waits(10, 20, max_attempts=5), [10, 20, 20, 20]),
        (waits(10, 20, 30, max_attempts=2), [10]),
        (waits(10, max_attempts=1), []),
        ({"max_attempts": 3, "jitter": 0}, [5, 30]),
        ({"preset": "linear", "max_attempts": 3, "jitter": 0}, [60, 60]),
        ({"preset": "linear", "max_attempts": 51, "jitter": 0}, [60] * 50),
        (waits(), []),
        (waits(0, 0.25, 1.5), [0, 0, 1]),
    ],
    ids=repr,
)
def test_max_attempts_cuts_and_repeats(
    lab: Lab, receiver: Sink, policy: Document, expected: list[int]
) -> None:
    """Below the list it cuts, beyond it repeats the last wait."""
    row = dead_letter(lab.client, receiver, policy)

    assert_waits(expected, waited(lab.client, row))
    assert len(expected) + 1 == row["max_attempts"]


def test_jitter_only_lengthens(lab: Lab, receiver: Sink) -> None:
    """With a jitter of 1 a wait lies between once and twice its length, and varies."""
    row = dead_letter(lab.client, receiver, {"delays_seconds": [100] * 12, "jitter": 1})
    actual = waited(lab.client, row)

    assert_waits([100] * 12, actual, jitter=1.0)
    assert max(actual) - min(actual) > 5


@pytest.mark.parametrize(
    ("of_endpoint", "of_app", "attempts"),
    [
        (waits(1, 1), waits(1), 3),
        (None, waits(1), 2),
        (ONCE, waits(1), 1),
        (waits(1), None, 2),
        (None, None, 10),
        ({}, ONCE, 10),
    ],
)
def test_the_nearest_policy_holds(
    lab: Lab, receiver: Sink, of_endpoint: Document | None, of_app: Document | None, attempts: int
) -> None:
    """The endpoint's before the app's before the default; an empty one is the default."""
    row = dead_letter(lab.client, receiver, of_endpoint, of_app)

    assert (attempts, attempts) == (row["max_attempts"], row["attempt_count"])


def test_a_changed_policy_holds_from_the_next_attempt(lab: Lab, receiver: Sink) -> None:
    """The app's policy changes while a delivery waits: its next attempt decides by the new one."""
    client = lab.client
    slug = client.new_app(retry_policy=waits(10, 10, 10))["slug"]
    client.new_endpoint(slug, receiver.url)
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.advance("PT1S")
    client.patch(f"/v1/apps/{slug}", {"retry_policy": waits(10)}).require(200)
    client.advance("PT15S")
    row = client.delivery(delivery)

    assert ("dead_letter", 2, 2) == (row["status"], row["attempt_count"], row["max_attempts"])


def test_the_next_attempt_is_announced(lab: Lab, receiver: Sink) -> None:
    """`next_attempt_at` is when it comes, and null at the end."""
    client = lab.client
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, receiver.url, retry_policy=waits(60, 120))
    delivery = client.trigger(slug)["delivery_ids"][0]
    announced: list[Any] = []
    for seconds in (0, 61, 121):
        client.advance(f"PT{seconds}S")
        announced.append(client.delivery(delivery)["next_attempt_at"])
    times = [attempt["created_at"] for attempt in client.attempts(delivery)]

    assert announced[2] is None
    for told, came in zip(announced[:2], times[1:], strict=True):
        assert 0 <= seconds_between(told, came) < _LATE_S
