"""What is due over all endpoints, on Postgres: there one look does not take in every endpoint."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "deliveries_by_due_time",
            "deliveries",
            ["next_attempt_at", "endpoint_id"],
            postgresql_where=sa.text("status = 'pending' AND endpoint_id > ''"),
        )
