"""Which index a list walks, said to SQLite: without statistics it would take the first that sorts.

Postgres knows better how rare a value is, and is told nothing of that.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from hookwright_server.store.database import Connection


def in_order_of_index(tx: Connection) -> None:
    """From now on, in this transaction, Postgres takes rows in an index's order and sorts none.

    It guesses that endpoints and apps fail alike: of the one that has all that failed it would
    gather every delivery, and sort them.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(sa.text("SET LOCAL enable_bitmapscan = off"))


class _Unindexed(FunctionElement[Any]):
    """A column for which no index is to be used."""

    inherit_cache = True


def equal(column: sa.ColumnElement[Any], value: object, *, indexed: bool) -> sa.ColumnElement[bool]:
    """Whether the column has this value; not `indexed`: looked at in rows found by another."""
    return column == value if indexed else _Unindexed(column) == value


@compiles(_Unindexed)
def _plain(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_Unindexed, "sqlite")
def _hidden(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"
