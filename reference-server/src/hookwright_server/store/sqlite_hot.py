"""Hot statements for SQLite, on the driver's own connection within SQLAlchemy's transaction.

All of it runs on the one writer thread under BEGIN IMMEDIATE: what is read here cannot change
before the commit. `INDEXED BY` makes a plan that lost its index an error instead of a slow claim.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import cast

from hookwright_server.store.acceptance import Acceptance, NewRecord
from hookwright_server.store.claims import Leased, Queue, Share, Waiting
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import NotWritten, RecordExists, StaleSubscriptions
from hookwright_server.store.results import Lease, NewAttempt, Settlement

_VERSIONS = """
SELECT id, subscriptions_version FROM apps
WHERE deleted_at IS NULL AND id IN (SELECT value FROM json_each(?))
"""

_LIVE_RECORD = "SELECT 1 FROM idempotency_records WHERE scope = ? AND expires_at > ?"

_INSERT_RECORD = """
INSERT OR REPLACE INTO idempotency_records
    (scope, account_id, environment, fingerprint, status, response_sealed, started_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

_INSERT_MESSAGE = """
INSERT INTO messages
    (id, account_id, environment, app_id, event_name, event_id, payload,
     endpoint_count, filtered_count, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_INSERT_DELIVERY = """
INSERT INTO deliveries
    (id, account_id, environment, app_id, message_id, endpoint_id, event_name,
     max_attempts, next_attempt_at, created_at,
     status, attempt_count, uncounted_attempts, fence)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', 0, 0, 0)
"""

# A loose index scan: one seek per endpoint that has pending rows, however many those are.
_QUEUE = """
WITH RECURSIVE
pending(endpoint_id) AS (
    SELECT min(endpoint_id) FROM deliveries INDEXED BY deliveries_due WHERE status = 'pending'
    UNION ALL
    SELECT (SELECT min(endpoint_id) FROM deliveries INDEXED BY deliveries_due
            WHERE status = 'pending' AND endpoint_id > pending.endpoint_id)
    FROM pending WHERE pending.endpoint_id IS NOT NULL
),
open AS MATERIALIZED (
    SELECT endpoints.id, endpoints.account_id, endpoints.environment, endpoints.max_concurrency,
        (SELECT min(next_attempt_at) FROM deliveries INDEXED BY deliveries_due
         WHERE status = 'pending' AND endpoint_id = endpoints.id) AS due_at
    FROM pending
    CROSS JOIN endpoints ON endpoints.id = pending.endpoint_id
    CROSS JOIN apps ON apps.id = endpoints.app_id
    WHERE endpoints.active AND endpoints.deleted_at IS NULL AND apps.deleted_at IS NULL
)
SELECT id, account_id, environment, max_concurrency,
    (SELECT count(*) FROM deliveries INDEXED BY deliveries_leased
     WHERE status = 'sending' AND endpoint_id = open.id),
    (SELECT count(*) FROM
        (SELECT 1 FROM deliveries INDEXED BY deliveries_due
         WHERE status = 'pending' AND endpoint_id = open.id AND next_attempt_at <= ?1
         LIMIT ?2))
FROM open WHERE due_at <= ?1
UNION ALL
SELECT NULL, NULL, NULL, min(CASE WHEN due_at > ?1 THEN due_at ELSE
    (SELECT min(next_attempt_at) FROM deliveries INDEXED BY deliveries_due
     WHERE status = 'pending' AND endpoint_id = open.id AND next_attempt_at > ?1) END), 0, 0
FROM open
"""

# Counting an endpoint's due rows stops here: a longer queue is claimed in several steps.
_MOST_COUNTED = 33

_DUE = """
SELECT d.rowid, d.id, d.message_id, d.endpoint_id, d.event_name,
    d.attempt_count, d.uncounted_attempts, d.fence + 1, d.created_at, m.created_at, m.payload
FROM deliveries AS d INDEXED BY deliveries_due CROSS JOIN messages AS m ON m.id = d.message_id
WHERE d.status = 'pending' AND d.endpoint_id = ? AND d.next_attempt_at <= ?
ORDER BY d.next_attempt_at LIMIT ?
"""

_LEASE = "UPDATE deliveries SET status = 'sending', lease_session = ?, fence = ? WHERE rowid = ?"

_SESSION = "SELECT 1 FROM worker_sessions WHERE id = ?"

_LEASES = """
SELECT id, lease_session, fence FROM deliveries
WHERE status = 'sending' AND id IN (SELECT value FROM json_each(?))
"""

_INSERT_ATTEMPT = """
INSERT INTO attempts
    (id, account_id, environment, delivery_id, number, failure_reason, status_code, latency_ms,
     response_body, response_body_truncated, request_headers, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_MOVE_ON = """
UPDATE deliveries
SET status = ?, attempt_count = ?, max_attempts = ?, next_attempt_at = ?, lease_session = NULL,
    last_status_code = ?, last_failure_reason = ?, latency_ms = ?, completed_at = ?
WHERE id = ? AND fence = ?
"""


class SqliteHotSql:
    """See `HotSql`."""

    def accept(
        self, connection: Connection, acceptances: Sequence[Acceptance]
    ) -> list[NotWritten | None]:
        raw = _driver(connection)
        refusals = _refusals(raw, acceptances)
        kept = [a for a, refusal in zip(acceptances, refusals, strict=True) if refusal is None]
        raw.executemany(_INSERT_RECORD, (_record_row(a.record) for a in kept if a.record))
        raw.executemany(_INSERT_MESSAGE, map(_message_row, kept))
        raw.executemany(_INSERT_DELIVERY, _delivery_rows(kept))
        return refusals

    def queue(self, connection: Connection, now_ms: int, limits: Mapping[str, int]) -> Queue:
        waiting: list[Waiting] = []
        next_due_at: int | None = None
        for row in _driver(connection).execute(_QUEUE, (now_ms, _MOST_COUNTED)):
            endpoint_id, account_id, environment, slots, leased, due = row
            if endpoint_id is None:
                next_due_at = slots
                continue
            free = min(slots, limits.get(endpoint_id, slots)) - leased
            claimable = max(0, min(free, due))
            more = due > claimable or due == _MOST_COUNTED
            waiting.append(Waiting(endpoint_id, (account_id, environment), claimable, more))
        return Queue(tuple(waiting), next_due_at)

    def lease(
        self, connection: Connection, session_id: str, now_ms: int, shares: Sequence[Share]
    ) -> list[Leased]:
        raw = _driver(connection)
        rows = [
            row
            for share in shares
            for row in raw.execute(_DUE, (share.endpoint_id, now_ms, share.count)).fetchall()
        ]
        raw.executemany(_LEASE, ((session_id, row[7], row[0]) for row in rows))
        return [Leased(*row[1:]) for row in rows]

    def session_lives(self, connection: Connection, session_id: str) -> bool:
        return _driver(connection).execute(_SESSION, (session_id,)).fetchone() is not None

    def leases(self, connection: Connection, ids: Collection[str]) -> dict[str, Lease]:
        rows = _driver(connection).execute(_LEASES, (json.dumps(list(ids)),))
        return {key: Lease(session_id, fence) for key, session_id, fence in rows}

    def settle(self, connection: Connection, settlements: Sequence[Settlement]) -> None:
        self.insert_attempts(connection, [settlement.attempt for settlement in settlements])
        _driver(connection).executemany(_MOVE_ON, map(_settlement_row, settlements))

    def insert_attempts(self, connection: Connection, attempts: Sequence[NewAttempt]) -> None:
        _driver(connection).executemany(_INSERT_ATTEMPT, map(_attempt_row, attempts))


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def _refusals(
    raw: sqlite3.Connection, acceptances: Sequence[Acceptance]
) -> list[NotWritten | None]:
    app_ids = json.dumps(list({a.message.app_id for a in acceptances}))
    versions: dict[str, int] = dict(raw.execute(_VERSIONS, (app_ids,)).fetchall())
    scopes: set[bytes] = set()
    return [_refusal(raw, versions, scopes, acceptance) for acceptance in acceptances]


def _refusal(
    raw: sqlite3.Connection,
    versions: Mapping[str, int],
    scopes: set[bytes],
    acceptance: Acceptance,
) -> NotWritten | None:
    record = acceptance.record
    # The record goes first: a repeated request is answered from it, whatever changed since.
    if record is not None:
        found = raw.execute(_LIVE_RECORD, (record.scope, record.started_at)).fetchone()
        if found is not None or record.scope in scopes:
            return RecordExists(record.scope)
    app_id = acceptance.message.app_id
    if versions.get(app_id) != acceptance.subscriptions_version:
        return StaleSubscriptions(app_id)
    if record is not None:
        scopes.add(record.scope)
    return None


def _record_row(r: NewRecord) -> tuple[object, ...]:
    return (
        r.scope,
        r.account_id,
        r.environment,
        r.fingerprint,
        r.status,
        r.response_sealed,
        r.started_at,
        r.expires_at,
    )


def _message_row(acceptance: Acceptance) -> tuple[object, ...]:
    m = acceptance.message
    return (
        m.id,
        m.account_id,
        m.environment,
        m.app_id,
        m.event_name,
        m.event_id,
        m.payload,
        m.endpoint_count,
        m.filtered_count,
        m.created_at,
    )


def _attempt_row(a: NewAttempt) -> tuple[object, ...]:
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


def _settlement_row(s: Settlement) -> tuple[object, ...]:
    a = s.attempt
    return (
        s.status,
        a.number,
        s.max_attempts,
        s.next_attempt_at,
        a.status_code,
        a.failure_reason,
        a.latency_ms,
        s.completed_at,
        a.delivery_id,
        s.fence,
    )


def _delivery_rows(acceptances: Iterable[Acceptance]) -> Iterable[tuple[object, ...]]:
    return (
        (
            d.id,
            d.account_id,
            d.environment,
            d.app_id,
            d.message_id,
            d.endpoint_id,
            d.event_name,
            d.max_attempts,
            d.next_attempt_at,
            d.created_at,
        )
        for acceptance in acceptances
        for d in acceptance.deliveries
    )
