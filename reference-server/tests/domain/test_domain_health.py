from __future__ import annotations

import pytest

from hookwright_server.domain import health
from hookwright_server.domain.health import Ending, Health

DAY_MS = 86_400_000


def after(endings: list[Ending | None], step_ms: int = 1, start: Health | None = None) -> Health:
    """The health after attempts at 0, step_ms, 2 · step_ms …"""
    current = start or Health()
    for number, ended in enumerate(endings):
        current = health.after_attempt(current, ended=ended, now_ms=number * step_ms)
    return current


@pytest.mark.parametrize(
    ("failures", "label"),
    [(0, "healthy"), (1, "degraded"), (4, "degraded"), (5, "failing"), (50, "failing")],
)
def test_failures_in_a_row_make_the_label(failures: int, label: str) -> None:
    """Degraded after one failed attempt in a row, failing after five."""
    actual = health.state(after([None] * failures), active=True)

    assert label == actual


def test_a_disabled_endpoint_reads_disabled() -> None:
    """However healthy it was, an inactive endpoint reads as disabled."""
    assert health.state(Health(), active=False) == "disabled"


def test_a_success_ends_the_row() -> None:
    """A delivered attempt clears both rows and keeps when the last failure was."""
    actual = after([None, "dead_letter", None, "delivered"])

    assert Health(last_success_at=3, last_failure_at=2) == actual


def test_a_row_of_failures_remembers_its_beginning() -> None:
    """first_failure_at stays at the first failure after the last success."""
    actual = after(["delivered", None, None, "failed"])

    assert (3, 1, 3, 0) == (
        actual.consecutive_failures,
        actual.first_failure_at,
        actual.last_failure_at,
        actual.last_success_at,
    )


@pytest.mark.parametrize(("dead_letters", "disabled"), [(19, False), (20, True)])
def test_twenty_dead_letters_in_a_row_disable(dead_letters: int, disabled: bool) -> None:
    """The attempts in between that end nothing do not interrupt the row."""
    actual = health.should_disable(after([None, "dead_letter"] * dead_letters))

    assert disabled == actual


@pytest.mark.parametrize("other", ["delivered", "failed"])
def test_another_ending_breaks_the_row_of_dead_letters(other: Ending) -> None:
    """A delivery that ended otherwise starts the count anew."""
    dead_letters: list[Ending | None] = ["dead_letter"] * 19

    assert not health.should_disable(after([*dead_letters, other, *dead_letters]))


@pytest.mark.parametrize(("span_ms", "disabled"), [(5 * DAY_MS - 1, False), (5 * DAY_MS, True)])
def test_failing_for_five_days_disables(span_ms: int, disabled: bool) -> None:
    """Every attempt over five days failed: the endpoint is disabled."""
    daily = after([None] * 5, DAY_MS)
    actual = health.should_disable(health.after_attempt(daily, ended=None, now_ms=span_ms))

    assert disabled == actual


@pytest.mark.parametrize(("step_ms", "disabled"), [(2 * DAY_MS, True), (2 * DAY_MS + 1, False)])
def test_days_without_an_attempt_are_no_days_of_failures(step_ms: int, disabled: bool) -> None:
    """Two days at most lie between two of the failures that disable; the row itself goes on."""
    failed = after([None] * 10, step_ms)

    assert disabled == health.should_disable(failed)
    assert (10, 0) == (failed.consecutive_failures, failed.first_failure_at)


def test_after_long_silence_the_five_days_begin_anew() -> None:
    """Failing again for five days disables, however long nothing was sent before."""
    before = after([None, None])
    begun = [40 * DAY_MS + day * DAY_MS for day in range(6)]
    verdicts: list[bool] = []
    for at in begun:
        before = health.after_attempt(before, ended=None, now_ms=at)
        verdicts.append(health.should_disable(before))

    assert [False] * 5 + [True] == verdicts


def test_one_success_restarts_the_five_days() -> None:
    """A success within the span keeps the endpoint."""
    actual = after([None, "delivered", None, None], 2 * DAY_MS)

    assert not health.should_disable(actual)


def test_reset_forgets_the_failures() -> None:
    """Enabling makes an endpoint healthy again and keeps the instants of the last results."""
    actual = health.reset(after(["delivered", *[None] * 4, "dead_letter"]))

    assert Health(last_success_at=0, last_failure_at=5) == actual


def test_an_endpoint_without_failures_is_kept() -> None:
    """A new endpoint and one that just succeeded are never disabled."""
    assert not health.should_disable(Health())
    assert not health.should_disable(after([None, "delivered"], 6 * DAY_MS))
