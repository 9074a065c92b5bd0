"""What an endpoint lets pass, and what it gets instead of the payload."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hookwright_server.store.columns import TEXT

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("endpoints", sa.Column("filter_rules", TEXT))
    op.add_column("endpoints", sa.Column("transformation", TEXT))
