"""Upkeep in small batches, so that the writer is never held for long.

Rows that another process has locked are left out: it is dealing with them, and the next batch
comes soon.
"""

from __future__ import annotations

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.tables import (
    apps,
    deliveries,
    endpoints,
    idempotency_records,
    signing_secrets,
    writers,
)

_SILENT_MS = 86_400_000

# A literal, not a parameter: only then does the planner see that the partial index serves.
_PENDING = deliveries.c.status == sa.literal_column("'pending'")


def cancel_for_deleted_endpoints(connection: Connection, now_ms: int, limit: int) -> int:
    """Write down at most `limit` cancellations that reads already show; say how many."""
    pending_of_it = (
        sa.select(sa.literal(1)).where(_PENDING).where(deliveries.c.endpoint_id == endpoints.c.id)
    )
    owners = connection.scalars(
        sa.select(endpoints.c.id)
        .join(apps, apps.c.id == endpoints.c.app_id)
        .where(sa.or_(endpoints.c.deleted_at.is_not(None), apps.c.deleted_at.is_not(None)))
        .where(sa.exists(pending_of_it))
        .limit(limit)
    ).all()
    if not owners:
        return 0
    some = (
        sa.select(deliveries.c.id)
        .where(_PENDING)
        .where(deliveries.c.endpoint_id.in_(owners))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    changed = connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id.in_(some))
        .values(
            status="cancelled",
            cancel_reason="endpoint_deleted",
            next_attempt_at=None,
            completed_at=now_ms,
        )
    )
    return changed.rowcount


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


def erase_silent_writers(connection: Connection, now_ms: int, limit: int) -> int:
    """Delete at most `limit` writers that have written nothing for a day; say how many."""
    c = writers.c
    some = sa.select(c.id).where(c.seen_at < now_ms - _SILENT_MS).limit(limit)
    some = some.with_for_update(skip_locked=True)
    return connection.execute(sa.delete(writers).where(c.id.in_(some))).rowcount
