"""Mutants of the decision on an attempt: each lets the true rule decide and then spoils it."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

from collections.abc import Callable

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
TOO_EARLY_MS = 150
AGAIN_MS = 200


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
    """Every retry comes 150 ms before its time."""

    def spoil(outcome: Outcome, decision: Decision, now_ms: int) -> Decision:
        del outcome, now_ms
        if isinstance(decision, RetryAt):
            return RetryAt(decision.at_ms - TOO_EARLY_MS)
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


def gone_does_not_disable() -> None:
    """410 fails the delivery and nothing more."""

    def spoil(outcome: Outcome, decision: Decision, now_ms: int) -> Decision:
        del outcome, now_ms
        return Rejected() if isinstance(decision, DisableEndpoint) else decision

    replace(recorder, "decide", _spoilt(spoil))
