"""Cancelling and expiring beside the engine: no attempt follows, and none is lost."""

from __future__ import annotations

import pytest
from store_lab import ACCOUNT, ENVIRONMENT, StoreLab

from hookwright_server.delivery.claim import Claim, Rotation, claim
from hookwright_server.delivery.room import Room
from hookwright_server.store import (
    cancelling,
    deliveries,
    messages,
    tables,
    upkeep,
    worker_sessions,
)
from hookwright_server.store.acceptance import Acceptance
from hookwright_server.store.audit import audit
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.messages import MessageFilter
from hookwright_server.store.pages import PageQuery
from hookwright_server.store.realm import Realm
from hookwright_server.store.results import Lease, NewAttempt, Settlement
from hookwright_server.store.targets import Targets

REALM = Realm(ACCOUNT, ENVIRONMENT)
SESSION = "wrk_one"


def _accepted(lab: StoreLab, endpoints: int) -> Acceptance:
    app_id = lab.app()
    acceptance = lab.acceptance(app_id, lab.endpoints(endpoints, app_id))
    lab.database.accept(acceptance)
    return acceptance


def _claimed(lab: StoreLab) -> Claim:
    room = Room(500, 10_000, 10_000, {}, {})
    return lab.database.write(
        lambda c: claim(c, lab.clock, SESSION, Rotation(), room, {}, Targets())
    )


def _settle(lab: StoreLab, delivery_id: str, status: str) -> None:
    attempt = NewAttempt(
        lab.ids.new("att", lab.clock.now),
        ACCOUNT,
        ENVIRONMENT,
        delivery_id,
        1,
        None if status == "delivered" else "http_5xx",
        lab.clock.now,
    )
    due_at = lab.clock.now + 5 if status == "pending" else None
    done = Settlement(attempt, 1, status, 10, due_at, lab.clock.now + 1)
    lab.database.write(lambda c: hot_sql(c).settle(c, [done]))


def _cancel(lab: StoreLab, message_id: str) -> tuple[int, int]:
    return lab.database.write(lambda c: cancelling.cancel_of_message(c, message_id, lab.clock.now))


def _ends(lab: StoreLab, delivery_id: str) -> tuple[object, ...]:
    row = lab.row(tables.deliveries, delivery_id)
    faults = lab.database.read(lambda c: audit(c, lab.clock.now))
    assert [] == [each for each in faults if each.is_fault]
    names = ("status", "cancel_reason", "next_attempt_at", "completed_at", "lease_session")
    return tuple(row[name] for name in names)


@pytest.mark.parametrize(
    ("status", "end"), [("pending", "cancelled"), ("delivered", "delivered"), ("failed", "failed")]
)
def test_an_attempt_under_way_decides(lab: StoreLab, status: str, end: str) -> None:
    """Cancelled while it is sent, a delivery ends as that attempt says, or as cancelled."""
    lab.session(SESSION)
    accepted = _accepted(lab, 2)
    sent, waiting = (each.id for each in accepted.deliveries)
    lab.update(tables.deliveries, waiting, next_attempt_at=lab.clock.now + 1)
    assert [sent] == [each.row.id for each in _claimed(lab).deliveries]

    assert (1, 1) == _cancel(lab, accepted.message.id)
    assert ("cancelled", "user", None, lab.clock.now, None) == _ends(lab, waiting)
    assert ("sending", "user") == _ends(lab, sent)[:2]
    assert (0, 1) == _cancel(lab, accepted.message.id)
    _settle(lab, sent, status)
    reason = "user" if end == "cancelled" else None
    assert (end, reason, None, lab.clock.now + 1, None) == _ends(lab, sent)


def test_an_interrupted_attempt_is_not_repeated(lab: StoreLab) -> None:
    """The worker died: the attempt is on record, and the delivery ends as cancelled."""
    lab.session(SESSION)
    accepted = _accepted(lab, 1)
    _claimed(lab)
    _cancel(lab, accepted.message.id)
    lab.delete(tables.worker_sessions, SESSION)
    now = lab.clock.now
    taken = lab.database.write(
        lambda c: worker_sessions.recover(c, lambda: lab.ids.new("att", now), now, 9)
    )

    assert 1 == len(taken)
    assert ("cancelled", "user", None, now, None) == _ends(lab, accepted.deliveries[0].id)
    assert 1 == len(lab.rows(tables.attempts))


def test_what_is_given_back_is_cancelled(lab: StoreLab) -> None:
    """It was never sent, and never will be."""
    lab.session(SESSION)
    accepted = _accepted(lab, 1)
    _claimed(lab)
    _cancel(lab, accepted.message.id)
    delivery_id, now = accepted.deliveries[0].id, lab.clock.now
    leases = {delivery_id: Lease(SESSION, 1)}
    lab.database.write(lambda c: worker_sessions.release(c, leases, now, 60_000))

    assert ("cancelled", "user", None, now, None) == _ends(lab, delivery_id)


def test_a_claim_cancels_what_has_expired(lab: StoreLab) -> None:
    """It is not handed out; a claim tells how many it cancelled, and the others go out."""
    lab.session(SESSION)
    accepted = _accepted(lab, 3)
    late, in_time, ever = (each.id for each in accepted.deliveries)
    lab.update(tables.deliveries, late, expires_at=lab.clock.now)
    lab.update(tables.deliveries, in_time, expires_at=lab.clock.now + 1)
    claimed = _claimed(lab)

    assert {in_time, ever} == {each.row.id for each in claimed.deliveries}
    assert (1, False) == (claimed.expired, claimed.left_behind)
    assert ("cancelled", "expired", None, lab.clock.now, None) == _ends(lab, late)


def test_upkeep_writes_expiries_down(lab: StoreLab) -> None:
    """What reads show already; batch by batch, and only what waits."""
    accepted = _accepted(lab, 4)
    ids = [each.id for each in accepted.deliveries]
    for each in ids[:3]:
        lab.update(tables.deliveries, each, expires_at=lab.clock.now)
    lab.update(tables.deliveries, ids[0], status="delivered", completed_at=1, next_attempt_at=None)

    def read(delivery_id: str) -> tuple[str, str | None, int | None]:
        row = lab.database.read(
            lambda c: deliveries.find(c, REALM, None, delivery_id, lab.clock.now)
        )
        assert row is not None
        return row.status, row.cancel_reason, row.completed_at

    before = [read(each) for each in ids]
    done = [
        lab.database.write(lambda c: upkeep.cancel_expired(c, lab.clock.now, 1)) for _ in range(3)
    ]

    assert [1, 1, 0] == done
    assert ["delivered", "cancelled", "cancelled", "pending"] == [status for status, *_ in before]
    assert ("cancelled", "expired", lab.clock.now) == before[1]
    assert before == [read(each) for each in ids]
    assert ["delivered", "cancelled", "cancelled", "pending"] == [
        lab.row(tables.deliveries, each)["status"] for each in ids
    ]


def test_tags_are_written_with_their_message(lab: StoreLab) -> None:
    """Found by each of them, newest first, in this account and environment."""
    app_id = lab.app()
    sent: list[str] = []
    for tags in (("a", "b"), (), ("b",)):
        acceptance = lab.acceptance(app_id, [], tags=tags)
        lab.database.accept(acceptance)
        sent.append(acceptance.message.id)
        lab.clock.now += 1

    def found(tag: str, realm: Realm = REALM) -> list[str]:
        wanted = MessageFilter(tag=tag, after=0)
        page = lab.database.read(
            lambda c: messages.page(c, realm, wanted, PageQuery(9, include_total=True))
        )
        assert len(page.rows) == page.total
        return [row.id for row in page.rows]

    assert ([sent[0]], [sent[2], sent[0]], []) == (found("a"), found("b"), found("c"))
    assert [] == found("b", Realm("acc_other", ENVIRONMENT))
