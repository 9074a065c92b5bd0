"""Tags, times and expunging of messages; deliveries that expire; replays and their tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hookwright_server.store.columns import TEXT

revision = "0008"
down_revision = "0007"

_EXPIRING = sa.text("status = 'pending' AND expires_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("messages", sa.Column("tags", TEXT, nullable=True))
    for name in ("deliver_at", "expires_at", "expunged_at"):
        op.add_column("messages", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("deliveries", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    op.add_column("deliveries", sa.Column("replay_of", TEXT, nullable=True))
    op.create_index(
        "deliveries_expiring",
        "deliveries",
        ["expires_at"],
        sqlite_where=_EXPIRING,
        postgresql_where=_EXPIRING,
    )
    op.create_table(
        "message_tags",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("tag", TEXT, nullable=False),
        sa.Column("message_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "environment", "tag", "message_id"),
    )
    _create_replay_tasks()


def _create_replay_tasks() -> None:
    counts = ("total_count", "processed_count", "replayed_count", "skipped_count")
    op.create_table(
        "replay_tasks",
        *(
            sa.Column(name, TEXT, nullable=False)
            for name in ("id", "account_id", "environment", "app_id", "status")
        ),
        sa.Column("delivery_ids", TEXT),
        sa.Column("after", sa.BigInteger()),
        sa.Column("before", sa.BigInteger()),
        *(sa.Column(name, TEXT) for name in ("statuses", "event_name", "endpoint_id")),
        sa.Column("max_count", sa.Integer(), nullable=False),
        sa.Column("position", TEXT, nullable=False),
        sa.Column("stepped_at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in counts),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("completed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("replay_tasks_by_app", "replay_tasks", ["app_id", "id"])
    op.create_index("replay_tasks_by_scope", "replay_tasks", ["account_id", "environment", "id"])
    is_open = sa.text("status IN ('queued', 'running')")
    op.create_index(
        "replay_tasks_open",
        "replay_tasks",
        ["stepped_at"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
