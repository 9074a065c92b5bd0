"""Mutants of schedules: which policy holds, how often it tries, what is shown of it."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace as changed
from typing import Any

from replacing import replace, sound_one

from hookwright_server.delivery import recorder
from hookwright_server.domain import health, retry_policy
from hookwright_server.domain.outcome import Outcome
from hookwright_server.domain.retry_policy import (
    Decision,
    Exhausted,
    RetryAt,
    RetryPolicies,
    RetryPolicy,
    decide,
)
from hookwright_server.http.handlers import views
from hookwright_server.store.deliveries import AttemptRow, DeliveryRow

AGAIN_MS = 200
DEFAULT_BEGINS_MS, LINEAR_BEGINS_MS, EXPONENTIAL_BEGINS_MS = 5_000, (60_000, 60_000), 30_000


def never_gives_up() -> None:
    """Behind the last attempt of a schedule comes another one."""

    def decide_once_more(
        outcome: Outcome,
        attempt: int,
        policy: RetryPolicy,
        now_ms: int,
        random: Callable[[], float],
    ) -> Decision:
        decision = decide(outcome, attempt, policy, now_ms, random)
        return RetryAt(now_ms + AGAIN_MS) if isinstance(decision, Exhausted) else decision

    replace(recorder, "decide", decide_once_more)


def _decides_by(change: Callable[[RetryPolicy], RetryPolicy]) -> None:
    def decide_otherwise(
        outcome: Outcome,
        attempt: int,
        policy: RetryPolicy,
        now_ms: int,
        random: Callable[[], float],
    ) -> Decision:
        return decide(outcome, attempt, change(policy), now_ms, random)

    replace(recorder, "decide", decide_otherwise)


def adds_no_jitter() -> None:
    """Whatever has failed together is tried again together."""
    _decides_by(lambda policy: changed(policy, jitter=0.0))


def begins_the_default_schedule_late() -> None:
    """The second attempt comes after ten seconds instead of five."""

    def late(policy: RetryPolicy) -> RetryPolicy:
        first, *others = policy.delays_ms or (0,)
        delays = (2 * first, *others) if first == DEFAULT_BEGINS_MS else policy.delays_ms
        return changed(policy, delays_ms=delays)

    _decides_by(late)


def takes_linear_for_exponential() -> None:
    """The preset `linear` begins as `exponential` does."""

    def confused(policy: RetryPolicy) -> RetryPolicy:
        if policy.delays_ms[:2] != LINEAR_BEGINS_MS:
            return policy
        return changed(policy, delays_ms=(EXPONENTIAL_BEGINS_MS, *policy.delays_ms[1:]))

    _decides_by(confused)


def app_policy_wins() -> None:
    """An endpoint's own policy yields to its app's."""

    def resolve(
        self: RetryPolicies, endpoint: RetryPolicy | None, app: RetryPolicy | None
    ) -> RetryPolicy:
        return app or endpoint or self.default

    replace(RetryPolicies, "resolve", resolve)


def ignores_max_attempts() -> None:
    """A list of waits is neither cut nor repeated."""
    fit = sound_one(retry_policy, "_fit")

    def as_listed(waits_seconds: Sequence[float], attempts: int) -> tuple[int, ...]:
        del attempts
        delays: tuple[int, ...] = fit(waits_seconds, len(waits_seconds) + 1)
        return delays

    replace(retry_policy, "_fit", as_listed)


def never_retries_429() -> None:
    """Whoever asks for patience is taken for whoever refuses."""
    others = retry_policy.RETRYABLE_CLIENT_ERRORS - {429}
    replace(retry_policy, "RETRYABLE_CLIENT_ERRORS", others)


def shows_no_next_attempt() -> None:
    """A delivery that waits for its retry does not say until when."""
    view = views.delivery

    def shown(row: DeliveryRow) -> Any:
        return {**view(row), "next_attempt_at": None}

    replace(views, "delivery", shown)


def shows_answers_of_others() -> None:
    """Every attempt shows an answer that another one got."""
    view = views.attempt

    def shown(row: AttemptRow) -> Any:
        return {**view(row), "response_body": "second answer"}

    replace(views, "attempt", shown)


def calls_five_failures_degraded() -> None:
    """An endpoint reads as failing from the sixth failure on."""
    replace(health, "FAILING_AFTER", health.FAILING_AFTER + 1)
