"""What transactions have counted, many rows made few: cheap, so that readers never find many.

What has been merged before is merged again with what has come since, so that a busy endpoint's
counts of five minutes are folded into sums once, and not once for each batch.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.locking import alone_now
from hookwright_server.store.pages import count
from hookwright_server.store.rollup_counts import Cell, cell_of
from hookwright_server.store.rollup_deltas import Place, Tally
from hookwright_server.store.tables import rollup_deltas

MANY = 200
"""Rows that transactions have added which readers may well add up themselves."""

_ROLLUPS = int.from_bytes(b"rollups.")
# A batch takes some ten milliseconds, in which the writer does nothing else.
_MOST_ROWS = 500
_MOST_CELLS = 1_000

_c = rollup_deltas.c
_RAW = _c.merged_at.is_(None)
MERGED = _c.merged_at.is_not(None)
"""Which rows are the sum of many."""


class Taken(NamedTuple):
    """Cells of rows that have been deleted, and when the oldest of them was merged."""

    cells: list[tuple[Place, Cell]]
    merged_at: int | None


def merge_when_many(connection: Connection, now_ms: int, limit: int) -> int:
    """Merge a batch if there are many rows; `limit` when it was done, else 0."""
    some = sa.select(sa.literal(1)).select_from(rollup_deltas).where(_RAW).limit(MANY)
    return limit if count(connection, some) >= MANY and merge(connection, now_ms) else 0


def merge(connection: Connection, now_ms: int) -> bool:
    """Merge a batch of what transactions have added; False when there was nothing to do."""
    if not alone(connection):
        return False
    added = take(connection, _RAW, _c.id, _MOST_CELLS)
    if not added.cells:
        return False
    merged = take(connection, MERGED, _c.id.desc(), _MOST_CELLS)
    tally = Tally()
    for place, cell in (*merged.cells, *added.cells):
        tally.add(place, cell)
    tally.write(connection, now_ms if merged.merged_at is None else merged.merged_at)
    return True


def alone(connection: Connection) -> bool:
    """Whether this is the one transaction that may now merge and fold."""
    return alone_now(connection, _ROLLUPS)


def take(
    connection: Connection,
    which: sa.ColumnElement[bool],
    order: sa.ColumnElement[Any],
    most_cells: int,
) -> Taken:
    """The cells of a batch of the rows that fit `which`; the rows are deleted."""
    cells: list[tuple[Place, Cell]] = []
    taken: list[sa.Row[*tuple[Any, ...]]] = []
    select = sa.select(rollup_deltas).where(which).order_by(order).limit(_MOST_ROWS)
    for row in connection.execute(select).all():
        place = (row.account_id, row.environment, row.app_id)
        cells += [(place, cell_of(document)) for document in json.loads(row.cells)]
        taken.append(row)
        if len(cells) >= most_cells:
            break
    if taken:
        hot_sql(connection).delete_deltas(connection, [row.id for row in taken])
    instants = (row.merged_at for row in taken if row.merged_at is not None)
    return Taken(cells, min(instants, default=None))
