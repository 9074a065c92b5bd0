"""Workers beside each other: nothing is leased twice, nobody is sent more than it can take.

Two databases of `opened` are two worker processes.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from store_lab import ACCOUNT, ENVIRONMENT, StoreLab

from hookwright_server.delivery.claim import Claim, Rotation, claim
from hookwright_server.delivery.room import Room
from hookwright_server.delivery.tools import EngineLimits
from hookwright_server.store import postgres_hot, tables, worker_sessions
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import SessionLost
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.opening import OpenDatabase
from hookwright_server.store.results import Lease, NewAttempt, Settlement
from hookwright_server.store.targets import Targets

pytestmark = pytest.mark.needs_service("postgres")

Opened = Callable[[], OpenDatabase]


def _room(most: int) -> Room:
    return Room(most, 10_000, 10_000, {}, {})


def _claimed(lab: StoreLab, session_id: str, rotation: Rotation, most: int = 500) -> Claim:
    return lab.database.write(
        lambda c: claim(c, lab.clock, session_id, rotation, _room(most), {}, Targets())
    )


def _settle(lab: StoreLab, session_id: str, found: Claim) -> int:
    """Record all as delivered; how many leases still held."""

    def work(connection: Connection) -> int:
        hot = hot_sql(connection)
        leases = hot.leases(connection, [one.row.id for one in found.deliveries])
        kept = [one for one in found.deliveries if leases.get(one.row.id) == one.lease]
        hot.settle(
            connection,
            [
                Settlement(
                    attempt=NewAttempt(
                        id=lab.ids.new("att", lab.clock.now),
                        account_id=ACCOUNT,
                        environment=ENVIRONMENT,
                        delivery_id=one.row.id,
                        number=one.number,
                        failure_reason=None,
                        created_at=lab.clock.now,
                    ),
                    fence=one.row.fence,
                    status="delivered",
                    max_attempts=10,
                    next_attempt_at=None,
                    completed_at=lab.clock.now,
                )
                for one in kept
            ],
        )
        return len(kept)

    return lab.database.write(work)


class Watch:
    """How many deliveries are out at each endpoint, over all workers, and at most were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.out: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()

    def take(self, found: Claim) -> None:
        with self._lock:
            for one in found.deliveries:
                self.sent[one.row.id] += 1
                self.out[one.row.endpoint_id] += 1
                self.most |= self.out

    def give(self, found: Claim) -> None:
        with self._lock:
            self.out.subtract(one.row.endpoint_id for one in found.deliveries)


def test_claimers_share_one_rate(opened: Opened) -> None:
    """Four workers together take what a window grants, and in the next one as much again."""
    labs = [StoreLab(opened(), seed) for seed in range(4)]
    app_id = labs[0].app()
    limited = labs[0].endpoint(
        app_id, rate_max_requests=15, rate_duration_ms=1_000, max_concurrency=1_000
    )
    free = labs[0].endpoint(app_id)
    for _ in range(40):
        labs[0].database.accept(labs[0].acceptance(app_id, [limited, free]))
    watch = Watch()

    def work(lab: StoreLab) -> None:
        session_id = lab.ids.new("wrk", lab.clock.now)
        lab.session(session_id)
        rotation = Rotation()
        for _ in range(60):
            found = _claimed(lab, session_id, rotation, most=4)
            watch.take(found)
            _settle(lab, session_id, found)

    taken: list[tuple[int, int]] = []
    for _ in range(3):
        with ThreadPoolExecutor(len(labs)) as pool:
            list(pool.map(work, labs))
        taken.append((watch.out[limited], watch.out[free]))
        for lab in labs:
            lab.clock.now += 1_000

    assert [(15, 40), (30, 40), (40, 40)] == taken


def test_claimers_share_what_is_due(opened: Opened) -> None:
    """Four workers take 240 deliveries, each once, and no endpoint has more than 3 at a time."""
    labs = [StoreLab(opened(), seed) for seed in range(4)]
    app_id = labs[0].app()
    endpoint_ids = [labs[0].endpoint(app_id, max_concurrency=3) for _ in range(4)]
    for _ in range(60):
        labs[0].database.accept(labs[0].acceptance(app_id, endpoint_ids))
    watch = Watch()

    def work(lab: StoreLab) -> None:
        session_id = lab.ids.new("wrk", lab.clock.now)
        lab.session(session_id)
        rotation = Rotation()
        while sum(watch.sent.values()) < 240:
            found = _claimed(lab, session_id, rotation)
            watch.take(found)
            # Out of the count before the database hears of it: never later than that.
            watch.give(found)
            assert len(found.deliveries) == _settle(lab, session_id, found)

    with ThreadPoolExecutor(len(labs)) as pool:
        list(pool.map(work, labs))

    assert {1} == set(watch.sent.values())
    assert 3 >= max(watch.most.values())
    assert {"delivered"} == {row["status"] for row in labs[0].rows(tables.deliveries)}


def test_a_claim_under_way_counts(opened: Opened) -> None:
    """What one worker is about to lease, another one takes no free slots for."""
    one, other = (StoreLab(opened(), seed) for seed in range(2))
    app_id = one.app()
    endpoint_id = one.endpoint(app_id, max_concurrency=3)
    for _ in range(10):
        one.deliver(app_id, endpoint_id)
    one.session("wrk_one")
    other.session("wrk_other")
    entered, leave = threading.Event(), threading.Event()

    def slow_claim(connection: Connection) -> Claim:
        found = claim(connection, one.clock, "wrk_one", Rotation(), _room(9), {}, Targets())
        entered.set()
        leave.wait(60)
        return found

    claiming = one.database.submit(slow_claim)
    assert entered.wait(60)
    during = _claimed(other, "wrk_other", Rotation())
    leave.set()
    claiming.result(60)
    after = _claimed(other, "wrk_other", Rotation())

    assert [3, 0, 0] == [len(c.deliveries) for c in (claiming.result(), during, after)]


def test_an_endpoint_that_another_worker_is_claiming_is_left_to_it(opened: Opened) -> None:
    """The second worker waits for nothing, takes nothing of it, and looks again soon."""
    one, other = (StoreLab(opened(), seed) for seed in range(2))
    app_id = one.app()
    busy, free = sorted(one.endpoint(app_id) for _ in range(2))
    for endpoint_id in (busy, free):
        one.deliver(app_id, endpoint_id)
    other.session("wrk_other")
    entered, leave = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        key = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(busy, 0))
        connection.execute(sa.select(key))
        entered.set()
        leave.wait(60)

    held = one.database.submit(hold)
    assert entered.wait(60)
    found = _claimed(other, "wrk_other", Rotation())
    leave.set()
    held.result(60)

    assert [free] == [each.row.endpoint_id for each in found.deliveries]
    assert found.next_due_at is not None
    assert other.clock.now < found.next_due_at <= other.clock.now + 100


def test_more_endpoints_than_one_look_takes_in(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks go on where the last one ended, until every endpoint has had its turn."""
    monkeypatch.setattr(postgres_hot, "WINDOW", 3)
    lab = StoreLab(opened())
    app_id = lab.app()
    endpoint_ids = lab.endpoints(12, app_id)
    lab.database.accept(lab.acceptance(app_id, endpoint_ids))
    lab.session("wrk_one")
    rotation = Rotation()

    looks = [_claimed(lab, "wrk_one", rotation, most=3) for _ in range(4)]

    assert set(endpoint_ids) == {one.row.endpoint_id for look in looks for one in look.deliveries}
    assert {lab.clock.now} == {look.next_due_at for look in looks[:3]}  # at once


def _looks(lab: StoreLab, rotation: Rotation, span_ms: int) -> list[Claim]:
    """What an engine's looks find that nobody hints at anything in that time."""
    looks: list[Claim] = []
    end = lab.clock.now + span_ms
    while lab.clock.now < end:
        looks.append(_claimed(lab, "wrk_one", rotation))
        poll_at = lab.clock.now + EngineLimits().poll_ms
        at = looks[-1].next_due_at
        lab.clock.now = max(lab.clock.now + 1, poll_at if at is None else min(poll_at, at))
    return looks


def test_while_nothing_is_due_there_is_one_look_a_poll(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoints whose time has not come cost no looks, however many they are."""
    monkeypatch.setattr(postgres_hot, "WINDOW", 3)
    lab = StoreLab(opened())
    app_id = lab.app()
    due_at = lab.clock.now + 9_500
    lab.database.accept(lab.acceptance(app_id, lab.endpoints(12, app_id), due_at=due_at))
    lab.session("wrk_one")

    looks = _looks(lab, Rotation(), 9_400)

    assert [0] * 10 == [len(look.deliveries) for look in looks]
    assert due_at == looks[-1].next_due_at


def test_held_deliveries_cost_few_looks(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a round that found disabled endpoints only, the next one is not begun at once."""
    monkeypatch.setattr(postgres_hot, "WINDOW", 3)
    lab = StoreLab(opened())
    app_id = lab.app()
    lab.database.accept(lab.acceptance(app_id, lab.endpoints(12, app_id, active=False)))
    lab.session("wrk_one")

    looks = _looks(lab, Rotation(), 10_000)

    assert {0} == {len(look.deliveries) for look in looks}
    assert len(looks) <= 60


def test_who_fell_due_last_need_not_wait_for_the_round(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside more held deliveries than a look takes in, new ones are claimed by the next look."""
    monkeypatch.setattr(postgres_hot, "WINDOW", 3)
    lab = StoreLab(opened())
    app_id = lab.app()
    lab.database.accept(lab.acceptance(app_id, lab.endpoints(12, app_id, active=False)))
    lab.session("wrk_one")
    rotation = Rotation()
    found: list[int] = []
    for _ in range(8):
        lab.clock.now += 1
        lab.deliver(app_id, lab.endpoint(app_id))
        found.append(len(_claimed(lab, "wrk_one", rotation).deliveries))

    assert [1] * 8 == found


def test_a_known_backlog_is_looked_at_wherever_the_round_is(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its freed slots are used by the next look, whatever fell due after it."""
    monkeypatch.setattr(postgres_hot, "WINDOW", 3)
    lab = StoreLab(opened())
    app_id = lab.app()
    busy = lab.endpoint(app_id, max_concurrency=1)
    for _ in range(8):
        lab.deliver(app_id, busy)
    lab.clock.now += 1
    lab.database.accept(lab.acceptance(app_id, lab.endpoints(12, app_id, active=False)))
    lab.session("wrk_one")
    rotation = Rotation()

    served: list[set[str]] = []
    for _ in range(8):
        found = _claimed(lab, "wrk_one", rotation)
        served.append({one.row.endpoint_id for one in found.deliveries})
        _settle(lab, "wrk_one", found)

    assert [{busy}] * 8 == served


def test_a_session_that_was_declared_dead_leases_and_completes_nothing(opened: Opened) -> None:
    """A worker that comes back too late finds its session gone and its leases with it."""
    zombie, other = (StoreLab(opened(), seed) for seed in range(2))
    app_id = zombie.app()
    endpoint_id = zombie.endpoint(app_id)
    zombie.deliver(app_id, endpoint_id)
    zombie.session("wrk_zombie")
    found = _claimed(zombie, "wrk_zombie", Rotation())
    later = other.clock.now + worker_sessions.DEAD_AFTER_MS + 1

    other.database.write(lambda c: worker_sessions.end_dead(c, "wrk_other", later))

    assert 1 == len(found.deliveries)
    assert 0 == _settle(zombie, "wrk_zombie", found)
    with pytest.raises(SessionLost):
        _claimed(zombie, "wrk_zombie", Rotation())


def test_a_session_cannot_be_declared_dead_under_a_claim(opened: Opened) -> None:
    """Whoever ends it waits for the claim, and then sees its leases."""
    zombie, other = (StoreLab(opened(), seed) for seed in range(2))
    app_id = zombie.app()
    endpoint_id = zombie.endpoint(app_id)
    zombie.deliver(app_id, endpoint_id)
    zombie.session("wrk_zombie")
    entered, leave = threading.Event(), threading.Event()

    def slow_claim(connection: Connection) -> Claim:
        found = claim(connection, zombie.clock, "wrk_zombie", Rotation(), _room(9), {}, Targets())
        entered.set()
        leave.wait(60)
        return found

    def declare_dead(connection: Connection) -> Sequence[object]:
        worker_sessions.end(connection, "wrk_zombie")
        new_id = lambda: other.ids.new("att", other.clock.now)  # noqa: E731
        return worker_sessions.recover(connection, new_id, other.clock.now, 10)

    claiming = zombie.database.submit(slow_claim)
    assert entered.wait(60)
    ending = other.database.submit(declare_dead)
    leave.set()

    assert 1 == len(claiming.result(60).deliveries)
    assert 1 == len(ending.result(60))


def test_what_was_leased_and_never_sent_is_given_back(opened: Opened) -> None:
    """A session's leases beside those it knows of are due again, without an attempt."""
    lab = StoreLab(opened())
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    for _ in range(3):
        lab.deliver(app_id, endpoint_id)
    lab.session("wrk_one")
    found = _claimed(lab, "wrk_one", Rotation())
    known = {found.deliveries[0].key}

    lab.database.write(
        lambda c: worker_sessions.release_unknown(c, "wrk_one", known, lab.clock.now)
    )

    assert {"sending": 1, "pending": 2} == Counter(
        row["status"] for row in lab.rows(tables.deliveries)
    )
    lease = Lease("wrk_one", found.deliveries[0].row.fence)
    assert lease == found.deliveries[0].lease
    assert [] == lab.rows(tables.attempts)
