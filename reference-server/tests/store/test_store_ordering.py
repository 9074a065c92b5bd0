"""Order among deliveries with the same key: whose turn it is, whatever ends the one before."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import cast

import pytest
from store_lab import ACCOUNT, ENVIRONMENT, START_MS, StoreLab
from store_places import migrated, new_place

from hookwright_server.delivery.claim import Rotation, claim
from hookwright_server.delivery.room import Room
from hookwright_server.store import (
    cancelling,
    deliveries,
    ordering,
    retention,
    tables,
    upkeep,
    worker_sessions,
)
from hookwright_server.store.audit import audit
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import RecordExists, StaleSubscriptions
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.opening import open_database
from hookwright_server.store.results import NewAttempt, Settlement
from hookwright_server.store.targets import Targets

KEY = "customer 1"
DAY_MS = 86_400_000


class Lane:
    """An endpoint that three deliveries with one key were accepted for."""

    def __init__(self, lab: StoreLab, expires_at: int | None = None) -> None:
        self.lab = lab
        self.app = lab.app()
        self.endpoint = lab.endpoint(self.app)
        lab.session("wrk_one")
        self.ids = [self.accept(expires_at=expires_at), self.accept(), self.accept()]

    def accept(self, key: str | None = KEY, expires_at: int | None = None) -> str:
        """One more delivery."""
        return self.lab.deliver(self.app, self.endpoint, ordering_key=key, expires_at=expires_at)

    def leased(self) -> list[str]:
        """What a worker gets that claims now."""
        lab = self.lab
        room = Room(100, 10_000, 10_000, {}, {})
        found = lab.database.write(
            lambda c: claim(c, lab.clock, "wrk_one", Rotation(), room, {}, Targets())
        )
        return [one.row.id for one in found.deliveries]

    def settle(self, delivery_id: str, status: str) -> None:
        """The attempt under way ends like this; a retry is due a minute later."""
        now = self.lab.clock.now
        row = self.lab.row(tables.deliveries, delivery_id)
        attempt = NewAttempt(
            id=self.lab.ids.new("att", now),
            account_id=ACCOUNT,
            environment=ENVIRONMENT,
            delivery_id=delivery_id,
            number=row["attempt_count"] + 1,
            failure_reason=None if status == "delivered" else "http_5xx",
            created_at=now,
        )
        due_at = now + 60_000 if status == "pending" else None
        done = Settlement(attempt, row["fence"], status, 10, due_at, now)

        def work(connection: Connection) -> None:
            hot_sql(connection).leases(connection, [delivery_id])
            hot_sql(connection).settle(connection, [done])
            if status != "pending":
                ordering.move_up(connection, {(self.endpoint, KEY)}, now)

        self.lab.database.write(work)

    def faults(self) -> list[str]:
        """What the doctor finds."""
        now = self.lab.clock.now
        found = self.lab.database.read(lambda c: audit(c, now))
        return [finding.check for finding in found if finding.is_fault]


@pytest.fixture
def lane(lab: StoreLab) -> Lane:
    """Three deliveries of one key."""
    return Lane(lab)


def test_only_the_first_is_claimed(lane: Lane) -> None:
    """The others are pending without a time, and numbered in the order of acceptance."""
    rows = lane.lab.rows(tables.deliveries)
    shown = [(row["sequence"], row["status"], row["next_attempt_at"]) for row in rows]

    assert [(1, "pending", START_MS), (2, "pending", None), (3, "pending", None)] == shown
    assert lane.ids[:1] == lane.leased()
    assert [] == lane.leased()
    assert [] == lane.faults()


def test_keys_and_endpoints_do_not_wait_for_each_other(lane: Lane) -> None:
    """Nor does what has no key."""
    other = lane.lab.endpoint(lane.app)
    free = [
        lane.accept("customer 2"),
        lane.accept(None),
        lane.lab.deliver(lane.app, other, ordering_key=KEY),
    ]

    assert sorted([lane.ids[0], *free]) == sorted(lane.leased())


@pytest.mark.parametrize("status", ["delivered", "failed", "dead_letter", "cancelled"])
def test_an_end_lets_the_next_one_go(lane: Lane, status: str) -> None:
    """Whichever it is; the one behind it goes on waiting."""
    first, second, _ = lane.ids
    lane.leased()
    lane.lab.clock.now += 5_000
    if status == "cancelled":
        lane.lab.database.write(lambda c: cancelling.stop(c, [first]))
    lane.settle(first, status)

    assert lane.lab.clock.now == lane.lab.row(tables.deliveries, second)["next_attempt_at"]
    assert [second] == lane.leased()
    assert [] == lane.leased()
    assert [] == lane.faults()


def test_a_retry_is_waited_for(lane: Lane) -> None:
    """Nothing goes while the first waits for its next attempt."""
    first = lane.ids[0]
    lane.leased()
    lane.settle(first, "pending")

    assert [] == lane.leased()
    lane.lab.clock.now += 60_000
    assert [first] == lane.leased()
    assert [] == lane.faults()


def test_after_an_end_of_all_the_next_one_is_due_at_once(lane: Lane) -> None:
    """Its number goes on where the last one was."""
    for each in lane.ids:
        lane.leased()
        lane.settle(each, "delivered")
    fourth = lane.accept()
    row = lane.lab.row(tables.deliveries, fourth)

    assert (4, START_MS) == (row["sequence"], row["next_attempt_at"])
    assert [fourth] == lane.leased()


def test_what_waits_may_be_cancelled(lane: Lane) -> None:
    """Behind the first: that one is still waited for. The first itself: the next one is due."""
    first, second, third = lane.ids
    cancel = cancelling.cancel
    lane.lab.database.write(lambda c: cancel(c, [second], START_MS))

    assert [None] == [lane.lab.row(tables.deliveries, third)["next_attempt_at"]]
    lane.lab.database.write(lambda c: cancel(c, [first], START_MS))
    assert [third] == lane.leased()
    assert [] == lane.faults()


def test_a_cancelled_message_lets_others_go(lane: Lane) -> None:
    """With its delivery on the way the next one waits for that."""
    first, second, _ = lane.ids
    message = lane.lab.row(tables.deliveries, first)["message_id"]
    lane.lab.database.write(lambda c: cancelling.cancel_of_message(c, message, START_MS))

    assert [second] == lane.leased()
    assert [] == lane.faults()


def test_a_lease_that_is_taken_back_blocks(lane: Lane) -> None:
    """The first is due again, before all others; cancelled meanwhile, it lets them go."""
    first, second, _ = lane.ids
    lane.leased()
    lane.lab.delete(tables.worker_sessions, "wrk_one")
    lane.lab.session("wrk_two")

    def take_back(connection: Connection) -> None:
        now = lane.lab.clock.now
        worker_sessions.recover(connection, lambda: lane.lab.ids.new("att", now), now, 10)

    lane.lab.database.write(take_back)
    lane.lab.session("wrk_one")
    assert [first] == lane.leased()
    lane.lab.database.write(lambda c: cancelling.stop(c, [first]))
    lane.lab.delete(tables.worker_sessions, "wrk_one")
    lane.lab.database.write(take_back)
    lane.lab.session("wrk_one")
    assert [second] == lane.leased()
    assert [] == lane.faults()


def test_a_lease_that_is_given_back_blocks(lane: Lane) -> None:
    """It is due again as before; cancelled meanwhile, it lets the next one go."""
    first, second, _ = lane.ids
    now = lane.lab.clock.now

    def give_back(connection: Connection) -> None:
        leases = hot_sql(connection).leases(connection, [first])
        worker_sessions.release(connection, leases, now)

    lane.leased()
    lane.lab.database.write(give_back)
    assert [first] == lane.leased()
    lane.lab.database.write(lambda c: cancelling.stop(c, [first]))
    lane.lab.database.write(give_back)
    assert [second] == lane.leased()
    assert [] == lane.faults()


def test_what_expires_lets_the_next_one_go(lab: StoreLab) -> None:
    """By the claim when it is due, and by the chore when it is not."""
    claimed = Lane(lab, expires_at=START_MS + 1)
    swept = Lane.__new__(Lane)
    swept.lab, swept.app = lab, claimed.app
    swept.endpoint = lab.endpoint(claimed.app, active=False)
    swept.ids = [swept.accept(expires_at=START_MS + 1), swept.accept()]
    lab.clock.now += 10

    assert [] == claimed.leased()
    assert [claimed.ids[1]] == claimed.leased()
    assert 1 == lab.database.write(lambda c: upkeep.cancel_expired(c, lab.clock.now, 10))
    assert lab.clock.now == lab.row(tables.deliveries, swept.ids[1])["next_attempt_at"]
    assert [] == swept.faults()


def test_a_disabled_endpoint_holds_all(lane: Lane) -> None:
    """Once it is enabled they go on in order; what is not released lets later ones go."""
    lane.lab.update(tables.endpoints, lane.endpoint, active=False)
    fourth = lane.accept()
    assert [] == lane.leased()
    lane.lab.update(tables.endpoints, lane.endpoint, active=True)
    assert lane.ids[:1] == lane.leased()
    lane.lab.database.write(
        lambda c: deliveries.cancel_pending(c, lane.endpoint, "not_released", START_MS, 100)
    )
    assert "cancelled" == lane.lab.row(tables.deliveries, fourth)["status"]
    fifth = lane.accept()
    assert [] == lane.leased()
    lane.settle(lane.ids[0], "failed")
    assert [fifth] == lane.leased()
    assert [] == lane.faults()


def test_retries_by_hand_stand_outside(lane: Lane) -> None:
    """One that has ended goes again beside those that it let go, and they do not wait for it."""
    first, second, third = lane.ids
    lane.leased()
    lane.settle(first, "dead_letter")
    lane.lab.database.write(lambda c: deliveries.restart(c, first, 12, START_MS))

    assert {first, second} == set(lane.leased())
    lane.settle(second, "delivered")
    assert [third] == lane.leased()
    assert 1 == lane.lab.row(tables.deliveries, first)["sequence"]
    assert [] == lane.faults()


def test_what_was_held_for_too_long_lets_younger_ones_go(lane: Lane) -> None:
    """Retention cancels those behind it too, and what was accepted since is due."""
    lane.lab.update(tables.endpoints, lane.endpoint, active=False)
    lane.lab.clock.now += 31 * DAY_MS
    young = lane.accept()
    walk = retention.Walk()
    for _ in range(4):
        step = partial(retention.step, walk=walk, now_ms=lane.lab.clock.now, limit=2)
        walk = lane.lab.database.write(step)
    rows = [lane.lab.row(tables.deliveries, each) for each in lane.ids]

    assert ["retention"] * 3 == [row["cancel_reason"] for row in rows]
    assert lane.lab.clock.now == lane.lab.row(tables.deliveries, young)["next_attempt_at"]
    assert [] == lane.faults()


def _expire_all(lab: StoreLab) -> None:
    """A round of retention."""
    walk = retention.Walk()
    while not walk.is_resting(lab.clock.now):
        walk = lab.database.write(
            partial(retention.step, walk=walk, now_ms=lab.clock.now, limit=10)
        )


def test_a_lane_goes_with_its_last_delivery(lane: Lane) -> None:
    """Sequences then begin again; lanes of which the last one is kept go on."""
    lab = lane.lab

    def deliver(key: str) -> None:
        lab.update(
            tables.deliveries,
            lane.accept(key),
            status="delivered",
            completed_at=lab.clock.now,
            next_attempt_at=None,
        )

    for each in lane.ids:
        lane.leased()
        lane.settle(each, "delivered")
    deliver("old")
    deliver("young")
    lab.clock.now += 30 * DAY_MS
    deliver("young")
    lab.clock.now += 1
    _expire_all(lab)

    assert [("young", 2)] == [
        (row["ordering_key"], row["last_sequence"]) for row in lab.rows(tables.ordering_lanes)
    ]
    anew = [lane.accept(), lane.accept(), lane.accept("young")]
    assert [(1, lab.clock.now), (2, None), (3, lab.clock.now)] == [
        (row["sequence"], row["next_attempt_at"])
        for row in (lab.row(tables.deliveries, each) for each in anew)
    ]
    assert [] == lane.faults()


def test_a_lane_stays_while_one_waits_in_it(lane: Lane) -> None:
    """The last one may be erased before: what is accepted then still comes behind."""
    lab = lane.lab
    first, *others = lane.ids
    assert [first] == lane.leased()
    lane.settle(first, "pending")
    lab.database.write(lambda c: cancelling.cancel(c, others, START_MS))
    lab.clock.now += 31 * DAY_MS
    _expire_all(lab)
    fourth = lane.accept()

    assert {first, fourth} == {row["id"] for row in lab.rows(tables.deliveries)}
    assert 4 == lab.row(tables.deliveries, fourth)["sequence"]
    assert [first] == lane.leased()
    lane.settle(first, "delivered")
    assert [fourth] == lane.leased()
    assert [] == lane.faults()


def test_a_group_keeps_its_order(lab: StoreLab) -> None:
    """What is refused leaves no gap and blocks nobody; a repeat adds nothing."""
    app, record = lab.app(), lab.record()
    endpoint, other = lab.endpoints(2, app)
    events = [
        lab.acceptance(app, [endpoint, other], ordering_key="a", version=7),
        lab.acceptance(app, [endpoint, other], ordering_key="a", record=record),
        lab.acceptance(app, [endpoint, other], ordering_key="a", record=record),
        lab.acceptance(app, [endpoint], ordering_key="a"),
        lab.acceptance(app, [endpoint]),
    ]
    answers = lab.database.accept_all(events)
    rows = lab.rows(tables.deliveries)
    shown = {
        (row["endpoint_id"], row["sequence"], row["next_attempt_at"], row["ordering_key"])
        for row in rows
    }

    assert [StaleSubscriptions, None, RecordExists, None, None] == [
        error and type(error) for error in answers
    ]
    assert {
        (endpoint, 1, START_MS, "a"),
        (other, 1, START_MS, "a"),
        (endpoint, 2, None, "a"),
        (endpoint, None, START_MS, None),
    } == shown
    assert {(endpoint, 2), (other, 1)} == {
        (row["endpoint_id"], row["last_sequence"]) for row in lab.rows(tables.ordering_lanes)
    }


def test_what_waits_costs_a_claim_nothing(request: pytest.FixtureRequest) -> None:
    """With 3,000 more behind one that is being sent, a look of SQLite takes as many steps."""
    database = open_database(new_place(request, "sqlite", migrated))
    request.addfinalizer(database.close)
    lab = StoreLab(database)
    lane = Lane(lab)
    lane.leased()
    few = _steps(lane)
    events = [lab.acceptance(lane.app, [lane.endpoint], ordering_key=KEY) for _ in range(3_000)]
    lab.database.accept_all(events)

    assert few == _steps(lane)


def _steps(lane: Lane) -> int:
    """Instructions of SQLite's machine for a look at what is due and the call of the next one."""
    counted: list[int] = []

    def look(connection: Connection) -> None:
        raw = cast("sqlite3.Connection", connection.connection.driver_connection)
        raw.set_progress_handler(lambda: counted.append(1), 1)
        hot_sql(connection).queue(connection, lane.lab.clock.now, {})
        ordering.move_up(connection, {(lane.endpoint, KEY)}, lane.lab.clock.now)
        raw.set_progress_handler(None, 1)

    lane.lab.database.write(look)
    return len(counted)


def test_the_doctor_sees_a_broken_order(lane: Lane) -> None:
    """One that is due out of turn, and one that nobody would ever call."""
    first, _, third = lane.ids
    lane.lab.update(tables.deliveries, third, next_attempt_at=START_MS)
    assert ["delivery_order"] == lane.faults()
    lane.lab.update(tables.deliveries, third, next_attempt_at=None)
    lane.lab.update(tables.deliveries, first, next_attempt_at=None)

    assert ["delivery_order"] == lane.faults()
