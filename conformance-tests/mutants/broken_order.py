"""Mutants of the order among events with the same key."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from replacing import nothing, replace

from hookwright_server.delivery import recorder
from hookwright_server.delivery.recorder import Completed
from hookwright_server.http.handlers import events
from hookwright_server.services import publish_times
from hookwright_server.services.trigger import Event
from hookwright_server.store import deliveries as delivery_store
from hookwright_server.store import ordering
from hookwright_server.store.acceptance import NewDelivery
from hookwright_server.store.database import Connection
from hookwright_server.store.results import Settlement
from hookwright_server.store.tables import deliveries


def ignores_ordering_keys() -> None:
    """Every delivery is due at once."""
    row = ordering._row  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def due(new: NewDelivery, key: str, sequence: int, *, waits: bool) -> dict[str, object]:
        del waits
        return row(new, key, sequence, waits=False)

    replace(ordering, "_row", due)


def only_success_lets_go() -> None:
    """Behind a delivery that failed for good everything waits for ever."""

    def delivered(kept: Sequence[Completed], settled: Sequence[Settlement]) -> set[ordering.Lane]:
        pairs = zip(kept, settled, strict=True)
        return {done.lane for done, each in pairs if done.lane and each.status == "delivered"}

    replace(recorder, "_ended_lanes", delivered)


def one_order_for_all_keys() -> None:
    """Keys are not told apart."""

    def with_one_key(**fields: Any) -> Event:
        if fields["ordering_key"] is not None:
            fields["ordering_key"] = "one"
        return Event(**fields)

    replace(events, "Event", with_one_key)


def retries_take_their_place_again() -> None:
    """Those that were accepted later wait for what is retried by hand."""
    restart = delivery_store.restart

    def in_order(tx: Connection, delivery_id: str, max_attempts: int, due_at: int) -> None:
        restart(tx, delivery_id, max_attempts, due_at)
        has_key = deliveries.c.sequence.is_not(None)
        tx.execute(
            sa.update(deliveries)
            .where(deliveries.c.id == delivery_id, has_key)
            .values(is_ordered=True)
        )

    replace(delivery_store, "restart", in_order)


def schedules_ordered_events() -> None:
    """`deliver_at` is taken together with an `ordering_key`."""
    replace(publish_times, "require_schedulable", nothing)
