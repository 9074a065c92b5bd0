"""Upkeep writes down what reads already say, and erases what has run out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from store_lab import StoreLab

from hookwright_server.store import tables, upkeep
from hookwright_server.store.database import Connection

Chore = Callable[[Connection, int, int], int]


def _do(lab: StoreLab, chore: Chore, limit: int = 10) -> int:
    return lab.database.write(lambda c: chore(c, lab.clock.now, limit))


@pytest.mark.parametrize("table", [tables.endpoints, tables.apps])
def test_pending_deliveries_of_the_deleted_are_cancelled(lab: StoreLab, table: object) -> None:
    """Deliveries of a deleted endpoint or app end as cancelled; what is being sent goes on."""
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    sending, pending = (lab.deliver(app_id, endpoint_id) for _ in range(2))
    other_app = lab.app()
    other = lab.deliver(other_app, lab.endpoint(other_app))
    lab.update(tables.deliveries, sending, status="sending", lease_session="wrk_one")
    if table is tables.apps:
        lab.update(tables.apps, app_id, deleted_at=1)
    else:
        lab.update(tables.endpoints, endpoint_id, deleted_at=1)

    assert 1 == _do(lab, upkeep.cancel_for_deleted_endpoints)
    assert 0 == _do(lab, upkeep.cancel_for_deleted_endpoints)
    assert ["sending", "cancelled", "pending"] == [
        lab.row(tables.deliveries, key)["status"] for key in (sending, pending, other)
    ]
    row = lab.row(tables.deliveries, pending)
    assert ("endpoint_deleted", None, lab.clock.now) == (
        row["cancel_reason"],
        row["next_attempt_at"],
        row["completed_at"],
    )


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
    lab.database.submit(lambda c: c.execute(sa.insert(tables.writers), rows)).result(10)

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
