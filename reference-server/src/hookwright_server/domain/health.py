"""The health of an endpoint, told by its attempts. A label never stops an event by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from hookwright_server.domain.contract import Limits

DEGRADED_AFTER = Limits.degraded_after_failures
"""HEALTH-1: failed attempts in a row from which an endpoint reads as degraded."""
FAILING_AFTER = Limits.failing_after_failures
"""HEALTH-1: failed attempts in a row from which an endpoint reads as failing."""
DISABLE_AFTER_MS = Limits.disable_after_failing_days * 24 * 60 * 60 * 1000
"""HEALTH-5: an endpoint whose every attempt failed over this span is disabled."""
UNTOLD_AFTER_MS = Limits.disable_after_failing_gap_hours * 60 * 60 * 1000
"""HEALTH-5: a longer time without an attempt tells nothing of an endpoint: the span begins anew."""
DISABLE_AFTER_DEAD_LETTERS = Limits.disable_after_dead_letters
"""HEALTH-5: an endpoint is disabled when so many deliveries in a row end in dead_letter."""

State = Literal["healthy", "degraded", "failing", "disabled"]
Ending = Literal["delivered", "failed", "dead_letter"]


@dataclass(frozen=True, slots=True)
class Health:
    """What an endpoint's row remembers. Instants are milliseconds since the epoch.

    `first_failure_at` begins the present row of failed attempts and is None outside one.
    `failing_since` begins the part of it without a long time between two attempts.
    """

    consecutive_failures: int = 0
    dead_letter_streak: int = 0
    first_failure_at: int | None = None
    last_success_at: int | None = None
    last_failure_at: int | None = None
    failing_since: int | None = None


def after_attempt(health: Health, *, ended: Ending | None, now_ms: int) -> Health:
    """The health after one attempt that finished at `now_ms`.

    `ended` is the status in which the attempt left its delivery; None when it will be tried
    again. Interrupted attempts and tests of an endpoint are no attempts here.
    """
    if ended == "delivered":
        return Health(last_success_at=now_ms, last_failure_at=health.last_failure_at)
    return Health(
        consecutive_failures=health.consecutive_failures + 1,
        dead_letter_streak=_streak(health.dead_letter_streak, ended),
        first_failure_at=now_ms if health.first_failure_at is None else health.first_failure_at,
        last_success_at=health.last_success_at,
        last_failure_at=now_ms,
        failing_since=_failing_since(health, now_ms),
    )


def reset(health: Health) -> Health:
    """The health of an endpoint that was enabled again: its rows of failures are forgotten."""
    return replace(
        health,
        consecutive_failures=0,
        dead_letter_streak=0,
        first_failure_at=None,
        failing_since=None,
    )


def state(health: Health, active: bool) -> State:
    """The label that the API shows; `active` is false while the endpoint is disabled."""
    if not active:
        return "disabled"
    if health.consecutive_failures >= FAILING_AFTER:
        return "failing"
    return "degraded" if health.consecutive_failures >= DEGRADED_AFTER else "healthy"


def should_disable(health: Health) -> bool:
    """Whether the endpoint is to be disabled (`failing`); asked after a failed attempt.

    The span runs between failed attempts: an endpoint that failed once and then got no
    event for a week has not failed for a week, nor has one that failed once more after it.
    """
    if health.dead_letter_streak >= DISABLE_AFTER_DEAD_LETTERS:
        return True
    if health.failing_since is None or health.last_failure_at is None:
        return False
    return health.last_failure_at - health.failing_since >= DISABLE_AFTER_MS


def _failing_since(before: Health, now_ms: int) -> int:
    since, last = before.failing_since, before.last_failure_at
    if before.first_failure_at is None or since is None or last is None:
        return now_ms
    return now_ms if now_ms - last > UNTOLD_AFTER_MS else since


def _streak(before: int, ended: Ending | None) -> int:
    # A delivery that ended `failed` got a clear answer: the endpoint lives, the row is broken.
    match ended:
        case None:
            return before
        case "dead_letter":
            return before + 1
        case "failed" | "delivered":
            return 0
