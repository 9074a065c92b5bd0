"""The SQL of the hot statements for Postgres; `postgres_hot` runs them."""

from __future__ import annotations

DELIVERY_COLUMNS = 11

# One statement judges and writes a whole group. The record goes first: a repeated request is
# answered from it, whatever changed since. Records are written in order, so that two processes
# that were sent the same requests do not wait for each other in a circle; of two with the same
# record the second waits for the commit of the first, writes nothing, and is told so.
ACCEPT = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %b::bytea[], %s::int[], %s::int[], %s::bigint[], %s::text[], %s::int[],
        %b::bytea[], %b::bytea[], %s::int[], %b::bytea[], %s::bigint[], %s::bigint[]
    ) AS g(number, id, account_id, environment, app_id, event_name, event_id,
        payload, endpoint_count, filtered_count, created_at, traceparent, version,
        scope, fingerprint, status, response_sealed, started_at, expires_at)
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
         endpoint_count, filtered_count, created_at, traceparent)
    SELECT id, account_id, environment, app_id, event_name, event_id, payload,
        endpoint_count, filtered_count, created_at, traceparent
    FROM given WHERE (number IN (SELECT number FROM kept)) IS TRUE
),
new_deliveries AS (
    INSERT INTO deliveries
        (id, account_id, environment, app_id, message_id, endpoint_id, event_name,
         max_attempts, next_attempt_at, created_at,
         status, attempt_count, uncounted_attempts, fence)
    SELECT id, account_id, environment, app_id, message_id, endpoint_id, event_name,
        max_attempts, next_attempt_at, created_at, 'pending', 0, 0, 0
    FROM unnest(
        %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::int[], %s::bigint[], %s::bigint[]
    ) AS d(number, id, account_id, environment, app_id, message_id, endpoint_id,
        event_name, max_attempts, next_attempt_at, created_at)
    WHERE (number IN (SELECT number FROM kept)) IS TRUE
)
SELECT number, CASE
    WHEN verdict <> 'good' THEN verdict
    WHEN (number IN (SELECT number FROM kept)) IS TRUE THEN 'good'
    ELSE 'repeated' END
FROM judged
"""

VERSIONS = """
SELECT endpoints.id, apps.subscriptions_version
FROM endpoints JOIN apps ON apps.id = endpoints.app_id WHERE endpoints.id = ANY (%s)
"""

# A loose index scan: one seek per endpoint that has pending rows, however many those are. Its
# first row is the one that is due first. OFFSET 0: endpoints are looked up one by one too.
WINDOW = """
WITH RECURSIVE
asked(after, now, most) AS (SELECT %s::text, %s::bigint, %s::int),
pending AS (
    SELECT first.endpoint_id, first.due_at, 1 AS number
    FROM asked CROSS JOIN LATERAL (
        SELECT endpoint_id, next_attempt_at AS due_at FROM deliveries
        WHERE status = 'pending' AND endpoint_id > asked.after
        ORDER BY endpoint_id, next_attempt_at LIMIT 1
    ) AS first
    UNION ALL
    SELECT next.endpoint_id, next.due_at, pending.number + 1
    FROM pending CROSS JOIN LATERAL (
        SELECT endpoint_id, next_attempt_at AS due_at FROM deliveries
        WHERE status = 'pending' AND endpoint_id > pending.endpoint_id
        ORDER BY endpoint_id, next_attempt_at LIMIT 1
    ) AS next
    WHERE pending.number < (SELECT most FROM asked)
),
open AS MATERIALIZED (
    SELECT pending.due_at, endpoints.id, endpoints.account_id, endpoints.environment,
        endpoints.max_concurrency
    FROM pending CROSS JOIN LATERAL (
        SELECT * FROM endpoints
        WHERE id = pending.endpoint_id AND active AND deleted_at IS NULL OFFSET 0
    ) AS endpoints
    WHERE (SELECT deleted_at IS NULL FROM apps WHERE apps.id = endpoints.app_id)
)
SELECT id, account_id, environment, max_concurrency::bigint, NULL FROM open
WHERE due_at <= (SELECT now FROM asked)
UNION ALL
SELECT NULL, NULL, NULL,
    (SELECT min(due_at) FROM open WHERE due_at > (SELECT now FROM asked)),
    (SELECT endpoint_id FROM pending WHERE number = (SELECT most FROM asked))
"""

# In a statement of its own, which waits for nobody: an endpoint that another claimer has is left
# to that one.
RESERVE = """
SELECT id FROM unnest(%s::text[]) AS given(id)
WHERE pg_try_advisory_xact_lock(hashtextextended(id, 0))
"""

COUNTS = """
SELECT id,
    (SELECT count(*) FROM deliveries WHERE status = 'sending' AND endpoint_id = given.id),
    (SELECT count(*) FROM (
        SELECT FROM deliveries
        WHERE status = 'pending' AND endpoint_id = given.id AND next_attempt_at <= %(now)s::bigint
        LIMIT given.most
    ) AS due),
    (SELECT min(next_attempt_at) FROM deliveries
     WHERE status = 'pending' AND endpoint_id = given.id AND next_attempt_at > %(now)s::bigint)
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
        d.uncounted_attempts, d.fence, d.created_at, d.next_attempt_at
)
SELECT d.id, d.message_id, d.endpoint_id, d.event_name, d.attempt_count, d.uncounted_attempts,
    d.fence, d.created_at, m.created_at, m.payload, m.traceparent
FROM leased AS d CROSS JOIN LATERAL (
    SELECT created_at, payload, traceparent FROM messages WHERE id = d.message_id OFFSET 0
) AS m
ORDER BY d.next_attempt_at
"""

SESSION = "SELECT 1 FROM worker_sessions WHERE id = %s"

# In order, and with the session: what was declared dead completes nothing any more.
LEASES = """
SELECT d.id, d.lease_session, d.fence
FROM deliveries AS d JOIN worker_sessions AS s ON s.id = d.lease_session
WHERE d.status = 'sending' AND d.id = ANY(%s::text[])
ORDER BY d.id
FOR UPDATE OF d FOR KEY SHARE OF s
"""

INSERT_ATTEMPTS = """
INSERT INTO attempts
    (id, account_id, environment, delivery_id, number, failure_reason, status_code, latency_ms,
     response_body, response_body_truncated, request_headers, created_at)
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::int[], %s::int[],
    %b::bytea[], %s::boolean[], %s::text[], %s::bigint[])
"""

MOVE_ON = """
UPDATE deliveries AS d
SET status = done.status, attempt_count = done.attempt_count, max_attempts = done.max_attempts,
    next_attempt_at = done.next_attempt_at, lease_session = NULL,
    last_status_code = done.status_code, last_failure_reason = done.failure_reason,
    latency_ms = done.latency_ms, completed_at = done.completed_at
FROM unnest(
    %s::text[], %s::int[], %s::text[], %s::int[], %s::int[], %s::bigint[], %s::int[], %s::text[],
    %s::int[], %s::bigint[]
) AS done(id, fence, status, attempt_count, max_attempts, next_attempt_at, status_code,
    failure_reason, latency_ms, completed_at)
WHERE d.id = done.id AND d.fence = done.fence
"""
