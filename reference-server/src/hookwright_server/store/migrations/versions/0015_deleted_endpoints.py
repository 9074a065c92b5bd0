"""Deleted endpoints keep no secrets, and whoever looks for the others does not meet them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_LIVE = sa.text("deleted_at IS NULL")
_LIVE_BY = {"app": ["app_id", "id"], "scope": ["account_id", "environment", "id"]}


def upgrade() -> None:
    for name, columns in _LIVE_BY.items():
        op.create_index(
            f"endpoints_live_by_{name}",
            "endpoints",
            columns,
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        )
    op.execute("UPDATE endpoints SET headers_sealed = NULL WHERE deleted_at IS NOT NULL")
    op.execute(
        "DELETE FROM signing_secrets"
        " WHERE endpoint_id IN (SELECT id FROM endpoints WHERE deleted_at IS NOT NULL)"
        " OR app_id IN (SELECT id FROM apps WHERE deleted_at IS NOT NULL)"
    )
