"""Cancelling by request: what waits ends at once, what is being sent is not tried again.

The row of a delivery that is being sent keeps its status and lease; its `cancel_reason` makes
whoever ends the attempt write `cancelled` where it would have written `pending`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from hookwright_server.store import ordering
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import STATUS
from hookwright_server.store.endings import CANCELLED, let_go
from hookwright_server.store.locking import for_change, is_shared_writing
from hookwright_server.store.tables import deliveries, endpoints

_AT_ONCE = 500
# Cancelling what is being sent does not end it; who records that holds it before its lane.
_WAITS = deliveries.c.status == "pending"


def cancel_of_message(tx: Connection, message_id: str, now_ms: int) -> tuple[int, int]:
    """Cancel all deliveries of a message; how many waited, and how many were being sent."""
    _hold_sending(tx, message_id)
    ordering.hold_of(tx, sa.and_(deliveries.c.message_id == message_id, _WAITS))
    select: sa.Select[*tuple[Any, ...]] = (
        sa.select(deliveries.c.id, STATUS.label("status"))
        .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
        .where(deliveries.c.message_id == message_id)
        .where(deliveries.c.status.in_(("pending", "sending")))
        .order_by(deliveries.c.id)
    )
    rows = tx.execute(for_change(tx, select, deliveries), {"now_ms": now_ms}).all()
    sending = [row.id for row in rows if row.status == "sending"]
    waiting = [row.id for row in rows if row.status in ("pending", "held")]
    cancel(tx, waiting, now_ms)
    stop(tx, sending)
    return len(waiting), len(sending)


def _hold_sending(tx: Connection, message_id: str) -> None:
    """Before any order, and by id, as who records attempts holds them: nobody waits in a circle."""
    if is_shared_writing(tx):
        tx.execute(
            sa.select(deliveries.c.id)
            .where(deliveries.c.message_id == message_id, deliveries.c.status == "sending")
            .order_by(deliveries.c.id)
            .with_for_update()
        )


def hold(tx: Connection, delivery_id: str) -> None:
    """Before a delivery that may be cancelled is locked: hold the order that it takes part in."""
    ordering.hold_of(tx, sa.and_(deliveries.c.id == delivery_id, _WAITS))


def cancel(tx: Connection, waiting: list[str], now_ms: int) -> None:
    """Cancel pending deliveries; the transaction has them locked."""
    for some in _batches(waiting):
        cancelled = tx.execute(
            deliveries.update()
            .where(deliveries.c.id.in_(some))
            .values(
                status="cancelled", cancel_reason="user", completed_at=now_ms, next_attempt_at=None
            )
            .returning(*CANCELLED)
        )
        let_go(tx, cancelled, now_ms)


def stop(tx: Connection, sending: list[str]) -> None:
    """Let no attempt follow the present one; the transaction has the deliveries locked."""
    for some in _batches(sending):
        tx.execute(
            deliveries.update().where(deliveries.c.id.in_(some)).values(cancel_reason="user")
        )


def _batches(ids: list[str]) -> Iterator[list[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
