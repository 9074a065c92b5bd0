"""Column types that mean the same on every back end. Migrations use them too: never change one."""

from __future__ import annotations

import sqlalchemy as sa

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Compared and ordered by its bytes, as SQLite does: ids carry their time in their order."""
