"""Endpoints remember since when they fail without a long time between two attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("endpoints", sa.Column("failing_since", sa.BigInteger(), nullable=True))
    op.execute("UPDATE endpoints SET failing_since = first_failure_at WHERE deleted_at IS NULL")
