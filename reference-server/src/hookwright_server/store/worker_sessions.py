"""Leases hang on a worker's session: while it is renewed, its deliveries are its own.

A dead session's row is deleted; from that moment its completions are refused and its
deliveries are taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.store import ordering
from hookwright_server.store.database import Connection
from hookwright_server.store.endings import CANCELLED, let_go
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.locking import alone_now
from hookwright_server.store.results import Lease, NewAttempt
from hookwright_server.store.rollup_deltas import Origin, count_settled
from hookwright_server.store.tables import deliveries, worker_sessions

RENEW_EVERY_MS = 3_000
DEAD_AFTER_MS = 10_000

_RECOVERY = int.from_bytes(b"takeback")

# A literal, not a parameter: only then does the planner see that the partial index serves.
_SENDING = deliveries.c.status == sa.literal_column("'sending'")
# What was cancelled while it was being sent has a reason already.
_GOES_ON = deliveries.c.cancel_reason.is_(None)
_NEXT_STATUS = sa.case((_GOES_ON, "pending"), else_="cancelled")


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A delivery taken back from a dead session; it is due again."""

    delivery_id: str
    message_id: str
    endpoint_id: str
    app_id: str
    account_id: str
    attempt: int
    next_attempt_at: int


def start(connection: Connection, session_id: str, now_ms: int, *, alone: bool) -> None:
    """Begin a session. `alone`: no other worker can exist, so all older sessions are dead."""
    if alone:
        connection.execute(sa.delete(worker_sessions))
    connection.execute(
        sa.insert(worker_sessions).values(id=session_id, started_at=now_ms, renewed_at=now_ms)
    )


def renew(connection: Connection, session_id: str, now_ms: int) -> bool:
    """Keep the session alive; False when it has been declared dead."""
    changed = connection.execute(
        sa.update(worker_sessions)
        .where(worker_sessions.c.id == session_id)
        .values(renewed_at=now_ms)
    )
    return changed.rowcount == 1


def end(connection: Connection, session_id: str) -> None:
    """End the session; what it still leases is `recover`'s."""
    connection.execute(sa.delete(worker_sessions).where(worker_sessions.c.id == session_id))


def is_any_alive(connection: Connection, now_ms: int) -> bool:
    """Whether some worker has renewed its session in the last 10 s."""
    alive = sa.select(worker_sessions.c.id).where(
        worker_sessions.c.renewed_at >= now_ms - DEAD_AFTER_MS
    )
    return connection.execute(alive.limit(1)).first() is not None


def end_dead(connection: Connection, own: str, now_ms: int) -> int:
    """End the other sessions that were not renewed for 10 s; say how many those were.

    Those that somebody else is just ending or renewing are left alone: to wait for one another
    could become a deadlock.
    """
    c = worker_sessions.c
    dead = (
        sa.select(c.id)
        .where(c.id != own)
        .where(c.renewed_at < now_ms - DEAD_AFTER_MS)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(sa.delete(worker_sessions).where(c.id.in_(dead))).rowcount


def recover(
    connection: Connection, new_attempt_id: Callable[[], str], now_ms: int, limit: int
) -> list[Interrupted]:
    """Take back at most `limit` deliveries whose session is gone.

    One process at a time does this, so that nobody takes back what has been taken back and leased
    anew since it looked; the others take nothing.

    Each gets an attempt row `interrupted`, which does not count against its schedule. It stays
    due since the instant at which it was due before: behind a queue that each death lengthens,
    it might wait for ever.
    """
    if not alone_now(connection, _RECOVERY):
        return []
    c = deliveries.c
    rows = connection.execute(
        sa.select(deliveries)
        .where(_SENDING)
        .where(sa.func.coalesce(c.lease_session, "").not_in(sa.select(worker_sessions.c.id)))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return []
    interrupted = [
        NewAttempt(
            id=new_attempt_id(),
            account_id=row.account_id,
            environment=row.environment,
            delivery_id=row.id,
            number=row.attempt_count + 1,
            failure_reason="interrupted",
            created_at=now_ms,
        )
        for row in rows
    ]
    hot_sql(connection).insert_attempts(connection, interrupted)
    origins = [Origin(*(getattr(row, name) for name in Origin._fields)) for row in rows]
    ends = ["cancelled" if row.cancel_reason else "pending" for row in rows]
    count_settled(connection, zip(origins, interrupted, ends, strict=True))
    connection.execute(
        sa.update(deliveries)
        .where(c.id.in_([row.id for row in rows]))
        .values(
            status=_NEXT_STATUS,
            attempt_count=c.attempt_count + 1,
            uncounted_attempts=c.uncounted_attempts + 1,
            max_attempts=c.max_attempts + 1,
            next_attempt_at=sa.case((_GOES_ON, sa.func.coalesce(c.next_attempt_at, now_ms))),
            completed_at=sa.case((_GOES_ON, sa.null()), else_=now_ms),
            lease_session=None,
            last_status_code=None,
            last_failure_reason="interrupted",
        )
    )
    ended = [row for row in rows if row.cancel_reason and row.is_ordered]
    ordering.move_up(connection, {(row.endpoint_id, row.ordering_key) for row in ended}, now_ms)
    return [
        Interrupted(
            delivery_id=row.id,
            message_id=row.message_id,
            endpoint_id=row.endpoint_id,
            app_id=row.app_id,
            account_id=row.account_id,
            attempt=row.attempt_count + 1,
            next_attempt_at=now_ms if row.next_attempt_at is None else row.next_attempt_at,
        )
        for row in rows
    ]


def release_unknown(
    connection: Connection, session_id: str, known: Collection[tuple[str, int]], now_ms: int
) -> None:
    """Give back what the session leases beside `known` (delivery id and fence): no attempt."""
    c = deliveries.c
    rows = connection.execute(
        sa.select(c.id, c.fence).where(_SENDING).where(c.lease_session == session_id)
    )
    leases = {
        key: Lease(session_id, fence) for key, fence in rows.all() if (key, fence) not in known
    }
    release(connection, leases, now_ms)


def release(
    connection: Connection, leases: Mapping[str, Lease], now_ms: int, delay_ms: int = 0
) -> None:
    """Give back leases (by delivery id) that were never sent: due after `delay_ms`, no attempt."""
    if not leases:
        return
    c = deliveries.c
    found = connection.execute(
        sa.select(c.id, c.lease_session, c.fence, c.cancel_reason, *CANCELLED)
        .where(_SENDING, c.id.in_(list(leases)))
        .order_by(c.id)
        .with_for_update()
    ).all()
    rows = [row for row in found if leases[row.id] == Lease(row.lease_session or "", row.fence)]
    connection.execute(
        sa.update(deliveries)
        .where(c.id.in_([row.id for row in rows]))
        .values(
            status=_NEXT_STATUS,
            lease_session=None,
            next_attempt_at=sa.case((_GOES_ON, now_ms + delay_ms)),
            completed_at=sa.case((_GOES_ON, sa.null()), else_=now_ms),
        )
    )
    stopped = [row for row in rows if row.cancel_reason is not None]
    let_go(connection, (row[-len(CANCELLED) :] for row in stopped), now_ms)
