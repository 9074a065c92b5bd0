"""The catalogue of an app's events, and whether the app takes others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hookwright_server.store.columns import TEXT

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "apps", sa.Column("event_type_policy", TEXT, nullable=False, server_default="open")
    )
    op.add_column(
        "apps",
        sa.Column("has_event_types", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "event_types",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("app_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=True),
        sa.Column("group", TEXT, nullable=True),
        sa.Column("schema", TEXT, nullable=True),
        sa.Column("schema_digest", TEXT, nullable=True),
        sa.Column("example_payload", TEXT, nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("event_types_name", "event_types", ["app_id", "name"], unique=True)
    op.create_index("event_types_by_app", "event_types", ["app_id", "id"])
    op.create_index("event_types_by_scope", "event_types", ["account_id", "environment", "id"])
