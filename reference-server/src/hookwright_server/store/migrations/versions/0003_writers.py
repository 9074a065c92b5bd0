"""What each writing process has committed last: on Postgres a broken commit is found out by it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hookwright_server.store.columns import TEXT

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "writers",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE writers SET (fillfactor = 50, autovacuum_vacuum_cost_delay = 0)")
