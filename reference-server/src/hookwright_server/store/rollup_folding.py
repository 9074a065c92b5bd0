"""Makes sums of what was counted, in steps of five minutes, an hour and a day.

One process at a time does this, so nobody else ever writes the sums.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sa

from hookwright_server.domain.contract import Limits
from hookwright_server.store.database import Connection
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.rollup_counts import ANY, OTHER, STEP_MS, Cell, Counts, RollupKey
from hookwright_server.store.rollup_deltas import Place
from hookwright_server.store.rollup_merging import MANY, MERGED, alone, take
from hookwright_server.store.tables import rollup_deltas, rollups

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
STEPS_MS = (STEP_MS, HOUR_MS, DAY_MS)

_NAMES = Limits.analytics_event_names_per_hour
# Each makes some six sums. A batch takes some ten milliseconds, in which the writer does nothing
# else.
_MOST_CELLS = 200
_LARGE = 200_000  # characters, some 2,000 cells: readers should not find more
# A time begins with a whole step, up to a day before the instant that was asked for; and what is
# pending is told by the days alone.
_KEPT_MS = {
    STEP_MS: (Limits.analytics_5m_kept_days + 1) * DAY_MS,
    HOUR_MS: (Limits.analytics_hours_kept_days + 1) * DAY_MS,
    DAY_MS: (2 * Limits.analytics_days + 1) * DAY_MS,
}

_WAITING = sa.select(
    sa.func.count(),
    sa.func.coalesce(sa.func.sum(sa.func.length(rollup_deltas.c.cells)), 0),
    sa.func.min(rollup_deltas.c.merged_at),
).where(MERGED)

_Sums = dict[RollupKey, Counts]


def fold_when_due(connection: Connection, now_ms: int, limit: int) -> int:
    """Fold a batch if much has been merged, or long ago; `limit` when it was done, else 0.

    The longer this waits the more of what was merged goes into the same sums.
    """
    rows, size, merged_at = connection.execute(_WAITING).one()
    is_due = rows >= MANY or size >= _LARGE or (rows and now_ms - merged_at >= STEP_MS)
    return limit if is_due and fold(connection) else 0


def fold(connection: Connection, most_cells: int = _MOST_CELLS) -> bool:
    """Fold a batch of what has been merged; False when there was nothing to do."""
    if not alone(connection):
        return False
    taken = take(connection, MERGED, rollup_deltas.c.id, most_cells).cells
    if taken:
        hot = hot_sql(connection)
        sums = _sums(connection, taken)
        for key, before in hot.rollups(connection, sums).items():
            sums[key].add(before)
        hot.put_rollups(connection, sums)
    return bool(taken)


def erase_old_rollups(connection: Connection, now_ms: int, limit: int) -> int:
    """Delete at most `limit` sums in steps that are not kept so long; say how many."""
    key = [rollups.c[column.name] for column in rollups.primary_key]
    for step_ms, kept_ms in _KEPT_MS.items():
        # A literal: only then do planners see that the step's partial index serves.
        of_step = rollups.c.step_ms == sa.literal_column(str(step_ms))
        old = (
            sa.select(*key)
            .where(of_step, rollups.c.bucket < now_ms - kept_ms)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        erased = connection.execute(sa.delete(rollups).where(sa.tuple_(*key).in_(old))).rowcount
        if erased:
            return erased
    return 0


def _sums(connection: Connection, cells: Iterable[tuple[Place, Cell]]) -> _Sums:
    """What these cells add to the rollups.

    Each kind of sum is made of the finer one, which is much shorter than all cells.
    """
    names = _Names(connection)
    of_both, of_endpoints, of_events = _none(), _none(), _none()
    for place, cell in cells:
        sums = of_events if cell.endpoint_id == ANY else of_both
        name = names.counted(place, cell)
        sums[*place, STEP_MS, cell.endpoint_id, name, cell.bucket].add(cell.counts)
    for (account, environment, app, step, endpoint_id, name, bucket), counts in of_both.items():
        of_endpoints[account, environment, app, step, endpoint_id, ANY, bucket].add(counts)
        key = (account, environment, app, step, ANY, name, bucket)
        of_events[key].add(without_messages(counts))
    of_apps, of_accounts = _none(), _none()
    for (account, environment, app, step, _, _, bucket), counts in of_events.items():
        of_apps[account, environment, app, step, ANY, ANY, bucket].add(counts)
    for (account, environment, _, step, _, _, bucket), counts in of_apps.items():
        of_accounts[account, environment, ANY, step, ANY, ANY, bucket].add(counts)
    fine = of_both | of_endpoints | of_events | of_apps | of_accounts
    hours = _coarser(fine, HOUR_MS)
    return fine | hours | _coarser(hours, DAY_MS)


def _none() -> defaultdict[RollupKey, Counts]:
    return defaultdict(Counts)


def _coarser(sums: _Sums, step_ms: int) -> _Sums:
    coarse = _none()
    for (account, environment, app, _, endpoint_id, name, bucket), counts in sums.items():
        begin = bucket - bucket % step_ms
        coarse[account, environment, app, step_ms, endpoint_id, name, begin].add(counts)
    return coarse


def without_messages(counts: Counts) -> Counts:
    """A message that went to several endpoints is one message of the app, counted apart."""
    numbers = (0, *counts.numbers[1:])
    return Counts(*numbers, latencies=counts.latencies, reasons=counts.reasons)


class _Names:
    """Which events of an app are counted by name: the first of each hour."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._hours: dict[tuple[Place, int], set[str]] = {}

    def counted(self, place: Place, cell: Cell) -> str:
        """The name under which the cell counts."""
        hour = cell.bucket - cell.bucket % HOUR_MS
        known = self._hours.get((place, hour))
        if known is None:
            found = hot_sql(self._connection).event_names(self._connection, (*place, hour))
            known = self._hours[place, hour] = found - {OTHER}
        if cell.event_name not in known:
            if len(known) >= _NAMES:
                return OTHER
            known.add(cell.event_name)
        return cell.event_name
