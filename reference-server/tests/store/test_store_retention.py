"""What is over is erased after its app's days, in small batches; what is not over stays."""

from __future__ import annotations

import pytest
from store_lab import START_MS, StoreLab

from hookwright_server.store import replay_tasks, retention, tables
from hookwright_server.store.audit import audit
from hookwright_server.store.replay_tasks import ReplayTaskRow
from hookwright_server.store.retention import DAY_MS, Walk


def _round(lab: StoreLab, limit: int = 10) -> int:
    """Walk until the round rests; the number of steps."""
    walk, steps = Walk(), 0
    while not walk.is_resting(lab.clock.now):
        walk = _step(lab, walk, limit)
        steps += 1
    return steps


def _step(lab: StoreLab, walk: Walk, limit: int = 1) -> Walk:
    return lab.database.write(lambda c: retention.step(c, walk, lab.clock.now, limit))


def _finish(lab: StoreLab, delivery_id: str, status: str = "delivered") -> None:
    lab.update(
        tables.deliveries,
        delivery_id,
        status=status,
        next_attempt_at=None,
        completed_at=lab.clock.now,
    )


def _left(lab: StoreLab) -> tuple[int, int, int]:
    """How many messages, deliveries and attempts there are."""
    return (
        len(lab.rows(tables.messages)),
        len(lab.rows(tables.deliveries)),
        len(lab.rows(tables.attempts)),
    )


@pytest.mark.parametrize("status", ["delivered", "failed", "dead_letter", "cancelled"])
def test_what_is_over_goes_after_its_days(lab: StoreLab, status: str) -> None:
    """A finished delivery, its attempts and its message go after the app's days, not before."""
    app_id = lab.app(retention_days=3)
    delivery_id = lab.deliver(app_id, lab.endpoint(app_id))
    lab.attempt(delivery_id, lab.ids.new("att", lab.clock.now), number=1)
    _finish(lab, delivery_id, status)

    lab.clock.now += 3 * DAY_MS
    _round(lab)
    assert (1, 1, 1) == _left(lab)
    lab.clock.now += 1
    _round(lab)
    assert (0, 0, 0) == _left(lab)


def test_days_count_from_the_end(lab: StoreLab) -> None:
    """A delivery that ended late is kept for its days, and its message with it."""
    app_id = lab.app(retention_days=3)
    delivery_id = lab.deliver(app_id, lab.endpoint(app_id))
    lab.clock.now += 2 * DAY_MS
    _finish(lab, delivery_id)

    lab.clock.now += 3 * DAY_MS
    _round(lab)
    assert (1, 1, 0) == _left(lab)
    lab.clock.now += 1
    _round(lab)
    assert (0, 0, 0) == _left(lab)


@pytest.mark.parametrize("status", ["pending", "sending"])
def test_what_is_not_over_is_never_erased(lab: StoreLab, status: str) -> None:
    """However old: a pending or sending delivery of an active endpoint stays as it is."""
    app_id = lab.app(retention_days=1)
    delivery_id = lab.deliver(app_id, lab.endpoint(app_id))
    lab.update(tables.deliveries, delivery_id, status=status)
    before = lab.row(tables.deliveries, delivery_id)
    lab.clock.now += 400 * DAY_MS
    _round(lab)

    assert before == lab.row(tables.deliveries, delivery_id)
    assert (1, 1, 0) == _left(lab)


def test_a_message_without_deliveries_goes_too(lab: StoreLab) -> None:
    """An event that nobody subscribed to is kept for as long as any other."""
    app_id = lab.app(retention_days=1)
    lab.database.accept(lab.acceptance(app_id, []))
    lab.clock.now += DAY_MS
    _round(lab)
    assert (1, 0, 0) == _left(lab)
    lab.clock.now += 1
    _round(lab)

    assert (0, 0, 0) == _left(lab)


def test_what_was_held_too_long_is_cancelled_visibly(lab: StoreLab) -> None:
    """It ends as cancelled with the reason `retention`, and is kept for as many days again."""
    app_id = lab.app(retention_days=2)
    held = lab.endpoint(app_id, active=False)
    old = lab.deliver(app_id, held)
    lab.clock.now += DAY_MS
    young = lab.deliver(app_id, held)
    lab.clock.now += DAY_MS + 1
    _round(lab)

    row = lab.row(tables.deliveries, old)
    assert ("cancelled", "retention", lab.clock.now, None) == (
        row["status"],
        row["cancel_reason"],
        row["completed_at"],
        row["next_attempt_at"],
    )
    assert "pending" == lab.row(tables.deliveries, young)["status"]
    lab.clock.now += 2 * DAY_MS
    _round(lab)
    assert (2, 2, 0) == _left(lab)
    lab.clock.now += 1
    _round(lab)
    assert (1, 1, 0) == _left(lab)


def test_what_waited_for_long_has_not_been_held_for_long(lab: StoreLab) -> None:
    """The days of what is held begin when its endpoint is disabled, however old it is by then."""
    app_id = lab.app(retention_days=1)
    slow = lab.endpoint(app_id)
    waiting = lab.deliver(app_id, slow)
    lab.clock.now += 2 * DAY_MS
    lab.update(tables.endpoints, slow, active=False, disabled_at=lab.clock.now)
    lab.clock.now += DAY_MS
    _round(lab)
    assert "pending" == lab.row(tables.deliveries, waiting)["status"]
    lab.clock.now += 1
    _round(lab)

    assert "retention" == lab.row(tables.deliveries, waiting)["cancel_reason"]


def test_replay_tasks_go_after_their_end(lab: StoreLab) -> None:
    """Ended ones after the app's days, in small steps, with or without messages; no open one."""
    apps = [lab.app(retention_days=2), lab.app(retention_days=9)]
    lab.deliver(apps[0], lab.endpoint(apps[0]))
    tasks = {
        (app_id, status, number): _task(lab, app_id, status)
        for app_id in apps
        for status in ("queued", "running", "completed", "cancelled")
        for number in range(3)
    }
    late = tasks[apps[0], "completed", 0]
    lab.clock.now += 1
    lab.update(tables.replay_tasks, late, completed_at=lab.clock.now)
    lab.clock.now += 2 * DAY_MS - 1
    _round(lab)
    assert len(tasks) == len(lab.rows(tables.replay_tasks))
    lab.clock.now += 1
    _round(lab, limit=2)

    gone = {task for (app, status, _), task in tasks.items() if app == apps[0] and status[0] == "c"}
    left = {row["id"] for row in lab.rows(tables.replay_tasks)}
    assert set(tasks.values()) - gone | {late} == left
    lab.clock.now += 1
    _round(lab)
    assert late not in {row["id"] for row in lab.rows(tables.replay_tasks)}


def _task(lab: StoreLab, app_id: str, status: str) -> str:
    now = lab.clock.now
    row = ReplayTaskRow(
        id=lab.ids.new("rpl", now),
        account_id="acc_one",
        environment="test",
        app_id=app_id,
        status=status,
        delivery_ids=("del_x",),
        after=None,
        before=None,
        statuses=None,
        event_name=None,
        endpoint_id=None,
        max_count=10,
        total_count=1,
        processed_count=0,
        replayed_count=0,
        skipped_count=0,
        created_at=now,
        started_at=None,
        completed_at=now if status[0] == "c" else None,
        app_slug="",
    )
    lab.database.write(lambda tx: replay_tasks.insert(tx, row))
    return row.id


def test_apps_have_days_of_their_own(lab: StoreLab) -> None:
    """One app's days do not concern another's, nor does the deletion of an app end them."""
    kept, erased = lab.app(retention_days=9), lab.app(retention_days=1)
    for app_id in (kept, erased):
        _finish(lab, lab.deliver(app_id, lab.endpoint(app_id)))
    lab.update(tables.apps, erased, deleted_at=1)
    lab.clock.now += 2 * DAY_MS
    _round(lab)

    assert [kept] == [row["app_id"] for row in lab.rows(tables.deliveries)]
    assert [kept] == [row["app_id"] for row in lab.rows(tables.messages)]


def test_days_may_become_more_during_a_round(lab: StoreLab) -> None:
    """What the app keeps from now on is not erased by a round that was begun before."""
    app_id = lab.app(retention_days=1)
    endpoint_id = lab.endpoint(app_id)
    for _ in range(3):
        _finish(lab, lab.deliver(app_id, endpoint_id))
    task = _task(lab, app_id, "completed")
    lab.clock.now += DAY_MS + 1
    walk = _step(lab, _step(lab, Walk()))
    assert (2, 2, 0) == _left(lab)
    lab.update(tables.apps, app_id, retention_days=9)
    while not walk.is_resting(lab.clock.now):
        walk = _step(lab, walk)

    assert (2, 2, 0) == _left(lab)
    assert [task] == [row["id"] for row in lab.rows(tables.replay_tasks)]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_batches_are_small_and_come_to_an_end(lab: StoreLab, limit: int) -> None:
    """Whatever the batch, a round erases all that is over and leaves the rest."""
    app_id = lab.app(retention_days=1)
    endpoint_ids = [lab.endpoint(app_id) for _ in range(3)]
    for _ in range(4):
        lab.database.accept(lab.acceptance(app_id, endpoint_ids))
    stays = lab.rows(tables.deliveries)[4]["id"]
    for row in lab.rows(tables.deliveries):
        if row["id"] != stays:
            _finish(lab, row["id"])
    lab.clock.now += DAY_MS + 1

    steps = _round(lab, limit)

    assert [stays] == [row["id"] for row in lab.rows(tables.deliveries)]
    assert 1 == len(lab.rows(tables.messages))
    assert steps >= 11 / limit


def test_rounds_rest(lab: StoreLab) -> None:
    """After a round that found nothing the next one is not begun at once."""
    lab.app()
    walk = _step(lab, Walk())
    end = _step(lab, walk)

    assert not walk.is_resting(lab.clock.now)
    assert end.is_resting(lab.clock.now)
    assert end is _step(lab, end)
    assert not end.is_resting(lab.clock.now + 600_000)


def test_tags_go_with_their_message(lab: StoreLab) -> None:
    """No tag points at a message that is gone; another message's stay."""
    app_id = lab.app(retention_days=1)
    lab.database.accept(lab.acceptance(app_id, [], tags=("red", "blue")))
    lab.clock.now += DAY_MS
    kept = lab.acceptance(app_id, [], tags=("red",))
    lab.database.accept(kept)
    lab.clock.now += 1
    _round(lab)

    assert [("red", kept.message.id)] == [
        (row["tag"], row["message_id"]) for row in lab.rows(tables.message_tags)
    ]


@pytest.mark.parametrize("limit", [1, 100])
def test_the_audit_knows_what_was_erased(lab: StoreLab, limit: int) -> None:
    """A message that has lost some of its deliveries to retention, and a replay, is no fault."""
    app_id = lab.app(retention_days=1)
    first, second, stays = (lab.endpoint(app_id) for _ in range(3))
    lab.database.accept(lab.acceptance(app_id, [first, second, stays]))
    rows = {row["endpoint_id"]: row["id"] for row in lab.rows(tables.deliveries)}
    for endpoint_id in (first, second):
        _finish(lab, rows[endpoint_id])
    lab.update(tables.deliveries, rows[second], replay_of="del_gone")
    lab.update(tables.messages, lab.rows(tables.messages)[0]["id"], endpoint_count=2)
    lab.clock.now += DAY_MS + 1
    _round(lab, limit)

    assert [rows[stays]] == [row["id"] for row in lab.rows(tables.deliveries)]
    assert [1] == [row["erased_deliveries"] for row in lab.rows(tables.messages)]
    findings = lab.database.read(lambda c: audit(c, START_MS))
    assert [] == [finding.check for finding in findings if finding.is_fault]


def test_what_waits_for_its_time_is_not_held(lab: StoreLab) -> None:
    """The days of what is held begin when it falls due; what has expired stays expired."""
    app_id = lab.app(retention_days=1)
    held = lab.endpoint(app_id, active=False)
    later = lab.deliver(app_id, held, due_at=lab.clock.now + DAY_MS)
    expired = lab.deliver(app_id, held)
    lab.update(tables.deliveries, expired, expires_at=lab.clock.now + 1)
    lab.clock.now += DAY_MS + 1
    _round(lab)

    assert ["pending", "pending"] == [
        lab.row(tables.deliveries, key)["status"] for key in (later, expired)
    ]
    lab.clock.now += DAY_MS
    _round(lab)
    assert ("cancelled", "retention") == tuple(
        lab.row(tables.deliveries, later)[name] for name in ("status", "cancel_reason")
    )
