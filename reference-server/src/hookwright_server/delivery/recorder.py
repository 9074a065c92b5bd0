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
from hookwright_server.delivery.happenings import endpoint_disabled, happened
from hookwright_server.delivery.prepare import Begun
from hookwright_server.delivery.sender import Attempted
from hookwright_server.delivery.system_events import Happening
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
from hookwright_server.store import endpoint_health, ordering
from hookwright_server.store.database import Connection
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.results import Lease, NewAttempt, Settlement
from hookwright_server.store.rollup_deltas import Origin, count_settled

BODY_KEPT = Limits.response_body_kept_bytes

Reason = Literal["gone", "failing"]
Publish = Callable[[Connection, Sequence[Happening]], bool]


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

    @property
    def lane(self) -> ordering.Lane | None:
        """The order in which its delivery takes part."""
        return self.claimed.row.lane


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch changed. `stale` holds the keys of deliveries whose lease had been lost.

    `happenings` are for `_system`; whether they went there and made work is `published`.
    """

    stale: frozenset[Key]
    disabled: tuple[tuple[str, Reason], ...]
    happenings: tuple[Happening, ...] = ()
    published: bool = False


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

    def judge(self, begun: Begun, attempted: Attempted) -> Completed:
        """What follows from this attempt, now."""
        claimed = begun.claimed
        policy = self._policy(claimed)
        now_ms = self._clock.now_ms()
        return Completed(
            claimed=claimed,
            attempted=attempted,
            decision=decide(
                attempted.outcome, claimed.scheduled_attempt, policy, now_ms, self._random
            ),
            max_attempts=policy.max_attempts,
            shown_headers=begun.shown_headers,
            attempt_id=self._ids.new("att", begun.started_at),
            started_at=begun.started_at,
            finished_at=now_ms,
        )

    def _policy(self, claimed: ClaimedDelivery) -> RetryPolicy:
        own, of_app = claimed.target.retry_policy, claimed.target.app_retry_policy
        return self._resolve(
            self._read(own) if own is not None else None,
            self._read(of_app) if of_app is not None else None,
        )


def record(
    connection: Connection, batch: Sequence[Completed], publish: Publish | None = None
) -> Recorded:
    """Write a batch; completions whose lease is lost change nothing and are named.

    `publish` tells `_system` of what happened.
    """
    hot = hot_sql(connection)
    # By id and fence: the batch may hold a lost attempt and its successor side by side.
    leases = hot.leases(connection, [done.claimed.row.id for done in batch])
    kept = [done for done in batch if leases.get(done.claimed.row.id) == done.claimed.lease]
    settlements = [_settlement(done, leases[done.claimed.row.id]) for done in kept]
    hot.settle(connection, settlements)
    count_settled(
        connection,
        [
            (_origin(done), each.attempt, each.status)
            for done, each in zip(kept, settlements, strict=True)
        ],
    )
    keys = {done.claimed.key for done in kept}
    disabled, happenings = _update_health(connection, kept)
    published = bool(happenings and publish and publish(connection, happenings))
    # Last: whoever publishes to one of these lanes waits from now on until the commit.
    if ended := _ended_lanes(kept, settlements):
        ordering.move_up(connection, ended, max(done.finished_at for done in kept))
    return Recorded(
        frozenset(done.claimed.key for done in batch) - keys, disabled, tuple(happenings), published
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


def _origin(done: Completed) -> Origin:
    row, target = done.claimed.row, done.claimed.target
    return Origin(
        target.account_id,
        target.environment,
        target.app_id,
        row.endpoint_id,
        row.event_name,
        row.created_at,
    )


def _settlement(done: Completed, lease: Lease) -> Settlement:
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
        status=ended or ("cancelled" if lease.is_stopped else "pending"),
        # Attempts of earlier schedules and interrupted ones come on top of the policy's.
        max_attempts=row.uncounted_attempts + done.max_attempts,
        next_attempt_at=_due_at(done),
        completed_at=done.finished_at,
    )


def _ended_lanes(
    kept: Sequence[Completed], settlements: Sequence[Settlement]
) -> set[ordering.Lane]:
    """Where others have waited for what has ended now."""
    pairs = zip(kept, settlements, strict=True)
    return {done.lane for done, each in pairs if done.lane and each.status != "pending"}


def _due_at(done: Completed) -> int | None:
    if not isinstance(done.decision, RetryAt):
        return None
    row = done.claimed.row
    if row.ordering_key is None or row.expires_at is None:
        return done.decision.at_ms
    # Others wait for it: it is claimed when it expires, and cancelled.
    return min(done.decision.at_ms, row.expires_at)


def _update_health(
    connection: Connection, kept: Sequence[Completed]
) -> tuple[tuple[tuple[str, Reason], ...], list[Happening]]:
    if not kept:
        return (), []
    happenings: list[Happening] = []
    healths = endpoint_health.load(connection, {d.claimed.target.endpoint_id for d in kept})
    verdicts: dict[str, tuple[Reason, Completed]] = {}
    for done in kept:
        endpoint_id = done.claimed.target.endpoint_id
        before = healths[endpoint_id]
        after = health.after_attempt(before, ended=ending(done.decision), now_ms=done.finished_at)
        healths[endpoint_id] = after
        happenings += happened(done, ending(done.decision), before, after)
        reason = _disable_reason(done, after)
        if reason is not None:
            verdicts.setdefault(endpoint_id, (reason, done))
    endpoint_health.save(connection, healths)
    switched: list[tuple[str, Reason, Completed]] = [
        (endpoint_id, reason, done)
        for endpoint_id, (reason, done) in verdicts.items()
        if endpoint_health.disable(connection, endpoint_id, reason, done.finished_at)
    ]
    happenings += [
        endpoint_disabled(
            tenant=done.claimed.target.tenant,
            app_id=done.claimed.target.app_id,
            endpoint_id=endpoint_id,
            url=done.claimed.target.url,
            reason=reason,
            at_ms=done.finished_at,
        )
        for endpoint_id, reason, done in switched
    ]
    return tuple((endpoint_id, reason) for endpoint_id, reason, _ in switched), happenings


def _disable_reason(done: Completed, after: health.Health) -> Reason | None:
    if isinstance(done.decision, DisableEndpoint):
        return "gone"
    failed = not isinstance(done.decision, Succeeded)
    return "failing" if failed and health.should_disable(after) else None


def describe(outcome: Outcome) -> str:
    """The outcome in one word for the log."""
    return failure_reason(outcome) or "delivered"
