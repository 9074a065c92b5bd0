"""What attempts leave behind. `HotSql.settle` writes it, under the fencing token."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery belongs to `session_id` as long as its fence is still `fence`.

    `is_stopped`: it was cancelled meanwhile, so no attempt is to follow the present one.
    """

    session_id: str
    fence: int
    is_stopped: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """A row of `attempts`. `request_headers` is JSON text with secrets masked."""

    id: str
    account_id: str
    environment: str
    delivery_id: str
    number: int
    failure_reason: str | None
    created_at: int
    status_code: int | None = None
    latency_ms: int | None = None
    response_body: bytes | None = None
    response_body_truncated: bool = False
    request_headers: str = "{}"


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one attempt leaves its delivery: the new status and, if it is pending, when it is due.

    A delivery that was cancelled meanwhile becomes `cancelled` where this says pending.
    `completed_at` is the end of the attempt; the delivery's, unless it stays pending.
    """

    attempt: NewAttempt
    fence: int
    status: str
    max_attempts: int
    next_attempt_at: int | None
    completed_at: int | None


def attempt_row(a: NewAttempt) -> tuple[object, ...]:
    """The values of both dialects' INSERT INTO attempts, in its order."""
    return (
        a.id,
        a.account_id,
        a.environment,
        a.delivery_id,
        a.number,
        a.failure_reason,
        a.status_code,
        a.latency_ms,
        a.response_body,
        a.response_body_truncated,
        a.request_headers,
        a.created_at,
    )


def settlement_row(s: Settlement) -> tuple[object, ...]:
    """The values by which both dialects move a delivery on, in the order of their statements."""
    a = s.attempt
    return (
        a.delivery_id,
        s.fence,
        s.status,
        a.number,
        s.max_attempts,
        s.next_attempt_at,
        a.status_code,
        a.failure_reason,
        a.latency_ms,
        s.completed_at,
    )


@dataclass(frozen=True, slots=True)
class NewDelta:
    """A row of `rollup_deltas`. `cells` is JSON text; see rollup_counts.

    `merged_at`: it is the sum of many that transactions have added, the oldest merged then.
    """

    account_id: str
    environment: str
    app_id: str
    cells: str
    merged_at: int | None


def delta_row(d: NewDelta) -> tuple[object, ...]:
    """The values of both dialects' INSERT INTO rollup_deltas, in its order."""
    return d.account_id, d.environment, d.app_id, d.cells, d.merged_at
