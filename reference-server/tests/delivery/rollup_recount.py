"""Counts everything anew from the rows themselves, as nobody would who had many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from store_lab import StoreLab

from hookwright_server.store import tables
from hookwright_server.store.rollup_counts import ANY, Counts
from hookwright_server.store.rollups import Span

Row = Mapping[str, Any]


class Recount:
    """The rows of all messages, deliveries and attempts of `lab`."""

    def __init__(self, lab: StoreLab) -> None:
        self.messages: list[Row] = list(lab.rows(tables.messages))
        self.deliveries: list[Row] = list(lab.rows(tables.deliveries))
        by_id = {row["id"]: row for row in self.deliveries}
        self.attempts: list[Row] = [
            {**by_id[row["delivery_id"]], **row} for row in lab.rows(tables.attempts)
        ]

    def counts(
        self, span: Span, app_id: str = ANY, endpoint_id: str = ANY, event_name: str = ANY
    ) -> Counts:
        """What the rollups should say of this span."""

        def chosen(rows: Iterable[Row]) -> list[Row]:
            return [
                row
                for row in rows
                if span.holds(row["created_at"])
                and app_id in (ANY, row["app_id"])
                and endpoint_id in (ANY, row.get("endpoint_id"))
                and event_name in (ANY, row["event_name"])
            ]

        deliveries = chosen(self.deliveries)
        of_app = [] if endpoint_id else chosen(self.messages)
        firsts = [row for row in deliveries if row["replay_of"] is None]
        counts = Counts(
            messages=len(firsts) if endpoint_id else len(of_app),
            filtered=sum(row["filtered_count"] for row in of_app),
            deliveries=len(deliveries),
        )
        for status, number in Counter(row["status"] for row in deliveries).items():
            counts.ended(status, number)
        for row in chosen(self.attempts):
            counts.attempted(row["failure_reason"], row["status_code"], row["latency_ms"])
        return counts


def plain(counts: Counts) -> dict[str, Any]:
    """Counts to compare: what was counted never, or as often as it was taken back, is left out."""
    return {name: value for name, value in asdict(counts).items() if value}
