"""Counting as it happens: each transaction adds a row for all that it changed of an app.

Rows are only ever added here, so writers never wait for one another. `rollup_merging` makes few of
many, `rollup_folding` makes sums of them, and whoever reads adds what has not been folded yet: the
counts are exact in every snapshot of the database.

Deliveries count in the step in which they were accepted, whenever they end; attempts in the one
in which they began.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from hookwright_server.store.acceptance import Acceptance
from hookwright_server.store.database import Connection
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.results import NewAttempt, NewDelta
from hookwright_server.store.rollup_counts import ANY, STEP_MS, Cell, Counts, encode
from hookwright_server.store.tables import deliveries

_CELLS_PER_ROW = 200

Place = tuple[str, str, str]
"""Account, environment and app."""


class Origin(NamedTuple):
    """Where and when a delivery began: all that says where it is counted."""

    account_id: str
    environment: str
    app_id: str
    endpoint_id: str
    event_name: str
    created_at: int


Counted = Origin | sa.Row[*tuple[Any, ...]]
"""A delivery that is counted: its origin, or a row of the columns `ORIGIN`."""

ORIGIN = tuple(deliveries.c[name] for name in Origin._fields)
"""The columns of an origin, for SELECT and RETURNING."""


def count_accepted(connection: Connection, acceptances: Iterable[Acceptance]) -> None:
    """Messages were accepted, with their deliveries."""
    tally = Tally()
    for acceptance in acceptances:
        m = acceptance.message
        place = (m.account_id, m.environment, m.app_id)
        of_app = tally.counts(place, m.created_at, ANY, m.event_name)
        of_app.messages += 1
        of_app.filtered += m.filtered_count
        for d in acceptance.deliveries:
            counts = tally.counts(place, d.created_at, d.endpoint_id, d.event_name)
            counts.messages += 1
            counts.deliveries += 1
    tally.write(connection)


def count_added(connection: Connection, origins: Iterable[Counted]) -> None:
    """Deliveries were added to messages that had been counted before."""
    tally = Tally()
    for origin in origins:
        tally.of(origin).deliveries += 1
    tally.write(connection)


def count_settled(
    connection: Connection, settled: Iterable[tuple[Counted, NewAttempt, str]]
) -> None:
    """Attempts were made; with the status, an end or not, that each left its delivery in."""
    tally = Tally()
    for origin, attempt, status in settled:
        tally.attempted(origin, attempt)
        tally.of(origin).ended(status)
    tally.write(connection)


def count_cancelled(connection: Connection, origins: Iterable[Counted]) -> None:
    """Deliveries that had not ended were cancelled."""
    tally = Tally()
    for origin in origins:
        tally.of(origin).ended("cancelled")
    tally.write(connection)


def count_reopened(connection: Connection, origin: Counted, status: str) -> None:
    """A delivery that had ended with `status` is pending again."""
    tally = Tally()
    tally.of(origin).ended(status, -1)
    tally.write(connection)


class Tally:
    """Counts that are added as rows of their own."""

    def __init__(self) -> None:
        self._counts: dict[tuple[Place, int, str, str], Counts] = {}

    def counts(self, place: Place, at_ms: int, endpoint_id: str, event_name: str) -> Counts:
        """The counts to add to."""
        key = (place, at_ms - at_ms % STEP_MS, endpoint_id, event_name)
        found = self._counts.get(key)
        if found is None:
            found = self._counts[key] = Counts()
        return found

    def of(self, origin: Counted, at_ms: int | None = None) -> Counts:
        """The counts of a delivery, where it was accepted unless another time is given."""
        account_id, environment, app_id, endpoint_id, event_name, created_at = origin
        begun_at: int = created_at if at_ms is None else at_ms
        return self.counts((account_id, environment, app_id), begun_at, endpoint_id, event_name)

    def attempted(self, origin: Counted, attempt: NewAttempt) -> None:
        """One attempt, in the step in which it began."""
        self.of(origin, attempt.created_at).attempted(
            attempt.failure_reason, attempt.status_code, attempt.latency_ms
        )

    def add(self, place: Place, cell: Cell) -> None:
        """Add what has been counted elsewhere."""
        self.counts(place, cell.bucket, cell.endpoint_id, cell.event_name).add(cell.counts)

    def write(self, connection: Connection, merged_at: int | None = None) -> None:
        """Add the rows, in one statement."""
        cells: dict[Place, list[Cell]] = {}
        for (place, bucket, endpoint_id, event_name), counts in self._counts.items():
            cells.setdefault(place, []).append(Cell(bucket, endpoint_id, event_name, counts))
        if cells:
            rows = [row for place, some in cells.items() for row in _rows(place, some, merged_at)]
            hot_sql(connection).add_deltas(connection, rows)


def _rows(place: Place, cells: Sequence[Cell], merged_at: int | None) -> list[NewDelta]:
    parts = (
        cells[start : start + _CELLS_PER_ROW] for start in range(0, len(cells), _CELLS_PER_ROW)
    )
    return [NewDelta(*place, encode([c.document() for c in part]), merged_at) for part in parts]
