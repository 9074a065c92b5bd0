"""Every table, once. Instants are epoch milliseconds (bigint); JSON columns hold JSON text.

Each row carries its account and environment: nothing is ever read across that border.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hookwright_server.store.columns import TEXT

metadata = sa.MetaData()

Instant = sa.BigInteger
Json = TEXT


def _scope() -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
    )


def _partial(name: str, *columns: Any, where: str, unique: bool = False) -> sa.Index:
    """An index of the rows for which `where` holds, on either back end."""
    condition = sa.text(where)
    return sa.Index(
        name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )


accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("requests_per_minute", sa.Integer),
    sa.Column("messages_per_second", sa.Integer),
    sa.Column("created_at", Instant, nullable=False),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    *_scope(),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("app_id", TEXT),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False),
    sa.Column("previous_hash", sa.LargeBinary),
    sa.Column("previous_valid_until", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
    sa.Index("api_keys_by_scope", "account_id", "environment", "id"),
)

apps = sa.Table(
    "apps",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    *_scope(),
    sa.Column("slug", TEXT, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("description", TEXT),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("retry_policy", Json),
    sa.Column("rate_limit_per_second", sa.Integer),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("subscriptions_version", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("deleted_at", Instant),
    sa.Column("event_type_policy", TEXT, nullable=False, server_default="open"),
    # Whether it has ever had one: publishing to an app without any does not look for them.
    sa.Column("has_event_types", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("retention_days", sa.Integer, nullable=False, server_default="30"),
    _partial(
        "apps_slug",
        "account_id",
        "environment",
        "slug",
        unique=True,
        where="deleted_at IS NULL",
    ),
    sa.Index("apps_by_scope", "account_id", "environment", "id"),
)

event_types = sa.Table(
    "event_types",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    *_scope(),
    sa.Column("app_id", TEXT, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("description", TEXT),
    sa.Column("group", TEXT),
    sa.Column("schema", Json),
    sa.Column("schema_digest", TEXT),  # SHA-256 of the text of `schema`
    sa.Column("example_payload", Json),
    sa.Column("archived", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Index("event_types_name", "app_id", "name", unique=True),
    sa.Index("event_types_by_app", "app_id", "id"),
    sa.Index("event_types_by_scope", "account_id", "environment", "id"),
)

endpoints = sa.Table(
    "endpoints",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    *_scope(),
    sa.Column("app_id", TEXT, nullable=False),
    sa.Column("url", TEXT, nullable=False),
    sa.Column("description", TEXT),
    sa.Column("events", Json, nullable=False),
    sa.Column("header_names", Json, nullable=False),
    sa.Column("headers_sealed", sa.LargeBinary),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("timeout_ms", sa.Integer, nullable=False),
    sa.Column("retry_policy", Json),
    sa.Column("max_concurrency", sa.Integer, nullable=False),
    sa.Column("signing_source", TEXT, nullable=False),
    sa.Column("both_sources_until", Instant),
    sa.Column("consecutive_failures", sa.Integer, nullable=False),
    sa.Column("dead_letter_streak", sa.Integer, nullable=False),
    sa.Column("first_failure_at", Instant),
    sa.Column("last_success_at", Instant),
    sa.Column("last_failure_at", Instant),
    sa.Column("disabled_at", Instant),
    sa.Column("disabled_reason", TEXT),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("deleted_at", Instant),
    sa.Column("filter_rules", Json),
    sa.Column("transformation", Json),
    sa.Column("signing_scheme", TEXT, nullable=False, server_default="v1"),
    sa.Column("both_schemes_until", Instant),
    sa.Column("rate_max_requests", sa.Integer),  # null, and so is the other: no limit
    sa.Column("rate_duration_ms", sa.Integer),
    # Deleted, and nothing of it has been pending since: see upkeep.
    sa.Column("is_swept", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("failing_since", Instant),  # see domain.health
    sa.Index("endpoints_by_app", "app_id", "id"),
    sa.Index("endpoints_by_scope", "account_id", "environment", "id"),
    # However many were deleted: publishing and lists look at those that are left.
    _partial(
        "endpoints_live_by_app",
        "app_id",
        "id",
        where="deleted_at IS NULL",
    ),
    _partial(
        "endpoints_live_by_scope",
        "account_id",
        "environment",
        "id",
        where="deleted_at IS NULL",
    ),
    _partial(
        "endpoints_unswept",
        "id",
        where="deleted_at IS NOT NULL AND NOT is_swept",
    ),
)

signing_secrets = sa.Table(
    "signing_secrets",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    *_scope(),
    sa.Column("app_id", TEXT, nullable=False),
    sa.Column("endpoint_id", TEXT),  # null: the secret belongs to the app
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),  # null: the current secret
    sa.Column("scheme", TEXT, nullable=False, server_default="v1"),
    sa.Index("signing_secrets_by_owner", "app_id", "endpoint_id"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    *_scope(),
    sa.Column("app_id", TEXT, nullable=False),
    sa.Column("event_name", TEXT, nullable=False),
    sa.Column("event_id", TEXT),
    sa.Column("payload", sa.LargeBinary, nullable=False),  # byte for byte as received
    sa.Column("endpoint_count", sa.Integer, nullable=False),
    sa.Column("filtered_count", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("traceparent", TEXT),  # W3C Trace Context, when traces are on
    sa.Column("tags", Json),  # null: none; each is a row of message_tags as well
    sa.Column("deliver_at", Instant),
    sa.Column("expires_at", Instant),
    sa.Column("expunged_at", Instant),  # the payload is empty since
    # Of those that `endpoint_count` counts, how many retention has erased.
    sa.Column("erased_deliveries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("ordering_key", TEXT),
    sa.Index("messages_by_app", "app_id", "id"),
    sa.Index("messages_by_scope", "account_id", "environment", "id"),
    _partial(
        "messages_by_event_id",
        "account_id",
        "environment",
        "event_id",
        "id",
        where="event_id IS NOT NULL",
    ),
)

message_tags = sa.Table(
    "message_tags",
    metadata,
    sa.Column("account_id", TEXT, primary_key=True),
    sa.Column("environment", TEXT, primary_key=True),
    sa.Column("tag", TEXT, primary_key=True),
    sa.Column("message_id", TEXT, primary_key=True),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    *_scope(),
    sa.Column("app_id", TEXT, nullable=False),
    sa.Column("message_id", TEXT, nullable=False),
    sa.Column("endpoint_id", TEXT, nullable=False),
    sa.Column("event_name", TEXT, nullable=False),
    # pending | sending | delivered | failed | dead_letter | cancelled; `held` is how a
    # pending delivery of a disabled endpoint reads.
    sa.Column("status", TEXT, nullable=False),
    sa.Column("attempt_count", sa.Integer, nullable=False),
    # Attempts that do not count against the present schedule: those before a retry by hand
    # and those interrupted by the death of a worker.
    sa.Column("uncounted_attempts", sa.Integer, nullable=False),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    # null while pending: its turn in its order has not come.
    sa.Column("next_attempt_at", Instant),
    sa.Column("lease_session", TEXT),  # worker_sessions.id while sending
    sa.Column("fence", sa.Integer, nullable=False),  # grows with every claim
    sa.Column("last_status_code", sa.Integer),
    sa.Column("last_failure_reason", TEXT),
    sa.Column("latency_ms", sa.Integer),
    sa.Column("cancel_reason", TEXT),  # while sending: no attempt is to follow this one
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("completed_at", Instant),
    sa.Column("expires_at", Instant),  # no attempt begins from then on
    sa.Column("replay_of", TEXT),
    sa.Column("ordering_key", TEXT),
    sa.Column("sequence", sa.BigInteger),  # with a key only: its place, see ordering_lanes
    sa.Column("is_ordered", sa.Boolean),  # others wait for it, or it for them
    sa.Index("deliveries_by_app", "app_id", "id"),
    sa.Index("deliveries_by_scope", "account_id", "environment", "id"),
    sa.Index("deliveries_by_endpoint", "endpoint_id", "id"),
    sa.Index("deliveries_by_message", "message_id"),
    _partial(
        "deliveries_due",
        "endpoint_id",
        "next_attempt_at",
        where="status = 'pending'",
    ),
    _partial(
        "deliveries_leased",
        "endpoint_id",
        "lease_session",
        where="status = 'sending'",
    ),
    _partial(
        "deliveries_expiring",
        "expires_at",
        where="status = 'pending' AND expires_at IS NOT NULL",
    ),
    _partial(
        "deliveries_in_order",
        "endpoint_id",
        "ordering_key",
        "sequence",
        unique=True,
        where="is_ordered AND status IN ('pending', 'sending')",
    ),
)

# Each ordering key of an endpoint, with the last place that was given in its order.
ordering_lanes = sa.Table(
    "ordering_lanes",
    metadata,
    sa.Column("endpoint_id", TEXT, primary_key=True),
    sa.Column("ordering_key", TEXT, primary_key=True),
    *_scope(),
    sa.Column("last_sequence", sa.BigInteger, nullable=False),
)

UNSUCCESSFUL = "status IN ('failed', 'dead_letter')"
"""The predicate of the indexes by which lists find the few of many that failed."""

for _name, _columns in {
    "deliveries_unsuccessful_by_scope": ("account_id", "environment", "id"),
    "deliveries_unsuccessful_by_app": ("app_id", "id"),
    "deliveries_unsuccessful_by_endpoint": ("endpoint_id", "id"),
}.items():
    _partial(
        _name,
        *(deliveries.c[each] for each in _columns),
        where=UNSUCCESSFUL,
    )

# Lists find the few of many that were cancelled.
_CANCELLED = "status = 'cancelled'"

_partial(
    "deliveries_cancelled_by_scope",
    deliveries.c.account_id,
    deliveries.c.environment,
    deliveries.c.id,
    where=_CANCELLED,
)

# By time over all endpoints. Its predicate is always true of a pending row, and there so that only
# a look for what is due can use it, never a query about one endpoint.
sa.Index(
    "deliveries_by_due_time",
    deliveries.c.next_attempt_at,
    deliveries.c.endpoint_id,
    postgresql_where=sa.text("status = 'pending' AND endpoint_id > ''"),
).ddl_if(dialect="postgresql")

replay_tasks = sa.Table(
    "replay_tasks",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    *_scope(),
    sa.Column("app_id", TEXT, nullable=False),
    sa.Column("status", TEXT, nullable=False),  # queued | running | completed | cancelled
    sa.Column("delivery_ids", Json),  # null: the range below
    sa.Column("after", Instant),
    sa.Column("before", Instant),
    sa.Column("statuses", Json),
    sa.Column("event_name", TEXT),
    sa.Column("endpoint_id", TEXT),
    sa.Column("max_count", sa.Integer, nullable=False),
    sa.Column("position", TEXT, nullable=False),  # the last delivery of the range looked at
    sa.Column("stepped_at", Instant, nullable=False),
    sa.Column("total_count", sa.Integer, nullable=False),
    sa.Column("processed_count", sa.Integer, nullable=False),
    sa.Column("replayed_count", sa.Integer, nullable=False),
    sa.Column("skipped_count", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("completed_at", Instant),
    sa.Index("replay_tasks_by_app", "app_id", "id"),
    sa.Index("replay_tasks_by_scope", "account_id", "environment", "id"),
    _partial(
        "replay_tasks_open",
        "stepped_at",
        where="status IN ('queued', 'running')",
    ),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    *_scope(),
    sa.Column("delivery_id", TEXT, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("failure_reason", TEXT),  # null: succeeded
    sa.Column("status_code", sa.Integer),
    sa.Column("latency_ms", sa.Integer),
    sa.Column("response_body", sa.LargeBinary),
    sa.Column("response_body_truncated", sa.Boolean, nullable=False),
    sa.Column("request_headers", Json, nullable=False),  # secrets masked
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("attempts_by_delivery", "delivery_id", "number", unique=True),
)

# The present window of endpoints with a rate limit: when it began, how many attempts began in it.
endpoint_windows = sa.Table(
    "endpoint_windows",
    metadata,
    sa.Column("endpoint_id", TEXT, primary_key=True),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("used", sa.Integer, nullable=False),
)

worker_sessions = sa.Table(
    "worker_sessions",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("renewed_at", Instant, nullable=False),
)

# On Postgres: the number of the last transaction that each process has committed.
writers = sa.Table(
    "writers",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
)

idempotency_records = sa.Table(
    "idempotency_records",
    metadata,
    sa.Column("scope", sa.LargeBinary, primary_key=True),  # sha256 of account, env, route, key
    sa.Column("account_id", TEXT, nullable=False),
    sa.Column("environment", TEXT, nullable=False),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),  # sha256 of the body
    sa.Column("status", sa.Integer),  # null: started, no result yet
    sa.Column("response_sealed", sa.LargeBinary),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index("idempotency_records_by_expiry", "expires_at"),
)

keyring = sa.Table(
    "keyring",
    metadata,
    # A known text sealed under each key-encryption key: a wrong key is found at start.
    sa.Column("key_id", TEXT, primary_key=True),
    sa.Column("probe_sealed", sa.LargeBinary, nullable=False),
)

# What transactions have counted and nobody has added up yet; the rows come and go, and are few.
rollup_deltas = sa.Table(
    "rollup_deltas",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    *_scope(),
    sa.Column("app_id", TEXT, nullable=False),
    sa.Column("cells", Json, nullable=False),
    # When the oldest of those was merged of which it is the sum; null: a transaction added it.
    sa.Column("merged_at", Instant),
)

# Sums of a step of time. An empty app, endpoint or event stands for all of them together.
rollups = sa.Table(
    "rollups",
    metadata,
    sa.Column("account_id", TEXT, primary_key=True),
    sa.Column("environment", TEXT, primary_key=True),
    sa.Column("app_id", TEXT, primary_key=True),
    sa.Column("step_ms", sa.Integer, primary_key=True),
    sa.Column("endpoint_id", TEXT, primary_key=True),
    sa.Column("event_name", TEXT, primary_key=True),
    sa.Column("bucket", Instant, primary_key=True),
    *(
        sa.Column(name, sa.BigInteger, nullable=False)
        for name in (
            "messages",
            "filtered",
            "deliveries",
            "delivered",
            "failed",
            "dead_letter",
            "cancelled",
            "attempts",
            "succeeded",
            "answered",
            "latency_sum_ms",
        )
    ),
    sa.Column("latencies", Json, nullable=False),
    sa.Column("reasons", Json, nullable=False),
)

# What is old, by step. Not one index of both columns: Postgres would use it to find single rows
# too, and walk all of a step, as long as it knows nothing of how many there are.
for _step, _step_ms in {"5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}.items():
    _partial(
        f"rollups_by_age_{_step}",
        rollups.c.bucket,
        where=f"step_ms = {_step_ms}",
    )

# Which events and endpoints had most: each index holds the rows of one such list only.
for _name, _condition in {
    "rollups_of_events": "endpoint_id = '' AND event_name <> ''",
    "rollups_of_endpoints": "endpoint_id <> '' AND event_name = ''",
    "rollups_of_both": "endpoint_id <> '' AND event_name <> ''",
}.items():
    _partial(
        _name,
        *(rollups.c[each] for each in ("account_id", "environment", "app_id", "step_ms", "bucket")),
        where=_condition,
    )
