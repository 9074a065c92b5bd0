"""Replay tasks step by step: progress and deliveries are one transaction, and nothing is twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from store_lab import StoreLab

from hookwright_server.delivery.replaying import Replayer
from hookwright_server.delivery.system_events import SystemEvents
from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.retry_policy import RetryPolicies
from hookwright_server.store import replay_steps, replay_tasks, tables
from hookwright_server.store.audit import audit
from hookwright_server.store.database import Connection
from hookwright_server.store.opening import OpenDatabase
from hookwright_server.store.replay_tasks import ReplayTaskRow


def _replayer(lab: StoreLab) -> Replayer:
    policies = RetryPolicies(RETRY_PRESETS)
    system = SystemEvents(policies, lab.clock, lab.ids)
    return Replayer(policies, lab.clock, lab.ids, system)


def _dead(lab: StoreLab, app_id: str, endpoint_id: str, count: int) -> list[str]:
    """Deliveries that have failed, made one millisecond after the other."""
    made: list[str] = []
    for _ in range(count):
        made.append(lab.deliver(app_id, endpoint_id))
        lab.clock.now += 1

    def fail(tx: Connection) -> None:
        tx.execute(
            tables.deliveries.update().values(status="failed", completed_at=1, next_attempt_at=None)
        )

    lab.database.write(fail)
    return made


def _task(lab: StoreLab, app_id: str, **fields: Any) -> str:
    """A new task, of the range up to now unless `fields` names ids."""
    given: dict[str, Any] = {
        "status": "queued",
        "delivery_ids": None,
        "after": 0,
        "before": lab.clock.now,
        "statuses": ("failed",),
        "event_name": None,
        "endpoint_id": None,
        "max_count": 10_000,
        "total_count": 0,
        "processed_count": 0,
        "replayed_count": 0,
        "skipped_count": 0,
        "started_at": None,
        "completed_at": None,
    }
    row = ReplayTaskRow(
        id=lab.ids.new("rpl", lab.clock.now),
        account_id="acc_one",
        environment="test",
        app_id=app_id,
        created_at=lab.clock.now,
        app_slug="",
        **{**given, **fields},
    )
    lab.database.write(lambda tx: replay_tasks.insert(tx, row))
    return row.id


def _steps(lab: StoreLab) -> list[int]:
    """Work until there is nothing to do; what each step replayed."""
    replayer = _replayer(lab)
    made: list[int] = []
    while (found := lab.database.write(replayer.step)) is not None:
        made.append(found)
        lab.clock.now += 1
    return made


def _sources(lab: StoreLab) -> list[str]:
    return sorted(row["replay_of"] for row in lab.rows(tables.deliveries) if row["replay_of"])


def test_a_range_is_walked_in_small_steps(lab: StoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step goes on behind the last one; all are replayed once, and the audit is silent."""
    monkeypatch.setattr(replay_steps, "AT_ONCE", 3)
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    dead = _dead(lab, app_id, endpoint_id, 8)
    lab.update(tables.deliveries, dead[4], status="delivered")
    task_id = _task(lab, app_id, statuses=("cancelled", "failed"))

    assert [3, 2, 2] == _steps(lab)
    row = lab.row(tables.replay_tasks, task_id)
    assert ("completed", 7, 7, 0) == tuple(
        row[name] for name in ("status", "processed_count", "replayed_count", "skipped_count")
    )
    assert sorted(set(dead) - {dead[4]}) == _sources(lab)
    found = lab.database.read(lambda c: audit(c, lab.clock.now))
    assert [] == [each for each in found if each.is_fault]


def test_steps_past_what_did_not_fail_are_spared(
    lab: StoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task of what failed looks at nothing else, however much else lies between."""
    monkeypatch.setattr(replay_steps, "AT_ONCE", 3)
    app_id = lab.app()
    dead = _dead(lab, app_id, lab.endpoint(app_id), 9)
    for each in dead[1:7]:
        lab.update(tables.deliveries, each, status="delivered")
    _task(lab, app_id)

    assert [3, 0] == _steps(lab)
    assert [dead[0], *dead[7:]] == _sources(lab)


def test_steps_follow_the_deliveries_whatever_their_endpoints(
    lab: StoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest deliveries come first, though older endpoints have younger ones."""
    monkeypatch.setattr(replay_steps, "AT_ONCE", 4)
    app_id = lab.app()
    older, younger = sorted(lab.endpoint(app_id) for _ in range(2))
    turns = (older, younger, older, younger, older, older, younger, older, older)
    dead = [made for each in turns for made in _dead(lab, app_id, each, 1)]
    _task(lab, app_id)

    assert [4, 4, 1] == _steps(lab)
    assert dead == _sources(lab)


def test_tasks_take_turns(lab: StoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short task does not wait for the end of a long one."""
    monkeypatch.setattr(replay_steps, "AT_ONCE", 2)
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    dead = _dead(lab, app_id, endpoint_id, 5)
    _task(lab, app_id)
    lab.clock.now += 1
    short = _task(lab, app_id, delivery_ids=(dead[0],))
    replayer = _replayer(lab)
    for _ in range(2):
        lab.clock.now += 1
        lab.database.write(replayer.step)

    assert "completed" == lab.row(tables.replay_tasks, short)["status"]


def test_a_step_that_is_cut_off_is_made_again(
    lab: StoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deliveries and its progress go together: neither is there, then both."""
    monkeypatch.setattr(replay_steps, "AT_ONCE", 2)
    app_id = lab.app()
    dead = _dead(lab, app_id, lab.endpoint(app_id), 5)
    task_id = _task(lab, app_id)
    replayer = _replayer(lab)
    lab.database.write(replayer.step)

    def die(tx: Connection) -> None:
        replayer.step(tx)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        lab.database.write(die)
    assert (2, 2) == (lab.row(tables.replay_tasks, task_id)["processed_count"], len(_sources(lab)))
    assert [2, 1] == _steps(lab)
    assert sorted(dead) == _sources(lab)


def test_what_cannot_be_sent_is_skipped(lab: StoreLab) -> None:
    """A deleted endpoint, an erased payload, what has not ended, what the app does not have."""
    app_id, other = lab.app(), lab.app()
    good, gone = lab.endpoint(app_id), lab.endpoint(app_id)
    dead = _dead(lab, app_id, good, 2) + _dead(lab, app_id, gone, 1)
    elsewhere = _dead(lab, other, lab.endpoint(other), 1)
    waiting = lab.deliver(app_id, good)
    lab.update(tables.endpoints, gone, deleted_at=1)
    message_id = lab.row(tables.deliveries, dead[1])["message_id"]
    lab.update(tables.messages, message_id, expunged_at=1, payload=b"")
    ids = (*dead, *elsewhere, waiting, "del_nobodys")
    task_id = _task(lab, app_id, delivery_ids=ids)

    assert [1] == _steps(lab)
    row = lab.row(tables.replay_tasks, task_id)
    assert (6, 1, 5) == (row["processed_count"], row["replayed_count"], row["skipped_count"])
    assert [dead[0]] == _sources(lab)


def test_a_cancelled_task_is_left_alone(lab: StoreLab) -> None:
    """Also one that has begun."""
    app_id = lab.app()
    _dead(lab, app_id, lab.endpoint(app_id), 1)
    task_id = _task(lab, app_id, status="running")
    lab.database.write(lambda tx: replay_tasks.cancel(tx, task_id, lab.clock.now))

    assert [] == _steps(lab)
    assert [] == _sources(lab)


def test_counting_goes_in_parts(lab: StoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts add up, and it ends as soon as there are enough."""
    monkeypatch.setattr(replay_steps, "_COUNTED_AT_ONCE", 2)
    app_id = lab.app()
    _dead(lab, app_id, lab.endpoint(app_id), 5)
    wanted = replay_steps.Range(app_id, 0, lab.clock.now, ("failed",), "order.created", None)

    assert [5, 3] == [
        replay_steps.count(lab.database.read, wanted, most, lab.clock.now) for most in (10_000, 3)
    ]


@pytest.mark.needs_service("postgres")
def test_two_workers_replay_nothing_twice(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task is stepped by one of them at a time; together they come to its end."""
    monkeypatch.setattr(replay_steps, "AT_ONCE", 2)
    databases: list[OpenDatabase] = [opened(), opened()]
    labs = [StoreLab(database, seed) for seed, database in enumerate(databases)]
    app_id = labs[0].app()
    dead = _dead(labs[0], app_id, labs[0].endpoint(app_id), 20)
    task_id = _task(labs[0], app_id)

    def work(lab: StoreLab) -> None:
        replayer = _replayer(lab)
        while lab.row(tables.replay_tasks, task_id)["status"] != "completed":
            lab.database.write(replayer.step)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, labs))

    assert sorted(dead) == _sources(labs[0])
