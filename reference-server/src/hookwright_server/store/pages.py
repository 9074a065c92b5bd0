"""Keyset pages, newest first: ids carry their time, so the id is the key.

What no index serves is looked for among `LOOKED_AT` rows at most: then the page is short, perhaps
empty, and its `next_id` is where the next one goes on looking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from hookwright_server.domain.contract import Limits
from hookwright_server.store.database import Connection

T = TypeVar("T")

LOOKED_AT = Limits.page_rows_looked_at
_APART = 4  # times as dear as its neighbour is a row that lies elsewhere in its table


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which rows: at most `limit`, older than `before_id`, after skipping `offset`."""

    limit: int
    before_id: str | None = None
    offset: int = 0
    include_total: bool = False


@dataclass(frozen=True, slots=True)
class RowPage(Generic[T]):
    """Rows, where older ones may follow, and (if asked) how many match in all.

    `skip`: of those that follow, how many an offset passes over that was longer than what was
    looked at.
    """

    rows: tuple[T, ...]
    next_id: str | None
    total: int | None = None
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Ids from `since` on, below `below`; None: no such border."""

    since: str | None = None
    below: str | None = None

    def of(self, key: sa.ColumnElement[str]) -> list[sa.ColumnElement[bool]]:
        """The conditions. One for each border: of two, SQLite would seek by either."""
        lowest = [] if self.since is None else [key >= self.since]
        return lowest if self.below is None else [*lowest, key < self.below]


NO_SPAN = Span()


@dataclass(frozen=True, slots=True)
class Looked:
    """What a page looks at: down to the id `end` (None: to the end), of `ids` alone if given."""

    end: str | None
    ids: Sequence[str] | None = None


Look = Callable[[Connection, Span], Looked]
_ALL = Looked(None)


def fetch(
    tx: Connection,
    select: sa.Select[Any],
    key: sa.ColumnElement[str],
    query: PageQuery,
    build: Callable[[sa.RowMapping], T],
    values: Mapping[str, object] | None = None,
    *,
    span: Span = NO_SPAN,
    look: Look | None = None,
) -> RowPage[T]:
    """The page of `select` that `query` asks for; `key` is the column of the id.

    `values` are those of parameters that `select` names. `look` says what to look at when
    `select` has conditions that no index serves.
    """
    asked = Span(span.since, _lower(span.below, query.before_id))
    looked = _ALL if look is None else look(tx, asked)
    end = looked.end
    looked_at = asked if end is None else Span(end, asked.below)
    narrowed = select.where(*looked_at.of(key))
    if looked.ids is not None:
        narrowed = narrowed.where(key.in_(looked.ids))
    ordered = narrowed.add_columns(key.label("page_key")).order_by(key.desc())
    limited = ordered.limit(query.limit + 1).offset(query.offset or None)
    found = tx.execute(limited, values).mappings().all()
    shown = found[: query.limit]
    skip = 0
    if end is not None and query.offset and not found:
        skip = query.offset - count(tx, narrowed, values)
    return RowPage(
        rows=tuple(build(row) for row in shown),
        next_id=str(shown[-1]["page_key"]) if len(found) > len(shown) else end,
        total=count(tx, select.where(*span.of(key)), values) if query.include_total else None,
        skip=skip,
    )


def in_order(walked: sa.Select[str], key: sa.ColumnElement[str], *, apart: bool = False) -> Look:
    """To look at the newest of those that `walked` selects by an index that is in their order.

    `apart`: these are few of many, so a look at each costs more, and fewer are looked at.
    """

    def look(tx: Connection, span: Span) -> Looked:
        most = LOOKED_AT // _APART if apart else LOOKED_AT
        last = walked.where(*span.of(key)).order_by(key.desc()).offset(most - 1).limit(2)
        ids = tx.execute(last).scalars().all()
        return Looked(ids[0] if len(ids) > 1 else None)

    return look


def _lower(one: str | None, other: str | None) -> str | None:
    return one if other is None else other if one is None else min(one, other)


def count(
    tx: Connection, select: sa.Select[Any], values: Mapping[str, object] | None = None
) -> int:
    """How many rows are selected."""
    counting = sa.select(sa.func.count()).select_from(select.subquery())
    return tx.execute(counting, values).scalar_one()
