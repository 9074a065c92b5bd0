"""Upkeep writes down what reads already say, and erases what has run out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import sqlalchemy as sa
from store_lab import StoreLab

from hookwright_server.store import deliveries, endpoints, retention, tables, upkeep
from hookwright_server.store.database import Connection

Chore = Callable[[Connection, int, int], int]


def _do(lab: StoreLab, chore: Chore, limit: int = 10) -> int:
    return lab.database.write(lambda c: chore(c, lab.clock.now, limit))


@pytest.mark.parametrize("of_app", [False, True])
def test_pending_deliveries_of_the_deleted_are_cancelled(lab: StoreLab, of_app: bool) -> None:
    """Deliveries of a deleted endpoint or app end as cancelled; what is being sent goes on."""
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    sending, pending = (lab.deliver(app_id, endpoint_id) for _ in range(2))
    other_app = lab.app()
    other = lab.deliver(other_app, lab.endpoint(other_app))
    lab.update(tables.deliveries, sending, status="sending", lease_session="wrk_one")
    if of_app:
        lab.database.write(lambda c: endpoints.delete_of_app(c, app_id, 1))
    else:
        lab.database.write(lambda c: endpoints.delete(c, endpoint_id, 1))

    assert 1 == _do(lab, upkeep.cancel_for_deleted_endpoints)
    assert 0 == _do(lab, upkeep.cancel_for_deleted_endpoints)
    assert ["sending", "cancelled", "pending"] == [
        lab.row(tables.deliveries, key)["status"] for key in (sending, pending, other)
    ]
    row = lab.row(tables.deliveries, pending)
    assert ("endpoint_deleted", None, 1) == (
        row["cancel_reason"],
        row["next_attempt_at"],
        row["completed_at"],
    )


def test_a_deleted_endpoint_is_left_once_nothing_can_come_back(lab: StoreLab) -> None:
    """Not while something is pending or being sent, nor while an acceptance may still come."""
    app_id, deleted_at = lab.app(), lab.clock.now
    busy, idle, living = lab.endpoints(3, app_id)
    pending, sending = lab.deliver(app_id, busy), lab.deliver(app_id, busy)
    lab.update(tables.deliveries, sending, status="sending", lease_session="wrk_one")
    for each in (busy, idle):
        lab.database.write(partial(endpoints.delete, endpoint_id=each, at_ms=deleted_at))
    swept: list[list[str]] = []

    def leave() -> None:
        _do(lab, upkeep.leave_swept_endpoints)
        rows = lab.rows(tables.endpoints)
        swept.append(sorted(row["id"] for row in rows if row["is_swept"]))

    leave()
    lab.clock.now += 600_000
    leave()
    lab.update(tables.deliveries, sending, status="pending", lease_session=None)
    leave()
    assert 2 == _do(lab, upkeep.cancel_for_deleted_endpoints)
    leave()

    assert [[], [idle], [idle], sorted([busy, idle])] == swept
    assert ["cancelled"] * 2 == [
        lab.row(tables.deliveries, each)["status"] for each in (pending, sending)
    ]
    assert not lab.row(tables.endpoints, living)["is_swept"]


def test_what_comes_later_than_that_retention_writes_down(lab: StoreLab) -> None:
    """As it has read since the endpoint was deleted; then it is erased like all others."""
    app_id = lab.app(retention_days=1)
    endpoint_id = lab.endpoint(app_id)
    delivery_id = lab.deliver(app_id, endpoint_id)
    lab.update(tables.endpoints, endpoint_id, deleted_at=lab.clock.now + 7, is_swept=True)
    lab.clock.now += retention.DAY_MS + 5
    assert 0 == _do(lab, upkeep.cancel_for_deleted_endpoints)
    seen: list[tuple[str, int]] = []
    for _ in range(2):
        walk = retention.Walk()
        while not walk.is_resting(lab.clock.now):
            step = partial(retention.step, walk=walk, now_ms=lab.clock.now, limit=10)
            walk = lab.database.write(step)
        rows = lab.rows(tables.deliveries)
        seen += [(row["cancel_reason"], row["completed_at"]) for row in rows]
        lab.clock.now += 10

    assert [("endpoint_deleted", lab.clock.now - retention.DAY_MS - 18)] == seen
    assert [] == [row for row in lab.rows(tables.deliveries) if row["id"] == delivery_id]


def test_what_expired_before_its_endpoint_was_deleted_stays_expired(lab: StoreLab) -> None:
    """Whichever is written down first."""
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    first, last = (lab.deliver(app_id, endpoint_id) for _ in range(2))
    lab.update(tables.deliveries, first, expires_at=5)
    lab.update(tables.deliveries, last, expires_at=8)
    lab.update(tables.endpoints, endpoint_id, deleted_at=7)
    _do(lab, upkeep.cancel_for_deleted_endpoints)
    rows = [lab.row(tables.deliveries, key) for key in (first, last)]

    assert [("expired", 5), ("endpoint_deleted", 7)] == [
        (row["cancel_reason"], row["completed_at"]) for row in rows
    ]


def test_cancelling_goes_in_batches(lab: StoreLab) -> None:
    """No more than the limit at once."""
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    for _ in range(5):
        lab.deliver(app_id, endpoint_id)
    lab.update(tables.endpoints, endpoint_id, deleted_at=1)

    assert [2, 2, 1, 0] == [
        _do(lab, upkeep.cancel_for_deleted_endpoints, limit=2) for _ in range(4)
    ]


def test_what_is_held_is_cancelled_in_batches(lab: StoreLab) -> None:
    """No more than the limit at once; what has expired meanwhile ends as expired."""
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id, active=False)
    held = [lab.deliver(app_id, endpoint_id) for _ in range(5)]
    lab.update(tables.deliveries, held[0], expires_at=5)

    def cancel(connection: Connection) -> int:
        return deliveries.cancel_pending(
            connection, endpoint_id, "not_released", lab.clock.now, limit=2
        )

    assert [2, 2, 1, 0] == [lab.database.write(cancel) for _ in range(4)]
    assert [("expired", 5)] + [("not_released", lab.clock.now)] * 4 == [
        (row["cancel_reason"], row["completed_at"])
        for row in (lab.row(tables.deliveries, each) for each in held)
    ]


def test_expired_records_are_erased(lab: StoreLab) -> None:
    """A record is kept for its lifetime and not a batch longer."""
    app_id = lab.app()
    for number, lifetime_ms in enumerate((1, 2, 3)):
        record = lab.record(bytes([number]), lifetime_ms=lifetime_ms)
        lab.database.accept(lab.acceptance(app_id, [], record=record))
    lab.clock.now += 2

    assert 2 == _do(lab, upkeep.erase_expired_records)
    assert [b"\x02"] == [row["scope"] for row in lab.rows(tables.idempotency_records)]


def test_silent_writers_are_erased(lab: StoreLab) -> None:
    """A process that has written nothing for a day is gone, or begins its row anew."""
    day_ms = 86_400_000
    rows = [
        {"id": "gone", "number": 1, "seen_at": lab.clock.now - day_ms - 1},
        {"id": "here", "number": 1, "seen_at": lab.clock.now},
    ]
    lab.database.submit(lambda c: c.execute(sa.insert(tables.writers), rows)).result(60)

    assert 1 == _do(lab, upkeep.erase_silent_writers)
    assert "gone" not in {row["id"] for row in lab.rows(tables.writers)}


def test_expired_secrets_are_erased(lab: StoreLab) -> None:
    """A rotated secret is gone once its overlap has ended; current ones stay."""
    app_id = lab.app()
    current = lab.secret(app_id, None)
    lab.secret(app_id, None, expires_at=lab.clock.now)
    overlapping = lab.secret(app_id, None, expires_at=lab.clock.now + 1)

    assert 1 == _do(lab, upkeep.erase_expired_secrets)
    assert {current, overlapping} == {row["id"] for row in lab.rows(tables.signing_secrets)}
