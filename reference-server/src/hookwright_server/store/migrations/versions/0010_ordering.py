"""Order among deliveries of one endpoint with the same key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hookwright_server.store.columns import TEXT

revision = "0010"
down_revision = "0009"

_IN_ORDER = sa.text("is_ordered AND status IN ('pending', 'sending')")


def upgrade() -> None:
    op.add_column("messages", sa.Column("ordering_key", TEXT, nullable=True))
    op.add_column("deliveries", sa.Column("ordering_key", TEXT, nullable=True))
    op.add_column("deliveries", sa.Column("sequence", sa.BigInteger(), nullable=True))
    op.add_column("deliveries", sa.Column("is_ordered", sa.Boolean(), nullable=True))
    op.create_index(
        "deliveries_in_order",
        "deliveries",
        ["endpoint_id", "ordering_key", "sequence"],
        unique=True,
        sqlite_where=_IN_ORDER,
        postgresql_where=_IN_ORDER,
    )
    op.create_table(
        "ordering_lanes",
        *(
            sa.Column(name, TEXT, nullable=False)
            for name in ("endpoint_id", "ordering_key", "account_id", "environment")
        ),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", "ordering_key"),
    )
