"""INSERT … ON CONFLICT, which both dialects have and SQLAlchemy's core has not."""

from __future__ import annotations

from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hookwright_server.store.database import Connection

Insert: TypeAlias = postgresql.Insert | sqlite.Insert


def insert_into(tx: Connection, table: sa.Table) -> Insert:
    """An INSERT of the connection's dialect, to which `on_conflict_do_…` can be added.

    Its result's `rowcount` says whether a row was written.
    """
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    return insert(table).execution_options(preserve_rowcount=True)
