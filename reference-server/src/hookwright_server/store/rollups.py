"""What was counted of a time: sums, and what has not been folded into them yet.

The cost grows with the length of the time and with what happened in the last seconds, not with
how many deliveries there were.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.rollup_counts import (
    ANY,
    NUMBERS,
    Cell,
    Counts,
    cell_of,
    counts_of,
    sum_of,
)
from hookwright_server.store.rollup_folding import DAY_MS, STEPS_MS, without_messages
from hookwright_server.store.tables import rollup_deltas, rollups

WEEK_MS = 7 * DAY_MS
_NAMES_AT_ONCE = 1_000  # in one statement
_MONDAY_MS = 4 * DAY_MS  # 1970-01-05

_c = rollups.c
_COLUMNS = (*(_c[name] for name in NUMBERS), _c.latencies, _c.reasons)
# Literals: only then do planners see that the partial indexes serve. Of no type: SQLite would be
# asked whether a Boolean is 1, and not see it either.
_Condition = sa.ColumnElement[bool]
_EVENTS: _Condition = sa.literal_column("rollups.endpoint_id = '' AND rollups.event_name <> ''")
_ENDPOINTS: _Condition = sa.literal_column("rollups.endpoint_id <> '' AND rollups.event_name = ''")
_BOTH: _Condition = sa.literal_column("rollups.endpoint_id <> '' AND rollups.event_name <> ''")


@dataclass(frozen=True, slots=True)
class Span:
    """From `after` (inclusive) to `before`, both at whole steps."""

    after: int
    before: int

    @classmethod
    def around(cls, after: int, before: int, step_ms: int) -> Span:
        """The shortest span of whole steps that holds these instants."""
        return cls(begin_of(after, step_ms), begin_of(before + step_ms - 1, step_ms))

    def holds(self, bucket: int) -> bool:
        """Whether the step that begins at `bucket` lies in this span."""
        return self.after <= bucket < self.before

    def parts(self, steps_ms: Sequence[int] = STEPS_MS[::-1]) -> Iterator[tuple[int, Span]]:
        """Spans that make up this one, each with the coarsest of the steps that fits it."""
        if not steps_ms or self.after >= self.before:
            return
        step, *finer = steps_ms
        first, last = -(-self.after // step) * step, self.before // step * step
        if first >= last:
            yield from self.parts(finer)
            return
        yield from Span(self.after, first).parts(finer)
        yield step, Span(first, last)
        yield from Span(last, self.before).parts(finer)


def begin_of(at_ms: int, step_ms: int) -> int:
    """Where the step that holds the instant begins; weeks begin on Monday."""
    offset = _MONDAY_MS if step_ms == WEEK_MS else 0
    return (at_ms - offset) // step_ms * step_ms + offset


@dataclass(frozen=True)
class Rollups:
    """The counts of one app, or of all apps of an account and environment (ANY)."""

    tx: Connection
    account_id: str
    environment: str
    app_id: str = ANY

    def total(self, span: Span, endpoint_id: str = ANY, event_name: str = ANY) -> Counts:
        """Everything in the span, of one endpoint or event if given."""
        return sum_of(counts for _, counts in self._series(span, endpoint_id, event_name))

    def by_interval(
        self, span: Span, interval_ms: int, endpoint_id: str = ANY, event_name: str = ANY
    ) -> list[tuple[int, Counts]]:
        """Where each interval begins and what was counted in it, oldest first."""
        found: dict[int, Counts | None]
        found = dict.fromkeys(range(span.after, span.before, interval_ms))
        step_ms = min(interval_ms, DAY_MS)
        for bucket, counts in self._series(span, endpoint_id, event_name, step_ms):
            at = begin_of(bucket, interval_ms)
            before = found[at]
            if before is None:
                found[at] = counts
            else:
                before.add(counts)
        return [(at, counts or Counts()) for at, counts in found.items()]

    def top_events(
        self, span: Span, most: int, endpoint_id: str = ANY, event_name: str = ANY
    ) -> list[tuple[str, Counts]]:
        """The events with most deliveries. Latencies and reasons are left out."""
        condition = sa.and_(*self._only(endpoint_id, event_name), _BOTH if endpoint_id else _EVENTS)
        fresh = [
            (cell.event_name, cell.counts)
            for cell in self._fresh
            if cell.endpoint_id and _fits(cell, span, endpoint_id, event_name)
        ]
        return self._top(span, most, _c.event_name, condition, fresh)

    def top_endpoints(
        self, span: Span, most: int, endpoint_id: str = ANY, event_name: str = ANY
    ) -> list[tuple[str, Counts]]:
        """The endpoints with most deliveries. Latencies and reasons are left out."""
        condition = sa.and_(
            *self._only(endpoint_id, event_name), _BOTH if event_name else _ENDPOINTS
        )
        fresh = [
            (cell.endpoint_id, cell.counts)
            for cell in self._fresh
            if cell.endpoint_id and _fits(cell, span, endpoint_id, event_name)
        ]
        return self._top(span, most, _c.endpoint_id, condition, fresh)

    def unfinished(self) -> int:
        """How many deliveries have not ended, whenever they were accepted."""
        sums = (sa.func.coalesce(sa.func.sum(_c[name]), 0) for name in NUMBERS)
        select = sa.select(*sums).where(
            *self._place(), _c.step_ms == DAY_MS, _c.endpoint_id == ANY, _c.event_name == ANY
        )
        folded = Counts(*(int(number) for number in self.tx.execute(select).one()))
        return folded.pending + sum(cell.counts.pending for cell in self._fresh)

    @cached_property
    def _fresh(self) -> list[Cell]:
        """What has not been folded yet."""
        c = rollup_deltas.c
        select = sa.select(c.cells).where(
            c.account_id == self.account_id, c.environment == self.environment
        )
        if self.app_id != ANY:
            select = select.where(c.app_id == self.app_id)
        rows = self.tx.scalars(select)
        return [cell_of(document) for row in rows for document in json.loads(row)]

    def _series(
        self, span: Span, endpoint_id: str, event_name: str, step_ms: int | None = None
    ) -> Iterator[tuple[int, Counts]]:
        """Counts that are the caller's own."""
        parts = span.parts() if step_ms is None else [(step_ms, span)]
        selects = [
            sa.select(_c.bucket, *_COLUMNS).where(
                *self._within(step, part),
                _c.endpoint_id == endpoint_id,
                _c.event_name == event_name,
            )
            for step, part in parts
        ]
        rows = cast("Iterable[Sequence[Any]]", self.tx.execute(sa.union_all(*selects)))
        for bucket, *columns in rows:
            yield bucket, counts_of(columns)
        for cell in self._fresh:
            if _fits(cell, span, endpoint_id, event_name):
                of_app = not endpoint_id and cell.endpoint_id
                counts = without_messages(cell.counts) if of_app else cell.counts
                yield cell.bucket, sum_of([counts])

    def _top(
        self,
        span: Span,
        most: int,
        name: sa.Column[str],
        condition: sa.ColumnElement[bool],
        fresh: Sequence[tuple[str, Counts]],
    ) -> list[tuple[str, Counts]]:
        found: defaultdict[str, Counts] = defaultdict(Counts)
        # Only those that something was counted of just now can overtake the first ones.
        names = sorted({each for each, _ in fresh})
        for each, counts in self._ranked(span, most, name, condition):
            found[each].add(counts)
        others = [each for each in names if each not in found]
        for start in range(0, len(others), _NAMES_AT_ONCE):
            some = others[start : start + _NAMES_AT_ONCE]
            for each, counts in self._ranked(span, len(some), name, condition & name.in_(some)):
                found[each].add(counts)
        for each, counts in fresh:
            found[each].add(counts)
        ranked = sorted(found.items(), key=lambda one: (-one[1].deliveries, one[0]))
        return [(each, counts) for each, counts in ranked if counts.deliveries][:most]

    def _ranked(
        self, span: Span, most: int, name: sa.Column[str], condition: sa.ColumnElement[bool]
    ) -> Iterator[tuple[str, Counts]]:
        rows = sa.union_all(
            *(
                sa.select(name.label("name"), *(_c[number] for number in NUMBERS)).where(
                    *self._within(step, part), condition
                )
                for step, part in span.parts()
            )
        ).subquery()
        sums = [sa.func.sum(rows.c[number]).label(number) for number in NUMBERS]
        select = sa.select(rows.c.name, *sums).group_by(rows.c.name)
        order: tuple[sa.ColumnElement[Any], ...] = (sa.desc("deliveries"), rows.c.name)
        for row in self.tx.execute(select.order_by(*order).limit(most)):
            yield row[0], Counts(*(int(number) for number in row[1:]))

    def _within(self, step_ms: int, span: Span) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            *self._place(),
            _c.step_ms == step_ms,
            _c.bucket >= span.after,
            _c.bucket < span.before,
        )

    def _place(self) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            _c.account_id == self.account_id,
            _c.environment == self.environment,
            _c.app_id == self.app_id,
        )

    @staticmethod
    def _only(endpoint_id: str, event_name: str) -> list[sa.ColumnElement[bool]]:
        conditions: list[sa.ColumnElement[bool]] = []
        if endpoint_id:
            conditions.append(_c.endpoint_id == endpoint_id)
        if event_name:
            conditions.append(_c.event_name == event_name)
        return conditions


def _fits(cell: Cell, span: Span, endpoint_id: str, event_name: str) -> bool:
    return (
        span.holds(cell.bucket)
        and endpoint_id in (ANY, cell.endpoint_id)
        and event_name in (ANY, cell.event_name)
    )
