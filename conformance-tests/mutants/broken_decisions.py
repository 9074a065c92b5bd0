"""Mutants of the decision on an attempt: each lets the true rule decide and then spoils it."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as changed

from replacing import replace

from hookwright_server.delivery import recorder
from hookwright_server.domain.outcome import Outcome, Refused, Unreachable
from hookwright_server.domain.retry_policy import (
    Decision,
    DisableEndpoint,
    Rejected,
    RetryAt,
    RetryPolicy,
    decide,
)

Spoil = Callable[[Outcome, Decision, int], Decision]
Decide = Callable[[Outcome, int, RetryPolicy, int, Callable[[], float]], Decision]
AGAIN_MS = 200
HOUR_MS = 3_600_000


def _spoilt(spoil: Spoil) -> Decide:
    def decide_badly(
        outcome: Outcome,
        attempt: int,
        policy: RetryPolicy,
        now_ms: int,
        random: Callable[[], float],
    ) -> Decision:
        return spoil(outcome, decide(outcome, attempt, policy, now_ms, random), now_ms)

    return decide_badly


def retries_4xx_forever() -> None:
    """A client error is tried again and again."""

    def spoil(outcome: Outcome, decision: Decision, now_ms: int) -> Decision:
        del outcome
        return RetryAt(now_ms + AGAIN_MS) if isinstance(decision, Rejected) else decision

    replace(recorder, "decide", _spoilt(spoil))


def never_retries_5xx() -> None:
    """A server error ends the delivery."""

    def spoil(outcome: Outcome, decision: Decision, now_ms: int) -> Decision:
        del now_ms
        failed = isinstance(outcome, Refused) and outcome.status >= 500
        return Rejected() if failed else decision

    replace(recorder, "decide", _spoilt(spoil))


def never_retries_network_errors() -> None:
    """A broken connection ends the delivery."""

    def spoil(outcome: Outcome, decision: Decision, now_ms: int) -> Decision:
        del now_ms
        return Rejected() if isinstance(outcome, Unreachable) else decision

    replace(recorder, "decide", _spoilt(spoil))


def retries_too_early() -> None:
    """Every retry comes after half of its wait."""

    def spoil(outcome: Outcome, decision: Decision, now_ms: int) -> Decision:
        del outcome
        if isinstance(decision, RetryAt):
            return RetryAt((now_ms + decision.at_ms) // 2)
        return decision

    replace(recorder, "decide", _spoilt(spoil))


def ignores_retry_after() -> None:
    """What the receiver asks for is not heard."""

    def decide_deafly(
        outcome: Outcome,
        attempt: int,
        policy: RetryPolicy,
        now_ms: int,
        random: Callable[[], float],
    ) -> Decision:
        heard = Refused(outcome.status) if isinstance(outcome, Refused) else outcome
        return decide(heard, attempt, policy, now_ms, random)

    replace(recorder, "decide", decide_deafly)


def _with(change: Callable[[RetryPolicy], RetryPolicy]) -> Decide:
    def decide_otherwise(
        outcome: Outcome,
        attempt: int,
        policy: RetryPolicy,
        now_ms: int,
        random: Callable[[], float],
    ) -> Decision:
        return decide(outcome, attempt, change(policy), now_ms, random)

    return decide_otherwise


def waits_an_hour_at_most() -> None:
    """Longer waits are cut."""

    def cut(policy: RetryPolicy) -> RetryPolicy:
        delays = tuple(min(delay, HOUR_MS) for delay in policy.delays_ms)
        return changed(policy, delays_ms=delays)

    replace(recorder, "decide", _with(cut))


def doubles_beyond_an_hour() -> None:
    """The preset `exponential` stops at four hours."""

    def double(policy: RetryPolicy) -> RetryPolicy:
        if policy.delays_ms[:3] != (30_000, 60_000, 120_000):
            return policy
        delays = [min(30_000 * 2**n, 4 * HOUR_MS) for n in range(len(policy.delays_ms))]
        return changed(policy, delays_ms=tuple(delays))

    replace(recorder, "decide", _with(double))


def waits_longer_each_minute() -> None:
    """The preset `linear` waits a minute longer each time."""

    def grow(policy: RetryPolicy) -> RetryPolicy:
        if policy.delays_ms[:2] != (60_000, 60_000):
            return policy
        delays = [60_000 * (n + 1) for n in range(len(policy.delays_ms))]
        return changed(policy, delays_ms=tuple(delays))

    replace(recorder, "decide", _with(grow))


def stretches_waits_too_far() -> None:
    """Jitter makes waits up to three times as much longer as it may."""

    def stretch(policy: RetryPolicy) -> RetryPolicy:
        return changed(policy, jitter=policy.jitter * 3)

    replace(recorder, "decide", _with(stretch))


def gone_does_not_disable() -> None:
    """410 fails the delivery and nothing more."""

    def spoil(outcome: Outcome, decision: Decision, now_ms: int) -> Decision:
        del outcome, now_ms
        return Rejected() if isinstance(decision, DisableEndpoint) else decision

    replace(recorder, "decide", _spoilt(spoil))
