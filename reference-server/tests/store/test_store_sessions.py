"""Worker sessions: who is alive, and what becomes of what the dead had leased."""

from __future__ import annotations

import pytest
from store_lab import StoreLab

from hookwright_server.store import tables, worker_sessions
from hookwright_server.store.results import Lease
from hookwright_server.store.worker_sessions import Interrupted


def _lease(lab: StoreLab, session_id: str) -> str:
    app_id = lab.app()
    delivery_id = lab.deliver(app_id, lab.endpoint(app_id))
    lab.update(tables.deliveries, delivery_id, status="sending", lease_session=session_id, fence=1)
    return delivery_id


def _recover(lab: StoreLab, limit: int = 10) -> list[Interrupted]:
    new_id = lambda: lab.ids.new("att", lab.clock.now)  # noqa: E731
    return lab.database.write(lambda c: worker_sessions.recover(c, new_id, lab.clock.now, limit))


def test_a_session_lives_as_long_as_it_is_renewed(lab: StoreLab) -> None:
    """A renewal keeps it alive; a session that was ended cannot be renewed."""
    lab.database.write(lambda c: worker_sessions.start(c, "wrk_one", 5, alone=False))

    assert lab.database.write(lambda c: worker_sessions.renew(c, "wrk_one", 9))
    assert [(5, 9)] == [
        (row["started_at"], row["renewed_at"]) for row in lab.rows(tables.worker_sessions)
    ]
    lab.database.write(lambda c: worker_sessions.end(c, "wrk_one"))
    assert not lab.database.write(lambda c: worker_sessions.renew(c, "wrk_one", 9))


def test_starting_alone_ends_all_others(lab: StoreLab) -> None:
    """Whoever holds the database's lock knows that older sessions are dead."""
    lab.session("wrk_old")

    lab.database.write(lambda c: worker_sessions.start(c, "wrk_new", 5, alone=True))

    assert ["wrk_new"] == [row["id"] for row in lab.rows(tables.worker_sessions)]


@pytest.mark.parametrize(("silent_ms", "ended"), [(10_000, 0), (10_001, 1)])
def test_a_session_is_dead_after_ten_seconds(lab: StoreLab, silent_ms: int, ended: int) -> None:
    """Not renewed for more than 10 s means dead; one's own session is never judged."""
    lab.session("wrk_own")
    lab.session("wrk_other")
    now_ms = lab.clock.now + silent_ms

    assert ended == lab.database.write(lambda c: worker_sessions.end_dead(c, "wrk_own", now_ms))
    assert "wrk_own" in [row["id"] for row in lab.rows(tables.worker_sessions)]


@pytest.mark.parametrize(("silent_ms", "alive"), [(10_000, True), (10_001, False)])
def test_a_worker_was_seen_lately(lab: StoreLab, silent_ms: int, alive: bool) -> None:
    """Some session must have been renewed in the last 10 s."""
    assert not lab.database.read(lambda c: worker_sessions.is_any_alive(c, lab.clock.now))
    lab.session("wrk_one")
    now_ms = lab.clock.now + silent_ms

    assert alive == lab.database.read(lambda c: worker_sessions.is_any_alive(c, now_ms))


def test_leases_of_dead_sessions_are_taken_back(lab: StoreLab) -> None:
    """They are pending and due at once, with an uncounted attempt; living leases stay."""
    lab.session("wrk_alive")
    kept, lost = _lease(lab, "wrk_alive"), _lease(lab, "wrk_dead")

    taken_back = _recover(lab)

    assert [(lost, 1)] == [(one.delivery_id, one.attempt) for one in taken_back]
    row = lab.row(tables.deliveries, lost)
    assert ("pending", None, 1, 1, 11, lab.clock.now) == (
        row["status"],
        row["lease_session"],
        row["attempt_count"],
        row["uncounted_attempts"],
        row["max_attempts"],
        row["next_attempt_at"],
    )
    assert "sending" == lab.row(tables.deliveries, kept)["status"]
    assert [(lost, 1, "interrupted")] == [
        (a["delivery_id"], a["number"], a["failure_reason"]) for a in lab.rows(tables.attempts)
    ]


def test_what_is_taken_back_keeps_its_place(lab: StoreLab) -> None:
    """It was due before everything that waits, so that no row of deaths can starve it."""
    lost = _lease(lab, "wrk_dead")
    due_at = lab.clock.now
    lab.clock.now += 5_000

    [taken_back] = _recover(lab)

    assert due_at == lab.row(tables.deliveries, lost)["next_attempt_at"]
    assert due_at == taken_back.next_attempt_at


def test_taking_back_goes_in_batches(lab: StoreLab) -> None:
    """No more than the limit at once, so that the writer is never held for long."""
    for _ in range(5):
        _lease(lab, "wrk_dead")

    assert [2, 2, 1, 0] == [len(_recover(lab, limit=2)) for _ in range(4)]


def test_an_unsent_lease_is_given_back_without_an_attempt(lab: StoreLab) -> None:
    """Only under the right lease: another's delivery is left alone."""
    mine, others = _lease(lab, "wrk_one"), _lease(lab, "wrk_two")
    leases = {mine: Lease("wrk_one", 1), others: Lease("wrk_one", 1)}

    lab.database.write(lambda c: worker_sessions.release(c, leases, 77))

    assert [("pending", 77), ("sending", lab.clock.now)] == [
        (row["status"], row["next_attempt_at"])
        for row in (lab.row(tables.deliveries, key) for key in (mine, others))
    ]
    assert [] == lab.rows(tables.attempts)
