"""Keyset pages, newest first: ids carry their time, so the id is the key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from hookwright_server.store.database import Connection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which rows: at most `limit`, older than `before_id`, after skipping `offset`."""

    limit: int
    before_id: str | None = None
    offset: int = 0
    include_total: bool = False


@dataclass(frozen=True, slots=True)
class RowPage(Generic[T]):
    """Rows, whether older ones follow, and (if asked) how many match in all."""

    rows: tuple[T, ...]
    next_id: str | None
    total: int | None = None


def fetch(
    tx: Connection,
    select: sa.Select[Any],
    key: sa.ColumnElement[str],
    query: PageQuery,
    build: Callable[[sa.RowMapping], T],
) -> RowPage[T]:
    """The page of `select` that `query` asks for; `key` is the column of the id."""
    narrowed = select if query.before_id is None else select.where(key < query.before_id)
    ordered = narrowed.add_columns(key.label("page_key")).order_by(key.desc())
    found = tx.execute(ordered.limit(query.limit + 1).offset(query.offset or None)).mappings().all()
    shown = found[: query.limit]
    return RowPage(
        rows=tuple(build(row) for row in shown),
        next_id=str(shown[-1]["page_key"]) if len(found) > len(shown) else None,
        total=_count(tx, select) if query.include_total else None,
    )


def _count(tx: Connection, select: sa.Select[Any]) -> int:
    return tx.execute(sa.select(sa.func.count()).select_from(select.subquery())).scalar_one()
