"""Deleted endpoints of which nothing is pending any more are not looked at again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_UNSWEPT = sa.text("deleted_at IS NOT NULL AND NOT is_swept")


def upgrade() -> None:
    # Those deleted before are looked at once more.
    op.add_column(
        "endpoints",
        sa.Column("is_swept", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index(
        "endpoints_unswept",
        "endpoints",
        ["id"],
        sqlite_where=_UNSWEPT,
        postgresql_where=_UNSWEPT,
    )
