"""Counts that are merged before they are folded; lists that find few of many."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_NAMED = sa.text("event_id IS NOT NULL")
_STEPS_MS = {"5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}
_UNSUCCESSFUL = sa.text("status IN ('failed', 'dead_letter')")
_UNSUCCESSFUL_BY = {
    "scope": ["account_id", "environment", "id"],
    "app": ["app_id", "id"],
    "endpoint": ["endpoint_id", "id"],
}


def upgrade() -> None:
    op.add_column("rollup_deltas", sa.Column("merged_at", sa.BigInteger(), nullable=True))
    # Each row is read by whoever reads one, and every transaction that counts paid for this.
    op.drop_index("rollup_deltas_by_app", "rollup_deltas")
    op.create_index(
        "messages_by_event_id",
        "messages",
        ["account_id", "environment", "event_id", "id"],
        sqlite_where=_NAMED,
        postgresql_where=_NAMED,
    )
    for name, columns in _UNSUCCESSFUL_BY.items():
        op.create_index(
            f"deliveries_unsuccessful_by_{name}",
            "deliveries",
            columns,
            sqlite_where=_UNSUCCESSFUL,
            postgresql_where=_UNSUCCESSFUL,
        )
    op.drop_index("rollups_by_age", "rollups")
    for step, step_ms in _STEPS_MS.items():
        of_step = sa.text(f"step_ms = {step_ms}")
        op.create_index(
            f"rollups_by_age_{step}",
            "rollups",
            ["bucket"],
            sqlite_where=of_step,
            postgresql_where=of_step,
        )
    if op.get_bind().dialect.name == "postgresql":
        # Sums are written again and again: most often within a page, past all indexes.
        op.execute("ALTER TABLE rollups SET (fillfactor = 70)")
