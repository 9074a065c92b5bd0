"""Signatures by ed25519, rate limits of endpoints, and for how long an app keeps what is over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hookwright_server.store.columns import TEXT

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column(
        "endpoints", sa.Column("signing_scheme", TEXT, nullable=False, server_default="v1")
    )
    op.add_column("endpoints", sa.Column("both_schemes_until", sa.BigInteger, nullable=True))
    op.add_column("signing_secrets", sa.Column("scheme", TEXT, nullable=False, server_default="v1"))
    op.add_column("endpoints", sa.Column("rate_max_requests", sa.Integer, nullable=True))
    op.add_column("endpoints", sa.Column("rate_duration_ms", sa.Integer, nullable=True))
    op.create_table(
        "endpoint_windows",
        sa.Column("endpoint_id", TEXT, primary_key=True),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
    )
    op.add_column(
        "apps", sa.Column("retention_days", sa.Integer, nullable=False, server_default="30")
    )
    op.add_column(
        "messages", sa.Column("erased_deliveries", sa.Integer, nullable=False, server_default="0")
    )
