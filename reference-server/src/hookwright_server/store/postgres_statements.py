"""The SQL of the hot statements for Postgres; `postgres_hot` runs them."""

from __future__ import annotations

# Arrays go in binary (%b): as text, psycopg would look at each value for what must be escaped, and
# take 7 µs instead of 0.3 µs for a value that is JSON.

DELIVERY_COLUMNS = 12

# One statement judges and writes a whole group. The record goes first: a repeated request is
# answered from it, whatever changed since. Records are written in order, so that two processes
# that were sent the same requests do not wait for each other in a circle; of two with the same
# record the second waits for the commit of the first, writes nothing, and is told so.
ACCEPT = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        %b::int[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
        %b::bytea[], %b::int[], %b::int[], %b::bigint[], %b::text[], %b::int[],
        %b::bytea[], %b::bytea[], %b::int[], %b::bytea[], %b::bigint[], %b::bigint[],
        %b::text[], %b::bigint[], %b::bigint[], %b::text[]
    ) AS g(number, id, account_id, environment, app_id, event_name, event_id,
        payload, endpoint_count, filtered_count, created_at, traceparent, version,
        scope, fingerprint, status, response_sealed, started_at, expires_at,
        tags, deliver_at, message_expires_at, ordering_key)
),
judged AS MATERIALIZED (
    SELECT number, CASE
        WHEN scope IS NOT NULL AND EXISTS (
            SELECT FROM idempotency_records AS r
            WHERE r.scope = given.scope AND r.expires_at > given.started_at
        ) THEN 'repeated'
        WHEN version = (
            SELECT subscriptions_version FROM apps
            WHERE apps.id = given.app_id AND deleted_at IS NULL
        ) THEN 'good'
        ELSE 'stale' END AS verdict
    FROM given
),
recorded AS (
    INSERT INTO idempotency_records AS r
        (scope, account_id, environment, fingerprint, status, response_sealed, started_at,
         expires_at)
    SELECT scope, account_id, environment, fingerprint, status, response_sealed, started_at,
        expires_at
    FROM given
    WHERE scope IS NOT NULL
        AND (number IN (SELECT number FROM judged WHERE verdict = 'good')) IS TRUE
    ORDER BY scope
    ON CONFLICT (scope) DO UPDATE SET
        account_id = excluded.account_id, environment = excluded.environment,
        fingerprint = excluded.fingerprint, status = excluded.status,
        response_sealed = excluded.response_sealed, started_at = excluded.started_at,
        expires_at = excluded.expires_at
    WHERE r.expires_at <= excluded.started_at
    RETURNING scope
),
kept AS MATERIALIZED (
    SELECT number FROM given
    WHERE (number IN (SELECT number FROM judged WHERE verdict = 'good')) IS TRUE
        AND (scope IS NULL OR (scope IN (SELECT scope FROM recorded)) IS TRUE)
),
new_messages AS (
    INSERT INTO messages
        (id, account_id, environment, app_id, event_name, event_id, payload,
         endpoint_count, filtered_count, created_at, traceparent, tags, deliver_at, expires_at,
         ordering_key)
    SELECT id, account_id, environment, app_id, event_name, event_id, payload,
        endpoint_count, filtered_count, created_at, traceparent, tags, deliver_at,
        message_expires_at, ordering_key
    FROM given WHERE (number IN (SELECT number FROM kept)) IS TRUE
),
new_deliveries AS (
    INSERT INTO deliveries
        (id, account_id, environment, app_id, message_id, endpoint_id, event_name,
         max_attempts, next_attempt_at, created_at,
         status, attempt_count, uncounted_attempts, fence, expires_at)
    SELECT id, account_id, environment, app_id, message_id, endpoint_id, event_name,
        max_attempts, next_attempt_at, created_at, 'pending', 0, 0, 0, expires_at
    FROM unnest(
        %b::int[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
        %b::text[], %b::int[], %b::bigint[], %b::bigint[], %b::bigint[]
    ) AS d(number, id, account_id, environment, app_id, message_id, endpoint_id,
        event_name, max_attempts, next_attempt_at, created_at, expires_at)
    WHERE (number IN (SELECT number FROM kept)) IS TRUE
)
SELECT number, CASE
    WHEN verdict <> 'good' THEN verdict
    WHEN (number IN (SELECT number FROM kept)) IS TRUE THEN 'good'
    ELSE 'repeated' END
FROM judged
"""

INSERT_TAGS = """
INSERT INTO message_tags (account_id, environment, tag, message_id)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[])
"""

VERSIONS = """
SELECT endpoints.id, apps.subscriptions_version
FROM endpoints JOIN apps ON apps.id = endpoints.app_id WHERE endpoints.id = ANY (%s)
"""

# Which endpoints have due rows, and when the next one has. Rows that fell due last come first, by
# time: when those are all, that is that, however many endpoints wait for later. When there are
# more, a loose index scan adds to them: one seek per endpoint that has pending rows, however many
# those are. What was known to have more than its slots is looked at each time.
#
# `endpoint_id > ''` is always true. Only what says so can use the index by time, which would be a
# trap for every query that asks about one endpoint. OFFSET 0: endpoints are looked up one by one.
LOOK = """
WITH RECURSIVE
asked(session, now, most, after, known) AS MATERIALIZED (
    SELECT %s::text, %s::bigint, %s::int, %s::text, %b::text[]
),
latest AS MATERIALIZED (
    SELECT endpoint_id FROM deliveries
    WHERE status = 'pending' AND endpoint_id > '' AND next_attempt_at <= (SELECT now FROM asked)
    ORDER BY next_attempt_at DESC LIMIT (SELECT most FROM asked)
),
pending AS (
    SELECT first.endpoint_id, first.due_at, 1 AS number
    FROM asked CROSS JOIN LATERAL (
        SELECT endpoint_id, next_attempt_at AS due_at FROM deliveries
        WHERE status = 'pending' AND endpoint_id > asked.after
        ORDER BY endpoint_id, next_attempt_at LIMIT 1
    ) AS first
    WHERE (SELECT count(*) FROM latest) = asked.most
    UNION ALL
    SELECT next.endpoint_id, next.due_at, pending.number + 1
    FROM pending CROSS JOIN LATERAL (
        SELECT endpoint_id, next_attempt_at AS due_at FROM deliveries
        WHERE status = 'pending' AND endpoint_id > pending.endpoint_id
        ORDER BY endpoint_id, next_attempt_at LIMIT 1
    ) AS next
    WHERE pending.number < (SELECT most FROM asked)
),
due AS (
    SELECT endpoint_id, bool_and(is_sought) AS is_sought FROM (
        SELECT endpoint_id, false AS is_sought FROM latest
        UNION ALL SELECT unnest(known), false FROM asked
        UNION ALL SELECT endpoint_id, true FROM pending WHERE due_at <= (SELECT now FROM asked)
    ) AS found
    GROUP BY endpoint_id
),
later AS (
    SELECT endpoint_id, next_attempt_at FROM deliveries
    WHERE status = 'pending' AND endpoint_id > '' AND next_attempt_at > (SELECT now FROM asked)
    ORDER BY next_attempt_at LIMIT 100
)
SELECT open.id, open.account_id, open.environment, open.max_concurrency::bigint, due.is_sought,
    NULL, open.rate_max_requests, open.rate_duration_ms
FROM due CROSS JOIN LATERAL (
    SELECT * FROM endpoints
    WHERE id = due.endpoint_id AND active AND deleted_at IS NULL
        AND (SELECT deleted_at IS NULL FROM apps WHERE apps.id = endpoints.app_id)
    OFFSET 0
) AS open
UNION ALL
SELECT NULL,
    (SELECT id FROM worker_sessions WHERE id = (SELECT session FROM asked)),
    (SELECT endpoint_id FROM pending WHERE number = (SELECT most FROM asked)),
    coalesce(
        (SELECT later.next_attempt_at FROM later CROSS JOIN LATERAL (
            SELECT FROM endpoints
            WHERE id = later.endpoint_id AND active AND deleted_at IS NULL
                AND (SELECT deleted_at IS NULL FROM apps WHERE apps.id = endpoints.app_id)
            OFFSET 0
        ) AS open LIMIT 1),
        (SELECT max(next_attempt_at) FROM later HAVING count(*) = 100)
    ),
    NULL,
    (SELECT count(*) FROM latest) = (SELECT most FROM asked),
    NULL, NULL
"""

# In a statement of its own, which waits for nobody: an endpoint that another claimer has is left
# to that one.
RESERVE = """
SELECT id FROM unnest(%b::text[]) AS given(id)
WHERE pg_try_advisory_xact_lock(hashtextextended(id, 0))
"""

COUNTS = """
SELECT id,
    (SELECT count(*) FROM deliveries WHERE status = 'sending' AND endpoint_id = given.id),
    (SELECT count(*) FROM (
        SELECT FROM deliveries
        WHERE status = 'pending' AND endpoint_id = given.id AND next_attempt_at <= %(now)s::bigint
        LIMIT given.most
    ) AS due)
FROM unnest(%(ids)s::text[], %(most)s::int[]) AS given(id, most)
"""

# Whoever declares the session dead waits for this transaction, or this one leases nothing.
# The planner takes LIMIT share.count for a tenth of all that is due and would read whole tables to
# join so much: an array and OFFSET 0 let it look up row by row.
LEASE = """
WITH alive AS MATERIALIZED (
    SELECT id FROM worker_sessions WHERE id = %(session)s FOR KEY SHARE
),
due AS MATERIALIZED (
    SELECT taken.id
    FROM unnest(%(endpoints)s::text[], %(counts)s::int[]) AS share(endpoint_id, count)
    CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE status = 'pending' AND endpoint_id = share.endpoint_id
            AND next_attempt_at <= %(now)s::bigint
        ORDER BY next_attempt_at
        LIMIT share.count
        FOR UPDATE SKIP LOCKED
    ) AS taken
    WHERE EXISTS (SELECT FROM alive)
),
leased AS (
    UPDATE deliveries AS d
    SET status = 'sending', lease_session = %(session)s, fence = d.fence + 1
    WHERE d.id = ANY (ARRAY(SELECT id FROM due))
    RETURNING d.id, d.message_id, d.endpoint_id, d.event_name, d.attempt_count,
        d.uncounted_attempts, d.fence, d.created_at, d.next_attempt_at, d.expires_at,
        CASE WHEN d.is_ordered THEN d.ordering_key END AS ordering_key
)
SELECT d.id, d.message_id, d.endpoint_id, d.event_name, d.attempt_count, d.uncounted_attempts,
    d.fence, d.created_at, m.created_at, m.payload, m.traceparent, d.expires_at, d.ordering_key
FROM leased AS d CROSS JOIN LATERAL (
    SELECT created_at, payload, traceparent FROM messages WHERE id = d.message_id OFFSET 0
) AS m
ORDER BY d.next_attempt_at
"""

# In order, and with the session: what was declared dead completes nothing any more.
LEASES = """
SELECT d.id, d.lease_session, d.fence, d.cancel_reason IS NOT NULL
FROM deliveries AS d JOIN worker_sessions AS s ON s.id = d.lease_session
WHERE d.status = 'sending' AND d.id = ANY(%b::text[])
ORDER BY d.id
FOR UPDATE OF d FOR KEY SHARE OF s
"""

INSERT_ATTEMPTS = """
INSERT INTO attempts
    (id, account_id, environment, delivery_id, number, failure_reason, status_code, latency_ms,
     response_body, response_body_truncated, request_headers, created_at)
SELECT * FROM unnest(
    %b::text[], %b::text[], %b::text[], %b::text[], %b::int[], %b::text[], %b::int[], %b::int[],
    %b::bytea[], %b::boolean[], %b::text[], %b::bigint[])
"""

MOVE_ON = """
UPDATE deliveries AS d
SET status = CASE WHEN done.status = 'pending' AND d.cancel_reason IS NOT NULL
        THEN 'cancelled' ELSE done.status END,
    cancel_reason = CASE WHEN done.status IN ('pending', 'cancelled')
        THEN d.cancel_reason END,
    attempt_count = done.attempt_count, max_attempts = done.max_attempts,
    next_attempt_at = CASE WHEN d.cancel_reason IS NULL THEN done.next_attempt_at END,
    lease_session = NULL,
    last_status_code = done.status_code, last_failure_reason = done.failure_reason,
    latency_ms = done.latency_ms,
    completed_at = CASE WHEN done.status <> 'pending' OR d.cancel_reason IS NOT NULL
        THEN done.ended_at END
FROM unnest(
    %b::text[], %b::int[], %b::text[], %b::int[], %b::int[], %b::bigint[], %b::int[], %b::text[],
    %b::int[], %b::bigint[]
) AS done(id, fence, status, attempt_count, max_attempts, next_attempt_at, status_code,
    failure_reason, latency_ms, ended_at)
WHERE d.id = done.id AND d.fence = done.fence
"""

INSERT_DELTAS = """
INSERT INTO rollup_deltas (account_id, environment, app_id, cells, merged_at)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[])
"""

DELETE_DELTAS = "DELETE FROM rollup_deltas WHERE id = ANY(%b::bigint[])"

ROLLUPS = """
SELECT r.* FROM unnest(
    %b::text[], %b::text[], %b::text[], %b::int[], %b::text[], %b::text[], %b::bigint[]
) AS given(account_id, environment, app_id, step_ms, endpoint_id, event_name, bucket)
CROSS JOIN LATERAL (
    SELECT * FROM rollups
    WHERE account_id = given.account_id AND environment = given.environment
        AND app_id = given.app_id AND step_ms = given.step_ms
        AND endpoint_id = given.endpoint_id AND event_name = given.event_name
        AND bucket = given.bucket
    OFFSET 0
) AS r
"""

# Only one transaction at a time writes these rows, so their order does not matter.
PUT_ROLLUPS = """
INSERT INTO rollups (
    account_id, environment, app_id, step_ms, endpoint_id, event_name, bucket, messages,
    filtered, deliveries, delivered, failed, dead_letter, cancelled, attempts, succeeded,
    answered, latency_sum_ms, latencies, reasons
)
SELECT * FROM unnest(
    %b::text[], %b::text[], %b::text[], %b::int[], %b::text[], %b::text[], %b::bigint[],
    %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],
    %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],
    %b::text[], %b::text[])
ON CONFLICT (account_id, environment, app_id, step_ms, endpoint_id, event_name, bucket)
DO UPDATE SET
    messages = excluded.messages, filtered = excluded.filtered,
    deliveries = excluded.deliveries, delivered = excluded.delivered, failed = excluded.failed,
    dead_letter = excluded.dead_letter, cancelled = excluded.cancelled,
    attempts = excluded.attempts, succeeded = excluded.succeeded, answered = excluded.answered,
    latency_sum_ms = excluded.latency_sum_ms, latencies = excluded.latencies,
    reasons = excluded.reasons
"""

EVENT_NAMES = """
SELECT event_name FROM rollups
WHERE account_id = %s AND environment = %s AND app_id = %s AND step_ms = 3600000 AND bucket = %s
    AND endpoint_id = '' AND event_name <> ''
"""
