"""Rollups against a recount of the rows, whatever happened in whatever order."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module

import pytest
import sqlalchemy as sa
from delivery_lab import DeliveryLab, room
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollup_recount import Recount, plain
from store_lab import ACCOUNT, ENVIRONMENT, START_MS

from hookwright_server.delivery import maintenance
from hookwright_server.delivery.claim import ClaimedDelivery, Rotation, claim
from hookwright_server.delivery.recorder import Completed, record
from hookwright_server.delivery.sender import Attempted
from hookwright_server.domain.outcome import Delivered, Outcome, Refused, Unreachable
from hookwright_server.domain.retry_policy import (
    Decision,
    Exhausted,
    Rejected,
    RetryAt,
    Succeeded,
)
from hookwright_server.store import (
    cancelling,
    deliveries,
    endpoints,
    replays,
    retention,
    tables,
    worker_sessions,
)
from hookwright_server.store.database import Connection
from hookwright_server.store.replays import NewReplay
from hookwright_server.store.rollup_counts import ANY, OTHER, STEP_MS
from hookwright_server.store.rollup_deltas import count_accepted
from hookwright_server.store.rollup_folding import (
    DAY_MS,
    HOUR_MS,
    erase_old_rollups,
    fold,
    fold_when_due,
)
from hookwright_server.store.rollup_merging import merge, merge_when_many
from hookwright_server.store.rollups import Rollups, Span
from hookwright_server.store.targets import Targets
from hookwright_server.store.upkeep import cancel_expired, cancel_for_deleted_endpoints

EVENTS = ("order.paid", "order.created", "invoice.paid")
SESSION = "wrk_one"
AGAIN_MS = 1_000

Step = tuple[str, int]


class _Died(Exception):
    pass


@dataclass
class Scene:
    """Two apps with two endpoints each, and what may happen to their deliveries."""

    lab: DeliveryLab

    def __post_init__(self) -> None:
        self.store = self.lab.store
        self.store.clock.now = START_MS
        self.store.database.write(_wipe)
        self.apps = [self.store.app() for _ in range(2)]
        self.endpoints = [self.store.endpoint(app) for app in self.apps for _ in range(2)]
        self.store.session(SESSION)
        self.leased: list[ClaimedDelivery] = []
        self.deleted: set[str] = set()

    def do(self, steps: list[Step]) -> None:
        """One step after the other; each takes a number that picks something."""
        for name, number in steps:
            getattr(self, f"do_{name}")(number)

    def do_publish(self, number: int) -> None:
        """A message to one or both endpoints of an app, some of them filtered."""
        app = number % 2
        own = [e for e in self.endpoints[2 * app : 2 * app + 2] if e not in self.deleted]
        accepted = self.store.acceptance(self.apps[app], own[: 1 + number % 3 // 2])
        name = EVENTS[number % 3]
        message = replace(accepted.message, event_name=name, filtered_count=number % 4)
        fan_out = tuple(replace(each, event_name=name) for each in accepted.deliveries)
        self.store.database.accept(replace(accepted, message=message, deliveries=fan_out))

    def do_attempt(self, number: int) -> None:
        """Everything due is claimed and, but for one of three, recorded with one outcome."""
        clock = self.store.clock
        claimed = self.store.database.write(
            lambda c: claim(c, clock, SESSION, Rotation(), room(20), {}, Targets())
        ).deliveries
        self.leased += claimed[number % 3 :: 3]
        done = [_completed(self.lab, each, number) for each in claimed if each not in self.leased]
        self.store.database.write(lambda c: record(c, done))

    def do_die(self, _number: int) -> None:
        """The worker dies with what it had leased, and begins anew."""

        def dies(c: Connection) -> None:
            worker_sessions.end(c, SESSION)
            now = self.store.clock.now
            worker_sessions.recover(c, lambda: self.store.ids.new("att", now), now, 100)
            worker_sessions.start(c, SESSION, now, alone=False)

        self.store.database.write(dies)
        self.leased.clear()

    def do_come_back(self, number: int) -> None:
        """What was leased is recorded late; what was taken back meanwhile changes nothing."""
        done = [_completed(self.lab, each, number) for each in self.leased]
        self.store.database.write(lambda c: record(c, done))
        self.leased.clear()

    def do_retry(self, number: int) -> None:
        """A delivery that failed is retried by hand."""
        rows = self.store.rows(tables.deliveries)
        failed = sorted(row["id"] for row in rows if row["status"] in ("failed", "dead_letter"))
        if failed:
            chosen, now = failed[number % len(failed)], self.store.clock.now
            self.store.database.write(lambda c: deliveries.restart(c, chosen, 20, now))

    def do_cancel(self, number: int) -> None:
        """What waits for an endpoint is not released."""
        chosen, now = self.endpoints[number % 4], self.store.clock.now
        self.store.database.write(
            lambda c: deliveries.cancel_pending(c, chosen, "not_released", now, 100)
        )

    def do_steer(self, number: int) -> None:
        """A message is cancelled: what waits ends, of what is being sent no attempt follows."""
        rows, now = self.store.rows(tables.messages), self.store.clock.now
        chosen = sorted(row["id"] for row in rows)[number % len(rows)]
        self.store.database.write(lambda c: cancelling.cancel_of_message(c, chosen, now))

    def do_replay(self, number: int) -> None:
        """A delivery that has ended is replayed."""
        ended = sorted(
            (row for row in self.store.rows(tables.deliveries) if row["completed_at"] is not None),
            key=lambda row: str(row["id"]),
        )
        if ended:
            old, now = ended[number % len(ended)], self.store.clock.now
            names = "account_id", "environment", "app_id", "message_id", "endpoint_id", "event_name"
            new = NewReplay(
                id=self.store.ids.new("del", now),
                replay_of=old["id"],
                max_attempts=10,
                created_at=now,
                **{name: old[name] for name in names},
            )
            self.store.database.write(lambda c: replays.insert(c, [new]))

    def do_expire(self, number: int) -> None:
        """What waits expires now; upkeep or the next claim finds it."""
        now = self.store.clock.now
        rows = self.store.rows(tables.deliveries)
        for row in [row for row in rows if row["status"] == "pending"][number % 4 :: 4]:
            self.store.update(tables.deliveries, row["id"], expires_at=now)
        if number % 2:
            self.store.database.write(lambda c: cancel_expired(c, now, 3))

    def do_put_back(self, _number: int) -> None:
        """What was leased was not sent, and is given back."""
        leases = {each.row.id: each.lease for each in self.leased}
        now = self.store.clock.now
        self.store.database.write(lambda c: worker_sessions.release(c, leases, now))
        self.leased.clear()

    def do_delete(self, number: int) -> None:
        """An endpoint is deleted."""
        chosen, now = self.endpoints[number % 4], self.store.clock.now
        self.store.database.write(lambda c: endpoints.delete(c, chosen, now))
        self.deleted.add(chosen)

    def do_keep_house(self, _number: int) -> None:
        """What waited for deleted endpoints is cancelled, a few at a time."""
        now = self.store.clock.now
        self.store.database.write(lambda c: cancel_for_deleted_endpoints(c, now, 2))

    def do_merge(self, _number: int) -> None:
        """Upkeep makes few rows of many."""
        while self.store.database.write(lambda c: merge(c, self.store.clock.now)):
            pass

    def do_fold(self, _number: int) -> None:
        """Upkeep adds up what was merged."""
        while self.store.database.write(fold):
            pass

    def do_break(self, number: int) -> None:
        """Upkeep dies between what it has added up and its commit."""

        def dies(c: Connection) -> None:
            merge(c, self.store.clock.now)
            if number % 2:
                fold(c)
            raise _Died

        with suppress(_Died):
            self.store.database.write(dies)

    def do_wait(self, number: int) -> None:
        """Time passes: a second, some minutes or most of a day."""
        self.store.clock.now += (AGAIN_MS, STEP_MS - 1, HOUR_MS // 2, 20 * HOUR_MS)[number % 4]

    @property
    def span(self) -> Span:
        """All of the time, from the first step to the last."""
        return Span.around(START_MS, self.store.clock.now + 1, STEP_MS)


STEPS = [name.removeprefix("do_") for name in vars(Scene) if name.startswith("do_")]
OFTEN = ["publish", "attempt", "attempt", "wait", "merge", "fold"]


@pytest.fixture
def scene(lab: DeliveryLab) -> Scene:
    """A scene of the test's own."""
    return Scene(lab)


@settings(
    max_examples=15,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(STEPS + OFTEN * 2), st.integers(0, 11)), min_size=8, max_size=40
    )
)
def test_rollups_say_what_a_recount_says(lab: DeliveryLab, steps: list[Step]) -> None:
    """Of every app, endpoint and event, in all and five minutes, hour and day by day."""
    scene = Scene(lab)

    scene.do([("publish", 1), ("publish", 5), ("attempt", 1), *steps])

    lab.store.database.read(lambda c: _compare(c, scene))
    scene.do([("merge", 0), ("fold", 0)])
    lab.store.database.read(lambda c: _compare(c, scene))


@pytest.mark.parametrize(
    "later", [[("put_back", 0)], [("die", 0)], [("come_back", 3)], [("come_back", 0)]]
)
def test_what_is_cancelled_while_it_is_sent_counts_once(scene: Scene, later: list[Step]) -> None:
    """However the attempt ends: given back, lost with its worker, failed or delivered."""
    scene.do([("publish", 0), ("attempt", 0), ("steer", 0), *later])

    status = "delivered" if later == [("come_back", 0)] else "cancelled"
    assert [status] == [row["status"] for row in scene.store.rows(tables.deliveries)]
    scene.store.database.read(lambda c: _compare(c, scene))


def test_counts_outlive_what_retention_erases(scene: Scene) -> None:
    """What is erased stays counted; what was held for too long counts as cancelled."""
    scene.do([("publish", 2), ("attempt", 1), ("publish", 2)])
    for endpoint_id in scene.endpoints:
        scene.store.update(tables.endpoints, endpoint_id, active=False)
    before = scene.store.database.read(lambda c: Rollups(c, ACCOUNT, ENVIRONMENT).total(scene.span))
    scene.store.clock.now += 31 * DAY_MS
    now = scene.store.clock.now

    def erase(walk: retention.Walk) -> retention.Walk:
        return scene.store.database.write(lambda c: retention.step(c, walk, now, 9))

    walk = retention.Walk()
    while not walk.is_resting(now):
        walk = erase(walk)
    after = scene.store.database.read(lambda c: Rollups(c, ACCOUNT, ENVIRONMENT).total(scene.span))

    assert (4, 1, 0) == (before.deliveries, before.failed, before.cancelled)
    assert plain(before) | {"cancelled": 2} == plain(after)
    assert ["cancelled", "cancelled", "sending"] == sorted(
        row["status"] for row in scene.store.rows(tables.deliveries)
    )


def test_what_was_there_before_is_counted_when_the_tables_come(scene: Scene) -> None:
    """The migration counts messages, deliveries and attempts of every status."""
    for number in range(8):
        scene.do([("publish", number), ("attempt", number), ("wait", number)])
    scene.do([("die", 0), ("publish", 1), ("publish", 4), ("cancel", 2)])
    count = import_module("hookwright_server.store.migrations.versions.0007_rollups")

    def count_anew(c: Connection) -> None:
        for table in (tables.rollups, tables.rollup_deltas):
            c.execute(sa.delete(table))
        count.count_what_there_is(c)

    scene.store.database.write(count_anew)

    scene.store.database.read(lambda c: _compare(c, scene))


def test_rows_are_merged_when_they_are_many(scene: Scene) -> None:
    """Few are left to those who read; of many a single one is made, again and again."""
    for _ in range(199):
        scene.do_publish(1)
    few = _upkeep(scene, merge_when_many)
    scene.do_publish(1)
    many = [_upkeep(scene, merge_when_many), _upkeep(scene, merge_when_many)]
    scene.do([("publish", 1), ("wait", 0), ("merge", 0)])
    [merged] = scene.store.rows(tables.rollup_deltas)

    assert (0, [500, 0], START_MS) == (few, many, merged["merged_at"])
    scene.store.database.read(lambda c: _compare(c, scene))


def test_what_is_merged_is_folded_when_its_time_is_over(scene: Scene) -> None:
    """Until then more of the same can join it, unless readers would find too much."""
    scene.do([("publish", 1), ("merge", 0)])
    early = _upkeep(scene, fold_when_due)
    scene.store.clock.now += STEP_MS
    due = [_upkeep(scene, fold_when_due), _upkeep(scene, fold_when_due)]
    names = [scene.store.ids.new("ep", START_MS) for _ in range(2_500)]
    accepted = scene.store.acceptance(scene.apps[0], names)
    scene.store.database.write(lambda c: count_accepted(c, [accepted]))
    scene.do_merge(0)
    much = _upkeep(scene, fold_when_due)

    assert (0, [500, 0], 500) == (early, due, much)


def _upkeep(scene: Scene, chore: maintenance.Chore) -> int:
    return scene.store.database.write(lambda c: chore(c, scene.store.clock.now, 500))


def test_event_names_beyond_the_bound_are_counted_together(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first names of an hour keep their own counts, in whichever batch they come."""
    monkeypatch.setattr("hookwright_server.store.rollup_folding._NAMES", 2)
    for number in (0, 2, 4, 0):
        scene.do([("publish", number), ("merge", 0), ("fold", 0)])

    def top(c: Connection) -> list[tuple[str, int]]:
        rollups = Rollups(c, ACCOUNT, ENVIRONMENT, scene.apps[0])
        return [(name, counts.messages) for name, counts in rollups.top_events(scene.span, 10)]

    assert [(EVENTS[0], 2), (EVENTS[2], 1), (OTHER, 1)] == sorted(
        scene.store.database.read(top), key=lambda one: (-one[1], one[0] == OTHER)
    )


def test_fine_steps_are_erased_before_coarse_ones(scene: Scene) -> None:
    """After 40 days the hours are left, after 100 days the days."""
    scene.do([("publish", 0), ("merge", 0), ("fold", 0)])

    def steps_after(days: int) -> set[int]:
        now = START_MS + days * DAY_MS
        while scene.store.database.write(lambda c: erase_old_rollups(c, now, 2)):
            pass
        return {row["step_ms"] for row in scene.store.rows(tables.rollups)}

    kept = [steps_after(days) for days in (30, 40, 100)]

    assert [{STEP_MS, HOUR_MS, DAY_MS}, {HOUR_MS, DAY_MS}, {DAY_MS}] == kept


def _compare(c: Connection, scene: Scene) -> None:
    recount, span = Recount(scene.store), scene.span
    for app_id in (ANY, *scene.apps):
        rollups = Rollups(c, ACCOUNT, ENVIRONMENT, app_id)
        own = [] if app_id == ANY else scene.endpoints
        for only in [(ANY, ANY), *((e, n) for e in (ANY, *own) for n in (ANY, *EVENTS) if app_id)]:
            expected = recount.counts(span, app_id, *only)
            assert plain(expected) == plain(rollups.total(span, *only))
        for step_ms in (STEP_MS, HOUR_MS, DAY_MS):
            wide = Span.around(span.after, span.before, step_ms)
            points = [
                (at, plain(counts))
                for at, counts in rollups.by_interval(wide, step_ms)
                if plain(counts)
            ]
            spans = [Span(at, at + step_ms) for at in range(wide.after, wide.before, step_ms)]
            found = [(each.after, plain(recount.counts(each, app_id))) for each in spans]
            assert [one for one in found if one[1]] == points
        unfinished = [
            row
            for row in recount.deliveries
            if row["status"] in ("pending", "sending") and app_id in (ANY, row["app_id"])
        ]
        assert len(unfinished) == rollups.unfinished()
    _compare_lists(c, scene, recount)


def _compare_lists(c: Connection, scene: Scene, recount: Recount) -> None:
    for app_id in scene.apps:
        rollups = Rollups(c, ACCOUNT, ENVIRONMENT, app_id)
        events = {n: recount.counts(scene.span, app_id, ANY, n) for n in EVENTS}
        assert _ranked({n: counts.deliveries for n, counts in events.items()}) == [
            (name, counts.deliveries) for name, counts in rollups.top_events(scene.span, 10)
        ]
        for event in (ANY, EVENTS[0]):
            own = {e: recount.counts(scene.span, app_id, e, event) for e in scene.endpoints}
            assert _ranked({e: counts.delivered for e, counts in own.items()}) == _ranked(
                {
                    each: counts.delivered
                    for each, counts in rollups.top_endpoints(scene.span, 10, ANY, event)
                }
            )


def _ranked(numbers: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(((k, v) for k, v in numbers.items() if v), key=lambda one: (-one[1], one[0]))


def _completed(lab: DeliveryLab, claimed: ClaimedDelivery, number: int) -> Completed:
    now = lab.store.clock.now
    outcomes: list[tuple[Outcome, Decision]] = [
        (Delivered(200), Succeeded()),
        (Refused(404), Rejected()),
        (Refused(500), Exhausted()),
        (Unreachable("connect_error"), RetryAt(now + AGAIN_MS)),
    ]
    outcome, decision = outcomes[number % 4]
    return Completed(
        claimed=claimed,
        attempted=Attempted(outcome, latency_ms=number * number * 11),
        decision=decision,
        max_attempts=10,
        shown_headers="{}",
        attempt_id=lab.store.ids.new("att", now),
        started_at=now,
        finished_at=now,
    )


def _wipe(c: Connection) -> None:
    for table in reversed(tables.metadata.sorted_tables):
        if table.name not in {"writers", "alembic_version", "accounts"}:
            c.execute(sa.delete(table))
