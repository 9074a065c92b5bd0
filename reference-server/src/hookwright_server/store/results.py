"""What attempts leave behind: attempt rows, and deliveries moved on under their fencing token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.tables import attempts, deliveries


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


def still_leased(connection: Connection, leases: Mapping[str, Lease]) -> frozenset[str]:
    """Those deliveries (by id) that are still held under exactly the given lease."""
    c = deliveries.c
    rows = connection.execute(
        sa.select(c.id, c.lease_session, c.fence)
        .where(c.id.in_(list(leases)))
        .where(c.status == "sending")
        .with_for_update()
    )
    return frozenset(
        row.id for row in rows if leases[row.id] == Lease(row.lease_session, row.fence)
    )


def settle(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Write the attempts and move their deliveries on; `still_leased` has been asked."""
    if not settlements:
        return
    insert_attempts(connection, [settlement.attempt for settlement in settlements])
    connection.execute(_MOVE_ON, [_moved(settlement) for settlement in settlements])


def insert_attempts(connection: Connection, rows: Sequence[NewAttempt]) -> None:
    """Add attempt rows."""
    connection.execute(sa.insert(attempts), [asdict(row) for row in rows])


_MOVE_ON = (
    sa.update(deliveries)
    .where(deliveries.c.id == sa.bindparam("delivery_id"))
    .where(deliveries.c.fence == sa.bindparam("lease_fence"))
    .values(lease_session=None)
)


def _moved(settlement: Settlement) -> dict[str, object]:
    attempt = settlement.attempt
    return {
        "delivery_id": attempt.delivery_id,
        "lease_fence": settlement.fence,
        "status": settlement.status,
        "attempt_count": attempt.number,
        "max_attempts": settlement.max_attempts,
        "next_attempt_at": settlement.next_attempt_at,
        "last_status_code": attempt.status_code,
        "last_failure_reason": attempt.failure_reason,
        "latency_ms": attempt.latency_ms,
        "completed_at": settlement.completed_at,
    }
