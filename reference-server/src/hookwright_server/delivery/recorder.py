"""Stage 4: what came of attempts becomes attempt rows, delivery states and endpoint health.

`judge` decides on one attempt without I/O; `record` writes many in one transaction. Only a
completion whose lease still holds counts: the fencing token shuts out a worker that was
declared dead and came back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from hookwright_server.clock import Clock
from hookwright_server.delivery.claim import ClaimedDelivery, Key
from hookwright_server.delivery.prepare import Prepared
from hookwright_server.delivery.sender import Attempted
from hookwright_server.domain import health
from hookwright_server.domain.contract import Limits
from hookwright_server.domain.outcome import Outcome, failure_reason
from hookwright_server.domain.retry_policy import (
    Decision,
    DisableEndpoint,
    Exhausted,
    Rejected,
    RetryAt,
    RetryPolicies,
    RetryPolicy,
    Succeeded,
    decide,
)
from hookwright_server.ids import Ids
from hookwright_server.store import endpoint_health
from hookwright_server.store.database import Connection
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.results import NewAttempt, Settlement

BODY_KEPT = Limits.response_body_kept_bytes

Reason = Literal["gone", "failing"]


@dataclass(frozen=True, slots=True)
class Completed:
    """One finished attempt and what follows from it. Instants are epoch milliseconds."""

    claimed: ClaimedDelivery
    attempted: Attempted
    decision: Decision
    max_attempts: int  # of the present schedule, by the policy that decided
    shown_headers: str
    attempt_id: str
    started_at: int
    finished_at: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch changed. `stale` holds the keys of deliveries whose lease had been lost."""

    stale: frozenset[Key]
    disabled: tuple[tuple[str, Reason], ...]


class Judge:
    """Decides by the policy of the endpoint, its app, or the default."""

    def __init__(
        self, policies: RetryPolicies, clock: Clock, ids: Ids, random: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._random = random

        @lru_cache(maxsize=1_024)
        def read(document: str) -> RetryPolicy:
            return policies.from_document(json.loads(document))

        self._read = read
        self._resolve = policies.resolve

    def judge(self, prepared: Prepared, attempted: Attempted) -> Completed:
        """What follows from this attempt, now."""
        claimed = prepared.claimed
        policy = self._policy(claimed)
        now_ms = self._clock.now_ms()
        return Completed(
            claimed=claimed,
            attempted=attempted,
            decision=decide(
                attempted.outcome, claimed.scheduled_attempt, policy, now_ms, self._random
            ),
            max_attempts=policy.max_attempts,
            shown_headers=prepared.shown_headers,
            attempt_id=self._ids.new("att", prepared.started_at),
            started_at=prepared.started_at,
            finished_at=now_ms,
        )

    def _policy(self, claimed: ClaimedDelivery) -> RetryPolicy:
        own, of_app = claimed.target.retry_policy, claimed.target.app_retry_policy
        return self._resolve(
            self._read(own) if own is not None else None,
            self._read(of_app) if of_app is not None else None,
        )


def record(connection: Connection, batch: Sequence[Completed]) -> Recorded:
    """Write a batch; completions whose lease is lost change nothing and are named."""
    hot = hot_sql(connection)
    # By id and fence: the batch may hold a lost attempt and its successor side by side.
    leases = hot.leases(connection, [done.claimed.row.id for done in batch])
    kept = [done for done in batch if leases.get(done.claimed.row.id) == done.claimed.lease]
    hot.settle(connection, [_settlement(done) for done in kept])
    keys = {done.claimed.key for done in kept}
    return Recorded(
        frozenset(done.claimed.key for done in batch) - keys, _update_health(connection, kept)
    )


def ending(decision: Decision) -> health.Ending | None:
    """The status in which `decision` leaves its delivery; None while it is to be tried again."""
    match decision:
        case Succeeded():
            return "delivered"
        case Rejected() | DisableEndpoint():
            return "failed"
        case Exhausted():
            return "dead_letter"
        case RetryAt():
            return None


def _settlement(done: Completed) -> Settlement:
    row, target, attempted = done.claimed.row, done.claimed.target, done.attempted
    ended = ending(done.decision)
    return Settlement(
        attempt=NewAttempt(
            id=done.attempt_id,
            account_id=target.account_id,
            environment=target.environment,
            delivery_id=row.id,
            number=done.claimed.number,
            failure_reason=failure_reason(attempted.outcome),
            created_at=done.started_at,
            status_code=attempted.status_code,
            latency_ms=attempted.latency_ms,
            response_body=attempted.response_body[:BODY_KEPT],
            response_body_truncated=attempted.response_body_truncated
            or len(attempted.response_body) > BODY_KEPT,
            request_headers=done.shown_headers,
        ),
        fence=row.fence,
        status=ended or "pending",
        # Attempts of earlier schedules and interrupted ones come on top of the policy's.
        max_attempts=row.uncounted_attempts + done.max_attempts,
        next_attempt_at=done.decision.at_ms if isinstance(done.decision, RetryAt) else None,
        completed_at=done.finished_at if ended else None,
    )


def _update_health(
    connection: Connection, kept: Sequence[Completed]
) -> tuple[tuple[str, Reason], ...]:
    if not kept:
        return ()
    healths = endpoint_health.load(connection, {d.claimed.target.endpoint_id for d in kept})
    verdicts: dict[str, tuple[Reason, int]] = {}
    for done in kept:
        endpoint_id = done.claimed.target.endpoint_id
        before = healths[endpoint_id]
        after = health.after_attempt(before, ended=ending(done.decision), now_ms=done.finished_at)
        healths[endpoint_id] = after
        reason = _disable_reason(done, after)
        if reason is not None:
            verdicts.setdefault(endpoint_id, (reason, done.finished_at))
    endpoint_health.save(connection, healths)
    return tuple(
        (endpoint_id, reason)
        for endpoint_id, (reason, at_ms) in verdicts.items()
        if endpoint_health.disable(connection, endpoint_id, reason, at_ms)
    )


def _disable_reason(done: Completed, after: health.Health) -> Reason | None:
    if isinstance(done.decision, DisableEndpoint):
        return "gone"
    failed = not isinstance(done.decision, Succeeded)
    return "failing" if failed and health.should_disable(after) else None


def describe(outcome: Outcome) -> str:
    """The outcome in one word for the log."""
    return failure_reason(outcome) or "delivered"
