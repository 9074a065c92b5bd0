"""Every table, once. Instants are epoch milliseconds (bigint); JSON columns hold JSON text.

Each row carries its account and environment: nothing is ever read across that border.
"""

from __future__ import annotations

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
    sa.Index(
        "apps_slug",
        "account_id",
        "environment",
        "slug",
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    ),
    sa.Index("apps_by_scope", "account_id", "environment", "id"),
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
    sa.Index("endpoints_by_app", "app_id", "id"),
    sa.Index("endpoints_by_scope", "account_id", "environment", "id"),
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
    sa.Index("messages_by_app", "app_id", "id"),
    sa.Index("messages_by_scope", "account_id", "environment", "id"),
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
    sa.Column("next_attempt_at", Instant),
    sa.Column("lease_session", TEXT),  # worker_sessions.id while sending
    sa.Column("fence", sa.Integer, nullable=False),  # grows with every claim
    sa.Column("last_status_code", sa.Integer),
    sa.Column("last_failure_reason", TEXT),
    sa.Column("latency_ms", sa.Integer),
    sa.Column("cancel_reason", TEXT),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("completed_at", Instant),
    sa.Index("deliveries_by_app", "app_id", "id"),
    sa.Index("deliveries_by_scope", "account_id", "environment", "id"),
    sa.Index("deliveries_by_endpoint", "endpoint_id", "id"),
    sa.Index("deliveries_by_message", "message_id"),
    sa.Index(
        "deliveries_due",
        "endpoint_id",
        "next_attempt_at",
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    ),
    sa.Index(
        "deliveries_leased",
        "endpoint_id",
        "lease_session",
        sqlite_where=sa.text("status = 'sending'"),
        postgresql_where=sa.text("status = 'sending'"),
    ),
)

# By time over all endpoints. Its predicate is always true of a pending row, and there so that only
# a look for what is due can use it, never a query about one endpoint.
sa.Index(
    "deliveries_by_due_time",
    deliveries.c.next_attempt_at,
    deliveries.c.endpoint_id,
    postgresql_where=sa.text("status = 'pending' AND endpoint_id > ''"),
).ddl_if(dialect="postgresql")

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
