"""What attempts leave behind. `HotSql.settle` writes it, under the fencing token."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery belongs to `session_id` as long as its fence is still `fence`."""

    session_id: str
    fence: int


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
    """How one attempt leaves its delivery: the new status and, if it is pending, when it is due."""

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
