"""What goes with every cancellation: it is counted, and what waited for the delivery may go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hookwright_server.store import ordering
from hookwright_server.store.database import Connection
from hookwright_server.store.rollup_deltas import ORIGIN, Origin, count_cancelled

CANCELLED = (*ORIGIN, *ordering.LANE)
"""The columns of a cancelled delivery that `let_go` takes, for SELECT and RETURNING."""


def let_go(tx: Connection, cancelled: Iterable[Sequence[Any]], now_ms: int) -> int:
    """Deliveries (rows of `CANCELLED`) were cancelled; how many others are due now for that."""
    rows = list(cancelled)
    count_cancelled(tx, (Origin(*row[: len(ORIGIN)]) for row in rows))
    return ordering.move_up(tx, ordering.lanes(row[len(ORIGIN) :] for row in rows), now_ms)
