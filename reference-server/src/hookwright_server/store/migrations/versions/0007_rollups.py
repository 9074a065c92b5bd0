"""Rollups for analytics, and the counts of what there is already."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

from hookwright_server.store.columns import TEXT

revision = "0007"
down_revision = "0006"

_NUMBERS = (
    "messages",
    "filtered",
    "deliveries",
    "delivered",
    "failed",
    "dead_letter",
    "cancelled",
    "attempts",
    "succeeded",
    "answered",
    "latency_sum_ms",
)
_PARTIAL = {
    "rollups_of_events": "endpoint_id = '' AND event_name <> ''",
    "rollups_of_endpoints": "endpoint_id <> '' AND event_name = ''",
    "rollups_of_both": "endpoint_id <> '' AND event_name <> ''",
}
_KEY = ("account_id", "environment", "app_id", "step_ms", "endpoint_id", "event_name", "bucket")
_INTEGERS = {"step_ms": sa.Integer(), "bucket": sa.BigInteger()}


def upgrade() -> None:
    op.create_table(
        "rollup_deltas",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("app_id", TEXT, nullable=False),
        sa.Column("cells", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "rollup_deltas_by_app", "rollup_deltas", ["account_id", "environment", "app_id"]
    )
    op.create_table(
        "rollups",
        *(sa.Column(name, _INTEGERS.get(name, TEXT), nullable=False) for name in _KEY),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _NUMBERS),
        sa.Column("latencies", TEXT, nullable=False),
        sa.Column("reasons", TEXT, nullable=False),
        sa.PrimaryKeyConstraint(*_KEY),
    )
    op.create_index("rollups_by_age", "rollups", ["step_ms", "bucket"])
    for name, condition in _PARTIAL.items():
        op.create_index(
            name,
            "rollups",
            ["account_id", "environment", "app_id", "step_ms", "bucket"],
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
    if op.get_bind().dialect.name == "postgresql":
        # A queue: what has been folded must not stay in the way of what has not.
        op.execute(
            "ALTER TABLE rollup_deltas SET (autovacuum_vacuum_cost_delay = 0,"
            " autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)"
        )
    count_what_there_is(op.get_bind())


# What follows writes rows of `rollup_deltas` as the version of this migration reads them.

_STEP_MS = 300_000
_AT_ONCE = 200
_MESSAGES = """
SELECT account_id, environment, app_id, created_at / 300000, event_name, count(*),
    sum(filtered_count)
FROM messages GROUP BY 1, 2, 3, 4, 5
"""
_DELIVERIES = """
SELECT account_id, environment, app_id, created_at / 300000, endpoint_id, event_name, status,
    count(*)
FROM deliveries GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
_ATTEMPTS = """
SELECT d.account_id, d.environment, d.app_id, a.created_at / 300000, d.endpoint_id, d.event_name,
    a.failure_reason, CASE WHEN a.status_code IS NULL THEN NULL ELSE a.latency_ms END, count(*)
FROM attempts AS a JOIN deliveries AS d ON d.id = a.delivery_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""


class _Cell:
    def __init__(self) -> None:
        self.numbers = dict.fromkeys(_NUMBERS, 0)
        self.latencies: dict[int, int] = defaultdict(int)
        self.reasons: dict[str, int] = defaultdict(int)

    def attempted(self, reason: str | None, latency_ms: int | None, times: int) -> None:
        self.numbers["attempts"] += times
        if reason is None:
            self.numbers["succeeded"] += times
        else:
            self.reasons[reason] += times
        if latency_ms is not None:
            self.numbers["answered"] += times
            self.numbers["latency_sum_ms"] += latency_ms * times
            shift = max(latency_ms.bit_length() - 6, 0)
            self.latencies[latency_ms >> shift << shift] += times


def count_what_there_is(bind: sa.Connection) -> None:
    """Count messages, deliveries and attempts that were written before there were rollups."""
    cells: dict[tuple[Any, ...], dict[tuple[Any, ...], _Cell]] = defaultdict(
        lambda: defaultdict(_Cell)
    )
    for *place, step, event, messages, filtered in bind.execute(sa.text(_MESSAGES)):
        numbers = cells[tuple(place)][step, "", event].numbers
        numbers["messages"] += messages
        numbers["filtered"] += int(filtered)
    for *place, step, endpoint, event, status, times in bind.execute(sa.text(_DELIVERIES)):
        numbers = cells[tuple(place)][step, endpoint, event].numbers
        numbers["messages"] += times
        numbers["deliveries"] += times
        if status in numbers:
            numbers[status] += times
    for *place, step, endpoint, event, reason, latency, times in bind.execute(sa.text(_ATTEMPTS)):
        cells[tuple(place)][step, endpoint, event].attempted(reason, latency, times)
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in (*_KEY[:3], "cells")]
    deltas = sa.table("rollup_deltas", *columns)
    for (account_id, environment, app_id), some in cells.items():
        documents = [
            [step * _STEP_MS, *names, each.latencies, each.reasons, *each.numbers.values()]
            for (step, *names), each in some.items()
        ]
        for start in range(0, len(documents), _AT_ONCE):
            bind.execute(
                sa.insert(deltas).values(
                    account_id=account_id,
                    environment=environment,
                    app_id=app_id,
                    cells=json.dumps(documents[start : start + _AT_ONCE]),
                )
            )
