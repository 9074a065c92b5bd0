"""Upkeep in small batches, so that the writer is never held for long.

Rows that another process has locked are left out: it is dealing with them, and the next batch
comes soon.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from hookwright_server.store import ordering
from hookwright_server.store.database import Connection
from hookwright_server.store.endings import CANCELLED, let_go
from hookwright_server.store.tables import (
    deliveries,
    endpoint_windows,
    endpoints,
    idempotency_records,
    signing_secrets,
    writers,
)

# Longer than any transaction lasts that may have begun before an endpoint was deleted.
_LATE_MS = 600_000
_SILENT_MS = 86_400_000
_LONGEST_WINDOW_MS = 86_400_000

# A literal, not a parameter: only then does the planner see that the partial index serves.
_PENDING = deliveries.c.status == sa.literal_column("'pending'")
_SENDING = deliveries.c.status == sa.literal_column("'sending'")
_DELETED_AT = (
    sa.select(endpoints.c.deleted_at)
    .where(endpoints.c.id == deliveries.c.endpoint_id)
    .scalar_subquery()
)
_OF_IT = sa.select(sa.literal(1)).where(deliveries.c.endpoint_id == endpoints.c.id)
_HAS_PENDING = sa.exists(_OF_IT.where(_PENDING))
_HAS_SENDING = sa.exists(_OF_IT.where(_SENDING))
_UNSWEPT: sa.ColumnElement[bool] = sa.literal_column(
    "endpoints.deleted_at IS NOT NULL AND NOT endpoints.is_swept"
)


def cancel_for_deleted_endpoints(connection: Connection, now_ms: int, limit: int) -> int:
    """Write down at most `limit` cancellations that reads already show; say how many."""
    owners = connection.scalars(
        sa.select(endpoints.c.id).where(_UNSWEPT, _HAS_PENDING).limit(limit)
    ).all()
    if not owners:
        return 0
    rows = connection.execute(lost(deliveries.c.endpoint_id.in_(owners)).limit(limit)).all()
    ordering.hold(connection, ordering.lanes(row[1:] for row in rows))
    return cancel_lost(connection, [row[0] for row in rows], now_ms)


def lost(condition: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    """Id and lane of what waits for deleted endpoints and fits `condition`."""
    columns = (deliveries.c.id, *ordering.LANE)
    return sa.select(*columns).where(_PENDING, condition, _DELETED_AT.is_not(None))


def cancel_lost(connection: Connection, ids: Collection[str], now_ms: int) -> int:
    """Write down the cancellations of what is `lost`, whose lanes are held; say how many."""
    if not ids:
        return 0
    some = (
        sa.select(deliveries.c.id)
        .where(_PENDING, deliveries.c.id.in_(ids), _DELETED_AT.is_not(None))
        .with_for_update(skip_locked=True)
    )
    # As it has read since the endpoint was deleted, or since it expired before that.
    expired_first = deliveries.c.expires_at <= _DELETED_AT
    changed = connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id.in_(some))
        .values(
            status="cancelled",
            cancel_reason=sa.case((expired_first, "expired"), else_="endpoint_deleted"),
            next_attempt_at=None,
            completed_at=sa.case((expired_first, deliveries.c.expires_at), else_=_DELETED_AT),
        )
        .returning(*CANCELLED)
    ).all()
    let_go(connection, changed, now_ms)
    return len(changed)


def leave_swept_endpoints(connection: Connection, now_ms: int, limit: int) -> int:
    """Look no more at (at most `limit`) deleted endpoints that nothing can become pending of.

    What was being sent may come back, and what was just being accepted may come late: what comes
    even later than that, retention writes down.
    """
    late = endpoints.c.deleted_at <= now_ms - _LATE_MS
    some = (
        sa.select(endpoints.c.id)
        .where(_UNSWEPT, late, sa.not_(_HAS_PENDING), sa.not_(_HAS_SENDING))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    swept = sa.update(endpoints).where(endpoints.c.id.in_(some)).values(is_swept=True)
    return connection.execute(swept).rowcount


def cancel_expired(connection: Connection, now_ms: int, limit: int) -> int:
    """Write down at most `limit` deliveries as expired, as reads already show; say how many."""
    late = (
        sa.select(deliveries.c.id, *ordering.LANE)
        .where(_PENDING, deliveries.c.expires_at <= now_ms)
        .limit(limit)
    )
    rows = connection.execute(late).all()
    if not rows:
        return 0
    ordering.hold(connection, ordering.lanes(row[1:] for row in rows))
    some = (
        sa.select(deliveries.c.id)
        .where(_PENDING, deliveries.c.id.in_([row.id for row in rows]))
        .with_for_update(skip_locked=True)
    )
    return _expire(connection, deliveries.c.id.in_(some), now_ms)[0]


def cancel_expired_leases(connection: Connection, ids: Collection[str], now_ms: int) -> int:
    """Cancel what has just been leased, but too late to be sent; how many were due for that."""
    return _expire(connection, deliveries.c.id.in_(ids), now_ms)[1]


def _expire(
    connection: Connection, condition: sa.ColumnElement[bool], now_ms: int
) -> tuple[int, int]:
    """How many were cancelled, and how many of those that waited for them are due now."""
    cancelled = connection.execute(
        sa.update(deliveries)
        .where(condition)
        .values(
            status="cancelled",
            cancel_reason="expired",
            next_attempt_at=None,
            lease_session=None,
            completed_at=deliveries.c.expires_at,
        )
        .returning(*CANCELLED)
    ).all()
    return len(cancelled), let_go(connection, cancelled, now_ms)


def erase_expired_records(connection: Connection, now_ms: int, limit: int) -> int:
    """Delete at most `limit` idempotency records past their time; say how many."""
    c = idempotency_records.c
    some = sa.select(c.scope).where(c.expires_at <= now_ms).limit(limit)
    some = some.with_for_update(skip_locked=True)
    return connection.execute(sa.delete(idempotency_records).where(c.scope.in_(some))).rowcount


def erase_expired_secrets(connection: Connection, now_ms: int, limit: int) -> int:
    """Delete at most `limit` signing secrets whose overlap has ended; say how many."""
    c = signing_secrets.c
    some = sa.select(c.id).where(c.expires_at <= now_ms).limit(limit)
    some = some.with_for_update(skip_locked=True)
    return connection.execute(sa.delete(signing_secrets).where(c.id.in_(some))).rowcount


def erase_old_windows(connection: Connection, now_ms: int, limit: int) -> int:
    """Delete at most `limit` windows of rate limits that are over, whatever their length."""
    c = endpoint_windows.c
    some = sa.select(c.endpoint_id).where(c.started_at < now_ms - _LONGEST_WINDOW_MS).limit(limit)
    some = some.with_for_update(skip_locked=True)
    return connection.execute(sa.delete(endpoint_windows).where(c.endpoint_id.in_(some))).rowcount


def erase_silent_writers(connection: Connection, now_ms: int, limit: int) -> int:
    """Delete at most `limit` writers that have written nothing for a day; say how many."""
    c = writers.c
    some = sa.select(c.id).where(c.seen_at < now_ms - _SILENT_MS).limit(limit)
    some = some.with_for_update(skip_locked=True)
    return connection.execute(sa.delete(writers).where(c.id.in_(some))).rowcount
