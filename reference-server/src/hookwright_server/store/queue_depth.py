"""How long the queue is, for operators: what a process cannot know of itself."""

from __future__ import annotations

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.telemetry.meters import QueueDepth

MOST_COUNTED = 1_000_000

# One pass over an index that holds pending deliveries only, ended at the limit. Deliveries of
# deleted endpoints are as good as cancelled.
_COUNTS = sa.text(
    """
    SELECT coalesce(sum(CASE WHEN e.active THEN p.due END), 0),
        coalesce(sum(CASE WHEN e.active THEN p.pending - p.due END), 0),
        coalesce(sum(CASE WHEN NOT e.active THEN p.pending END), 0)
    FROM (
        SELECT endpoint_id, count(*) AS pending,
            sum(CASE WHEN next_attempt_at <= :now_ms THEN 1 ELSE 0 END) AS due
        FROM (SELECT endpoint_id, next_attempt_at FROM deliveries
              WHERE status = 'pending' LIMIT :most) AS counted
        GROUP BY endpoint_id
    ) AS p
    JOIN endpoints AS e ON e.id = p.endpoint_id
    JOIN apps AS a ON a.id = e.app_id
    WHERE e.deleted_at IS NULL AND a.deleted_at IS NULL
    """
)

# A loose index scan: a seek or two for each endpoint, however many deliveries it has.
_OLDEST = sa.text(
    """
    WITH RECURSIVE waiting(endpoint_id) AS (
        SELECT min(endpoint_id) FROM deliveries WHERE status = 'pending'
        UNION ALL
        SELECT (SELECT min(endpoint_id) FROM deliveries
                WHERE status = 'pending' AND endpoint_id > waiting.endpoint_id)
        FROM waiting WHERE waiting.endpoint_id IS NOT NULL
    )
    SELECT min((SELECT min(next_attempt_at) FROM deliveries
                WHERE status = 'pending' AND endpoint_id = e.id))
    FROM waiting
    JOIN endpoints AS e ON e.id = waiting.endpoint_id
    JOIN apps AS a ON a.id = e.app_id
    WHERE e.active AND e.deleted_at IS NULL AND a.deleted_at IS NULL
    """
)


def queue_depth(connection: Connection, now_ms: int, most: int = MOST_COUNTED) -> QueueDepth:
    """The pending deliveries by state, counted up to `most`; the oldest is found in any case."""
    counts = connection.execute(_COUNTS, {"now_ms": now_ms, "most": most}).one()
    due, scheduled, held = (int(count) for count in counts)
    oldest: int | None = connection.scalar(_OLDEST)
    is_due = oldest is not None and oldest <= now_ms
    return QueueDepth(due, scheduled, held, oldest if is_due else None)
