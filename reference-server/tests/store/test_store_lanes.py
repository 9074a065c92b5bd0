"""Acceptances of ordered events while another process holds their lane. Two databases are two."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from queue import SimpleQueue

import pytest
import sqlalchemy as sa
from store_lab import START_MS, StoreLab
from store_waiting import PATIENCE_S, PATIENT, Gate, somebody_waits_for_a_lock, until

from hookwright_server.delivery.claim import Rotation, claim
from hookwright_server.delivery.recorder import Completed, record
from hookwright_server.delivery.room import Room
from hookwright_server.delivery.sender import Attempted
from hookwright_server.domain.outcome import Delivered
from hookwright_server.domain.retry_policy import Succeeded
from hookwright_server.store import endpoint_health, ordering, retention, tables, upkeep
from hookwright_server.store.acceptance import Acceptance
from hookwright_server.store.audit import audit
from hookwright_server.store.cancelling import cancel_of_message
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import StoreUnavailable, WriterBusy
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.opening import OpenDatabase
from hookwright_server.store.postgres import PostgresDatabase, PostgresTimeouts
from hookwright_server.store.targets import Targets
from hookwright_server.store.writer import WriterLimits

pytestmark = pytest.mark.needs_service("postgres")

Opened = Callable[[], OpenDatabase]
_Sent = sa.Row[str, str, str, int]


@pytest.fixture
def opened(postgres_place: str) -> Iterator[Opened]:
    """Opens the test's database as another process would."""
    databases: list[OpenDatabase] = []

    def one_more() -> OpenDatabase:
        databases.append(PostgresDatabase(postgres_place, readers=2, timeouts=PATIENT))
        return databases[-1]

    yield one_more
    for each in databases:
        each.close()


class Lanes:
    """An app with two endpoints, which each have been sent an event with the key `k`."""

    def __init__(self, place: str, lane_s: float, callers: int = 32) -> None:
        limits = WriterLimits(lane_s=lane_s, lane_callers=callers)
        self.database = PostgresDatabase(place, limits=limits)
        self.lab = StoreLab(self.database)
        self.app = self.lab.app()
        self.first, self.second = self.lab.endpoints(2, self.app)
        before = self.event("k", self.first, self.second)
        self.before = before.message.id
        self.database.accept(before)

    def event(self, key: str | None, *endpoints: str) -> Acceptance:
        """One to be accepted."""
        return self.lab.acceptance(self.app, endpoints, ordering_key=key)

    def accepted(self) -> list[str]:
        """The messages that are there, but the one that was there at first."""
        ids = {row["id"] for row in self.lab.rows(tables.messages)}
        return sorted(ids - {self.before})

    def sequences(self, endpoint: str) -> dict[str, int]:
        """The places of the endpoint's messages."""
        rows = self.lab.rows(tables.deliveries)
        return {r["message_id"]: r["sequence"] for r in rows if r["endpoint_id"] == endpoint}

    def faults(self) -> list[str]:
        """What the doctor finds."""
        found = self.database.read(lambda c: audit(c, self.lab.clock.now))
        return [finding.check for finding in found if finding.is_fault]


@contextmanager
def _standing(database: OpenDatabase, work: Callable[[Connection], object]) -> Generator[None]:
    """Another process stands still in a transaction, having done `work`."""
    entered, leave = threading.Event(), threading.Event()

    def stand_still(connection: Connection) -> None:
        work(connection)
        entered.set()
        leave.wait(PATIENCE_S)

    holding = database.submit(stand_still)
    assert entered.wait(PATIENCE_S)
    try:
        yield
    finally:
        leave.set()
        holding.result(PATIENCE_S)


def _held(database: OpenDatabase, lane: ordering.Lane) -> AbstractContextManager[None]:
    """Another process stands still in a transaction that holds this lane."""
    return _standing(database, lambda c: ordering.hold(c, [lane]))


def test_only_the_event_of_a_held_lane_is_refused(postgres_place: str, opened: Opened) -> None:
    """Once it is let go the event is accepted, and comes after those before it."""
    lanes = Lanes(postgres_place, lane_s=0.2)
    held = lanes.event("k", lanes.first)
    others = [lanes.event(None, lanes.first), lanes.event("other", lanes.first)]
    others += [lanes.event(None, lanes.first) for _ in range(3)]
    group = [held, *others[:2], lanes.event("k", lanes.first), *others[2:]]
    with _held(opened(), (lanes.first, "k")):
        told = lanes.database.accept_all(group)
        assert [WriterBusy, None, None, WriterBusy, None, None, None] == [
            error and type(error) for error in told
        ]
        assert sorted(each.message.id for each in others) == lanes.accepted()
    lanes.database.accept(held)
    sequences = lanes.sequences(lanes.first)

    assert 2 == sequences[held.message.id]
    assert [] == lanes.faults()
    lanes.database.close()


def test_an_event_waits_for_its_lane(postgres_place: str, opened: Opened) -> None:
    """Nothing of its key overtakes it meanwhile, not even to another endpoint."""
    lanes = Lanes(postgres_place, lane_s=PATIENCE_S)
    first, second = (lanes.event("k", lanes.first, lanes.second) for _ in range(2))
    elsewhere, plain = lanes.event("k", lanes.second), lanes.event(None, lanes.first)
    with ThreadPoolExecutor(1) as pool:
        with _held(opened(), (lanes.first, "k")):
            waiting = pool.submit(lanes.database.accept_all, [first, elsewhere, second])
            until(lambda: lanes.database.queued() == 3)
            lanes.database.accept(plain)
            assert [plain.message.id] == lanes.accepted()
            assert not waiting.done()
        assert [None] * 3 == waiting.result(PATIENCE_S)

    assert (2, 3) == tuple(lanes.sequences(lanes.first)[e.message.id] for e in (first, second))
    assert (2, 3, 4) == tuple(
        lanes.sequences(lanes.second)[e.message.id] for e in (first, elsewhere, second)
    )
    assert [] == lanes.faults()
    lanes.database.close()


def test_few_requests_wait_for_lanes(postgres_place: str, opened: Opened) -> None:
    """One more is refused at once, so threads are left for others."""
    lanes = Lanes(postgres_place, lane_s=PATIENCE_S, callers=1)
    with ThreadPoolExecutor(1) as pool:
        with _held(opened(), (lanes.first, "k")):
            waiting = pool.submit(lanes.database.accept, lanes.event("k", lanes.first))
            until(lambda: lanes.database.queued() == 1)
            lanes.database.accept(lanes.event(None, lanes.first))
            with pytest.raises(WriterBusy):
                lanes.database.accept(lanes.event("k", lanes.first))
            assert not waiting.done()
        waiting.result(PATIENCE_S)

    assert [1, 2] == sorted(filter(None, lanes.sequences(lanes.first).values()))
    lanes.database.close()


def test_a_stopped_process_refuses_no_event(postgres_place: str) -> None:
    """Postgres ends its transaction before the events that wait for its lane are refused."""
    lanes = Lanes(postgres_place, lane_s=PATIENCE_S)
    stopped = PostgresDatabase(postgres_place, timeouts=PostgresTimeouts(idle_s=0.3))
    with _held(stopped, (lanes.first, "k")):
        lanes.database.accept(lanes.event("k", lanes.first))

        assert 1 == len(lanes.accepted())
    lanes.database.close()
    stopped.close()


def test_a_momentary_hold_leaves_no_trace(postgres_place: str, opened: Opened) -> None:
    """After a wait in vain the connection waits for other locks as long as ever."""
    lanes = Lanes(postgres_place, lane_s=0.1)
    with _held(opened(), (lanes.first, "k")), pytest.raises(WriterBusy):
        lanes.database.accept(lanes.event("k", lanes.first))
    shown = lanes.database.write(lambda c: c.scalar(sa.text("SHOW lock_timeout")))

    assert "2s" == shown
    lanes.database.close()


def test_lanes_are_held_last_by_who_records(postgres_place: str, opened: Opened) -> None:
    """While a worker waits for the health of an endpoint, its order goes on."""
    lanes = Lanes(postgres_place, lane_s=0.1)
    worker, now = opened(), lanes.lab.clock.now
    lanes.lab.session("wrk_one")
    room = Room(100, 10_000, 10_000, {}, {})
    claimed = worker.write(
        lambda c: claim(c, lanes.lab.clock, "wrk_one", Rotation(), room, {}, Targets())
    )
    done = [
        Completed(one, Attempted(Delivered(200), 5), Succeeded(), 10, "{}", f"att_{n}", now, now)
        for n, one in enumerate(claimed.deliveries)
    ]
    following = lanes.event("k", lanes.first)

    def hold_health(connection: Connection) -> None:
        endpoint_health.load(connection, [lanes.first, lanes.second])

    with _standing(opened(), hold_health):
        recording = worker.submit(lambda c: record(c, done))
        until(lambda: somebody_waits_for_a_lock(lanes.database))
        lanes.database.accept(following)
        assert not recording.done()
    recording.result(PATIENCE_S)
    [row] = [
        row
        for row in lanes.lab.rows(tables.deliveries)
        if row["message_id"] == following.message.id
    ]

    assert (2, now) == (row["sequence"], row["next_attempt_at"])
    assert [] == lanes.faults()
    lanes.database.close()


def test_orders_are_held_by_who_cancels_after_what_is_being_sent(
    postgres_place: str, opened: Opened
) -> None:
    """While an attempt is recorded, who cancels its message holds no order that others need."""
    lanes = Lanes(postgres_place, lane_s=0.1)
    now = lanes.lab.clock.now
    [sent] = [
        row["id"] for row in lanes.lab.rows(tables.deliveries) if row["endpoint_id"] == lanes.first
    ]
    lanes.lab.update(tables.deliveries, sent, status="sending", lease_session="wrk_one")

    def hold_sent(connection: Connection) -> None:
        rows = sa.select(tables.deliveries.c.id).where(tables.deliveries.c.id == sent)
        connection.execute(rows.with_for_update())

    with _standing(opened(), hold_sent):
        stopping = opened().submit(lambda c: cancel_of_message(c, lanes.before, now))
        until(lambda: somebody_waits_for_a_lock(lanes.database))
        lanes.database.accept(lanes.event("k", lanes.second))
        assert not stopping.done()

    assert (1, 1) == stopping.result(PATIENCE_S)
    lanes.database.close()


def _erase(database: OpenDatabase, now_ms: int) -> None:
    database.write(lambda c: erase_in(c, now_ms))


def erase_in(connection: Connection, now_ms: int) -> None:
    """All of a round of retention, in one transaction."""
    walk = retention.Walk()
    while not walk.is_resting(now_ms):
        walk = retention.step(connection, walk, now_ms, 10)


def _finish_all(lanes: Lanes) -> int:
    """Everything ends now; by when it is erased."""
    now = lanes.lab.clock.now
    ended = {"status": "delivered", "completed_at": now, "next_attempt_at": None}
    lanes.database.write(lambda c: c.execute(sa.update(tables.deliveries).values(ended)))
    return now + 31 * retention.DAY_MS


def test_a_lane_to_which_an_event_is_added_is_not_erased(
    postgres_place: str, opened: Opened
) -> None:
    """Whoever holds it has given a place that follows the last one."""
    lanes = Lanes(postgres_place, lane_s=10)
    late = _finish_all(lanes)
    event = lanes.event("k", lanes.first)
    with _standing(opened(), lambda c: hot_sql(c).accept(c, [event])):
        _erase(opened(), late)
    kept = lanes.lab.rows(tables.ordering_lanes)
    lanes.database.close()

    assert [(lanes.first, 2)] == [(row["endpoint_id"], row["last_sequence"]) for row in kept]


def test_an_event_waits_for_the_end_of_its_lane(postgres_place: str, opened: Opened) -> None:
    """It is the first of a new one."""
    lanes = Lanes(postgres_place, lane_s=10)
    late = _finish_all(lanes)
    events = [lanes.event("k", lanes.first), lanes.event("k", lanes.first)]
    with ThreadPoolExecutor(1) as pool:
        with _standing(opened(), lambda c: erase_in(c, late)):
            waiting = pool.submit(lanes.database.accept_all, events)
            while lanes.database.queued():
                pass
            assert not waiting.done()
        assert [None, None] == waiting.result(60)
    sequences = lanes.sequences(lanes.first)
    faults = lanes.faults()
    lanes.database.close()

    assert {events[0].message.id: 1, events[1].message.id: 2} == sequences
    assert [] == faults


def test_erasing_lanes_lets_nobody_overtake(postgres_place: str, opened: Opened) -> None:
    """Two processes publish, a third delivers, a fourth erases at once what has been delivered."""
    lanes = Lanes(postgres_place, lane_s=10)
    late = _finish_all(lanes)
    publishers = opened(), opened()
    published: tuple[list[str], list[str]] = [], []
    done, sent, rounds, of_each = threading.Event(), SimpleQueue[_Sent](), 3, 4

    def publish(number: int) -> None:
        for _ in range(of_each):
            event = lanes.event("k", lanes.first)
            published[number].append(event.message.id)
            publishers[number].accept(event)

    def deliver(database: OpenDatabase) -> None:
        for row in database.write(_deliver_one):
            sent.put(row)

    with ThreadPoolExecutor(4) as pool:
        works = deliver, partial(_erase, now_ms=late)
        loops = [pool.submit(_over_and_over, work, opened(), done) for work in works]
        found: list[_Sent] = []
        try:
            for _ in range(rounds):
                while lanes.lab.rows(tables.ordering_lanes):
                    _erase(publishers[0], late)
                for each in [pool.submit(publish, number) for number in (0, 1)]:
                    each.result(60)
                found += [sent.get(timeout=60) for _ in range(2 * of_each)]
        finally:
            done.set()
        for each in loops:
            each.result(60)
    faults = lanes.faults()
    lanes.database.close()

    assert list(published) == [
        [row.message_id for row in found if row.message_id in mine] for mine in published
    ]
    assert rounds <= [row.sequence for row in found].count(1)
    assert [] == faults


def _over_and_over(
    work: Callable[[OpenDatabase], None], database: OpenDatabase, done: threading.Event
) -> None:
    while not done.is_set():
        with suppress(StoreUnavailable):  # of two that wait in a circle one is ended
            work(database)


def _deliver_one(connection: Connection) -> Sequence[_Sent]:
    """What is due ends as delivered, and lets the next one go."""
    d = tables.deliveries.c
    due = sa.select(d.id).where(d.status == "pending", d.next_attempt_at.is_not(None))
    rows = connection.execute(
        sa.update(tables.deliveries)
        .where(d.id.in_(due.with_for_update(skip_locked=True)))
        .values(status="delivered", completed_at=START_MS, next_attempt_at=None)
        .returning(d.message_id, d.endpoint_id, d.ordering_key, d.sequence)
    ).all()
    ordering.move_up(connection, {(row[1], row[2]) for row in rows}, START_MS)
    return rows


def _disable(lanes: Lanes) -> None:
    lanes.lab.update(tables.endpoints, lanes.first, active=False, disabled_at=1)


def _delete(lanes: Lanes) -> None:
    at = START_MS + 31 * retention.DAY_MS
    lanes.lab.update(tables.endpoints, lanes.first, active=False, deleted_at=at)


def _sweep(connection: Connection, now_ms: int) -> None:
    upkeep.cancel_for_deleted_endpoints(connection, now_ms, 10)


@pytest.mark.parametrize(
    ("prepare", "work"), [(_disable, erase_in), (_delete, erase_in), (_delete, _sweep)]
)
def test_upkeep_holds_a_lane_before_what_waits_in_it(
    postgres_place: str,
    opened: Opened,
    prepare: Callable[[Lanes], None],
    work: Callable[[Connection, int], None],
) -> None:
    """As whoever cancels a delivery by request does: neither waits for the other in a circle."""
    lanes = Lanes(postgres_place, lane_s=PATIENCE_S)
    prepare(lanes)
    late = lanes.lab.clock.now + 31 * retention.DAY_MS
    entered, goes_on = threading.Event(), threading.Event()
    waiting = sa.select(tables.deliveries.c.id).where(
        tables.deliveries.c.endpoint_id == lanes.first
    )

    def cancel_by_request(connection: Connection) -> int:
        ordering.hold(connection, [(lanes.first, "k")])
        entered.set()
        goes_on.wait(PATIENCE_S)
        return len(connection.execute(waiting.with_for_update(nowait=True)).all())

    cancelling = opened().submit(cancel_by_request)
    assert entered.wait(PATIENCE_S)
    upkeep_of = opened().submit(lambda c: work(c, late))
    until(lambda: somebody_waits_for_a_lock(lanes.database))
    goes_on.set()

    assert 1 == cancelling.result(PATIENCE_S)
    upkeep_of.result(PATIENCE_S)
    rows = lanes.lab.rows(tables.deliveries)
    assert ["cancelled"] == [row["status"] for row in rows if row["endpoint_id"] == lanes.first]
    lanes.database.close()


def test_a_failed_group_keeps_its_order(postgres_place: str, opened: Opened) -> None:
    """What follows an event that waits for its lane waits too, even if the lane is free by then."""
    leave = threading.Event()
    holding: list[Future[None]] = []

    def let_go() -> None:
        """The event between the two has just been accepted."""
        if holding:
            leave.set()
            holding[0].result(PATIENCE_S)

    limits = WriterLimits(lane_s=PATIENCE_S)
    with closing(PostgresDatabase(postgres_place, let_go, limits, timeouts=PATIENT)) as database:
        lab = StoreLab(database)
        app = lab.app()
        endpoint = lab.endpoint(app)
        known = lab.acceptance(app, [endpoint], ordering_key="k")
        database.accept(known)
        first, between, last = (
            lab.acceptance(app, [endpoint], ordering_key=key) for key in ("k", "other", "k")
        )
        clash = replace(first, message=replace(known.message, ordering_key=None))
        entered = threading.Event()

        def hold(connection: Connection) -> None:
            ordering.hold(connection, [(endpoint, "k")])
            entered.set()
            leave.wait(PATIENCE_S)

        holding.append(opened().submit(hold))
        assert entered.wait(PATIENCE_S)
        with ThreadPoolExecutor(1) as pool:
            gate = Gate(database)
            accepting = pool.submit(database.accept_all, [clash, first, between, last])
            until(lambda: database.queued() == 4)
            gate.release()
            told = accepting.result(2 * PATIENCE_S)
        sequences = {row["message_id"]: row["sequence"] for row in lab.rows(tables.deliveries)}

    assert [False, True, True, True] == [error is None for error in told]
    assert (2, 3) == (sequences[first.message.id], sequences[last.message.id])
