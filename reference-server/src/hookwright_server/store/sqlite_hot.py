"""Hot statements for SQLite, on the driver's own connection within SQLAlchemy's transaction.

All of it runs on the one writer thread under BEGIN IMMEDIATE: what is read here cannot change
before the commit. `INDEXED BY` makes a plan that lost its index an error instead of a slow claim.

Many rows go into one statement: the driver lets go of the interpreter at each step of a
statement, and on a busy server getting it back costs more than the row (`executemany` is two
steps a row).
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from hookwright_server.store import ordering, rates
from hookwright_server.store.acceptance import Acceptance, NewRecord, tag_rows, tags_text
from hookwright_server.store.claims import Leased, Queue, Round, Share, Waiting
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import NotWritten, RecordExists, SessionLost, StaleSubscriptions
from hookwright_server.store.rates import Rate
from hookwright_server.store.results import (
    Lease,
    NewAttempt,
    NewDelta,
    Settlement,
    attempt_row,
    delta_row,
    settlement_row,
)
from hookwright_server.store.rollup_counts import (
    Counts,
    EventHour,
    RollupKey,
    rollup_of,
    rollup_row,
)

_VERSIONS = """
SELECT id, subscriptions_version FROM apps
WHERE deleted_at IS NULL AND id IN (SELECT value FROM json_each(?))
"""

_RECORDS = "SELECT scope, expires_at FROM idempotency_records WHERE scope IN (VALUES {rows})"

_INSERT_RECORD = """
INSERT OR REPLACE INTO idempotency_records
    (scope, account_id, environment, fingerprint, status, response_sealed, started_at, expires_at)
VALUES {rows}
"""

_INSERT_MESSAGE = """
INSERT INTO messages
    (id, account_id, environment, app_id, event_name, event_id, payload,
     endpoint_count, filtered_count, created_at, traceparent, tags, deliver_at, expires_at,
     ordering_key)
VALUES {rows}
"""

_INSERT_TAG = """
INSERT INTO message_tags (account_id, environment, tag, message_id) VALUES {rows}
"""

_INSERT_DELIVERY = """
INSERT INTO deliveries
    (id, account_id, environment, app_id, message_id, endpoint_id, event_name,
     max_attempts, next_attempt_at, created_at,
     status, attempt_count, uncounted_attempts, fence, expires_at)
VALUES {rows}
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
        endpoints.rate_max_requests, endpoints.rate_duration_ms,
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
         LIMIT ?2)),
    rate_max_requests, rate_duration_ms
FROM open WHERE due_at <= ?1
UNION ALL
SELECT NULL, NULL, NULL, min(CASE WHEN due_at > ?1 THEN due_at ELSE
    (SELECT min(next_attempt_at) FROM deliveries INDEXED BY deliveries_due
     WHERE status = 'pending' AND endpoint_id = open.id AND next_attempt_at > ?1) END),
    0, 0, NULL, NULL
FROM open
"""

# Counting an endpoint's due rows stops here: a longer queue is claimed in several steps.
_MOST_COUNTED = 33

_DUE = """
SELECT d.rowid, d.id, d.message_id, d.endpoint_id, d.event_name,
    d.attempt_count, d.uncounted_attempts, d.fence + 1, d.created_at, m.created_at, m.payload,
    m.traceparent, d.expires_at, CASE WHEN d.is_ordered THEN d.ordering_key END
FROM deliveries AS d INDEXED BY deliveries_due CROSS JOIN messages AS m ON m.id = d.message_id
WHERE d.status = 'pending' AND d.endpoint_id = ? AND d.next_attempt_at <= ?
ORDER BY d.next_attempt_at LIMIT ?
"""

_LEASE = """
UPDATE deliveries SET status = 'sending', lease_session = ?, fence = fence + 1
WHERE rowid IN (SELECT value FROM json_each(?))
"""

_SESSION = "SELECT 1 FROM worker_sessions WHERE id = ?"

_APP_VERSIONS = """
SELECT e.id, a.subscriptions_version FROM json_each(?) AS given
CROSS JOIN endpoints AS e ON e.id = given.value CROSS JOIN apps AS a ON a.id = e.app_id
"""

_LEASES = """
SELECT id, lease_session, fence, cancel_reason IS NOT NULL FROM deliveries
WHERE status = 'sending' AND id IN (SELECT value FROM json_each(?))
    AND lease_session IN (SELECT id FROM worker_sessions)
"""

_INSERT_ATTEMPT = """
INSERT INTO attempts
    (id, account_id, environment, delivery_id, number, failure_reason, status_code, latency_ms,
     response_body, response_body_truncated, request_headers, created_at)
VALUES {rows}
"""

_MOVE_ON = """
WITH done(id, fence, status, attempt_count, max_attempts, next_attempt_at, status_code,
    failure_reason, latency_ms, ended_at) AS (VALUES {rows})
UPDATE deliveries
SET status = CASE WHEN done.status = 'pending' AND deliveries.cancel_reason IS NOT NULL
        THEN 'cancelled' ELSE done.status END,
    cancel_reason = CASE WHEN done.status IN ('pending', 'cancelled')
        THEN deliveries.cancel_reason END,
    attempt_count = done.attempt_count, max_attempts = done.max_attempts,
    next_attempt_at = CASE WHEN deliveries.cancel_reason IS NULL THEN done.next_attempt_at END,
    lease_session = NULL,
    last_status_code = done.status_code, last_failure_reason = done.failure_reason,
    latency_ms = done.latency_ms,
    completed_at = CASE WHEN done.status <> 'pending' OR deliveries.cancel_reason IS NOT NULL
        THEN done.ended_at END
FROM done WHERE deliveries.id = done.id AND deliveries.fence = done.fence
"""

_INSERT_DELTA = """
INSERT INTO rollup_deltas (account_id, environment, app_id, cells, merged_at) VALUES {rows}
"""

_DELETE_DELTAS = "DELETE FROM rollup_deltas WHERE id IN (SELECT value FROM json_each(?))"

_ROLLUPS = """
WITH given(account_id, environment, app_id, step_ms, endpoint_id, event_name, bucket) AS
    (VALUES {rows})
SELECT r.* FROM given CROSS JOIN rollups AS r USING
    (account_id, environment, app_id, step_ms, endpoint_id, event_name, bucket)
"""

_PUT_ROLLUPS = """
INSERT INTO rollups (
    account_id, environment, app_id, step_ms, endpoint_id, event_name, bucket, messages,
    filtered, deliveries, delivered, failed, dead_letter, cancelled, attempts, succeeded,
    answered, latency_sum_ms, latencies, reasons
) VALUES {rows}
ON CONFLICT (account_id, environment, app_id, step_ms, endpoint_id, event_name, bucket)
DO UPDATE SET
    messages = excluded.messages, filtered = excluded.filtered,
    deliveries = excluded.deliveries, delivered = excluded.delivered, failed = excluded.failed,
    dead_letter = excluded.dead_letter, cancelled = excluded.cancelled,
    attempts = excluded.attempts, succeeded = excluded.succeeded, answered = excluded.answered,
    latency_sum_ms = excluded.latency_sum_ms, latencies = excluded.latencies,
    reasons = excluded.reasons
"""

_EVENT_NAMES = """
SELECT event_name FROM rollups INDEXED BY rollups_of_events
WHERE account_id = ? AND environment = ? AND app_id = ? AND step_ms = 3600000 AND bucket = ?
    AND endpoint_id = '' AND event_name <> ''
"""


class SqliteHotSql:
    """See `HotSql`."""

    def accept(
        self, connection: Connection, acceptances: Sequence[Acceptance]
    ) -> list[NotWritten | None]:
        raw = _driver(connection)
        refusals = _refusals(raw, acceptances)
        kept = [a for a, refusal in zip(acceptances, refusals, strict=True) if refusal is None]
        _execute(raw, _INSERT_RECORD, [_record_row(a.record) for a in kept if a.record])
        _execute(raw, _INSERT_MESSAGE, [_message_row(acceptance) for acceptance in kept])
        _execute(raw, _INSERT_TAG, tag_rows(kept))
        _execute(raw, _INSERT_DELIVERY, _delivery_rows(kept))
        ordering.place(connection, kept)
        return refusals

    def queue(self, connection: Connection, now_ms: int, limits: Mapping[str, int]) -> Queue:
        *rows, last = _driver(connection).execute(_QUEUE, (now_ms, _MOST_COUNTED)).fetchall()
        limited = {row[0]: Rate(row[6], row[7]) for row in rows if row[6] is not None}
        windows = rates.windows(connection, limited, now_ms) if limited else {}
        waiting = [
            Waiting.of(
                endpoint_id,
                (account_id, environment),
                free=min(slots, limits.get(endpoint_id, slots)) - leased,
                due=due,
                most_counted=_MOST_COUNTED,
                window=windows.get(endpoint_id),
            )
            for endpoint_id, account_id, environment, slots, leased, due, _, _ in rows
        ]
        again = [last[3], *(each.reopens_at for each in waiting if each.window is not None)]
        return Queue(tuple(waiting), min((at for at in again if at is not None), default=None))

    def reserve(
        self,
        connection: Connection,
        session_id: str,
        now_ms: int,
        limits: Mapping[str, int],
        round_: Round,
    ) -> Queue:
        if _driver(connection).execute(_SESSION, (session_id,)).fetchone() is None:
            raise SessionLost(session_id)
        return self.queue(connection, now_ms, limits)  # nobody else can claim

    def lease(
        self, connection: Connection, session_id: str, now_ms: int, shares: Sequence[Share]
    ) -> list[Leased]:
        raw = _driver(connection)
        rows = [
            row
            for share in shares
            for row in raw.execute(_DUE, (share.endpoint_id, now_ms, share.count)).fetchall()
        ]
        raw.execute(_LEASE, (session_id, json.dumps([row[0] for row in rows])))
        return [Leased(*row[1:]) for row in rows]

    def versions(self, connection: Connection, ids: Collection[str]) -> dict[str, int]:
        found = _driver(connection).execute(_APP_VERSIONS, (json.dumps(list(ids)),))
        return dict(found.fetchall())

    def leases(self, connection: Connection, ids: Collection[str]) -> dict[str, Lease]:
        rows = _driver(connection).execute(_LEASES, (json.dumps(list(ids)),))
        return {
            key: Lease(session_id, fence, bool(is_stopped))
            for key, session_id, fence, is_stopped in rows
        }

    def settle(self, connection: Connection, settlements: Sequence[Settlement]) -> None:
        self.insert_attempts(connection, [settlement.attempt for settlement in settlements])
        _execute(_driver(connection), _MOVE_ON, [settlement_row(s) for s in settlements])

    def insert_attempts(self, connection: Connection, attempts: Sequence[NewAttempt]) -> None:
        _execute(_driver(connection), _INSERT_ATTEMPT, [attempt_row(a) for a in attempts])

    def add_deltas(self, connection: Connection, deltas: Sequence[NewDelta]) -> None:
        _execute(_driver(connection), _INSERT_DELTA, [delta_row(delta) for delta in deltas])

    def delete_deltas(self, connection: Connection, ids: Collection[int]) -> None:
        _driver(connection).execute(_DELETE_DELTAS, (json.dumps(list(ids)),))

    def rollups(
        self, connection: Connection, keys: Collection[RollupKey]
    ) -> dict[RollupKey, Counts]:
        return dict(map(rollup_of, _execute(_driver(connection), _ROLLUPS, list(keys))))

    def put_rollups(self, connection: Connection, sums: Mapping[RollupKey, Counts]) -> None:
        rows = [rollup_row(key, counts) for key, counts in sums.items()]
        _execute(_driver(connection), _PUT_ROLLUPS, rows)

    def event_names(self, connection: Connection, of: EventHour) -> set[str]:
        return {row[0] for row in _driver(connection).execute(_EVENT_NAMES, of)}


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.driver_connection)


_Row = tuple[object, ...]
_AT_ONCE = 64  # rows of a statement; each number of rows is a statement of its own, and kept


def _execute(raw: sqlite3.Connection, statement: str, rows: Sequence[_Row]) -> list[Any]:
    """Run `statement` on all rows, as few times as may be; what it returned."""
    found: list[Any] = []
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        sql = _of_rows(statement, len(some), len(some[0]))
        found += raw.execute(sql, [value for row in some for value in row]).fetchall()
    return found


@lru_cache(maxsize=12 * _AT_ONCE)
def _of_rows(statement: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return statement.format(rows=", ".join([row] * rows))


def _refusals(
    raw: sqlite3.Connection, acceptances: Sequence[Acceptance]
) -> list[NotWritten | None]:
    app_ids = json.dumps(list({a.message.app_id for a in acceptances}))
    versions: dict[str, int] = dict(raw.execute(_VERSIONS, (app_ids,)).fetchall())
    scopes = [(a.record.scope,) for a in acceptances if a.record is not None]
    taken_until: dict[bytes, float] = dict(_execute(raw, _RECORDS, scopes))
    refusals: list[NotWritten | None] = []
    for acceptance in acceptances:
        refusal = _refusal(versions, taken_until, acceptance)
        if refusal is None and acceptance.record is not None:
            taken_until[acceptance.record.scope] = math.inf
        refusals.append(refusal)
    return refusals


def _refusal(
    versions: Mapping[str, int], taken_until: Mapping[bytes, float], acceptance: Acceptance
) -> NotWritten | None:
    record = acceptance.record
    # The record goes first: a repeated request is answered from it, whatever changed since.
    if record is not None and taken_until.get(record.scope, 0) > record.started_at:
        return RecordExists(record.scope)
    app_id = acceptance.message.app_id
    if versions.get(app_id) != acceptance.subscriptions_version:
        return StaleSubscriptions(app_id)
    return None


def _record_row(r: NewRecord) -> _Row:
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


def _message_row(acceptance: Acceptance) -> _Row:
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
        m.traceparent,
        tags_text(m),
        m.deliver_at,
        m.expires_at,
        m.ordering_key,
    )


def _delivery_rows(acceptances: Iterable[Acceptance]) -> list[_Row]:
    return [
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
            "pending",
            0,
            0,
            0,
            d.expires_at,
        )
        for acceptance in acceptances
        for d in acceptance.unordered
    ]
