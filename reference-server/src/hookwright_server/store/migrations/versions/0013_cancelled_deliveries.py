"""Lists find the few of many deliveries that were cancelled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_CANCELLED = sa.text("status = 'cancelled'")


def upgrade() -> None:
    op.create_index(
        "deliveries_cancelled_by_scope",
        "deliveries",
        ["account_id", "environment", "id"],
        sqlite_where=_CANCELLED,
        postgresql_where=_CANCELLED,
    )
