"""Results count once, under their lease, and move health along."""

from __future__ import annotations

from dataclasses import replace

from delivery_lab import DeliveryLab, room

from hookwright_server.delivery.claim import ClaimedDelivery, Rotation, claim
from hookwright_server.delivery.recorder import Completed, Recorded, record
from hookwright_server.delivery.sender import Attempted
from hookwright_server.domain.outcome import Delivered, Refused
from hookwright_server.domain.retry_policy import DisableEndpoint, Exhausted, RetryAt, Succeeded
from hookwright_server.store import tables
from hookwright_server.store.results import Lease
from hookwright_server.store.targets import Targets


def _claim(lab: DeliveryLab, count: int = 1) -> list[ClaimedDelivery]:
    app_id = lab.store.app()
    endpoint_id = lab.store.endpoint(app_id)
    for _ in range(count):
        lab.store.deliver(app_id, endpoint_id)
    lab.store.session("wrk_one")
    result = lab.store.database.write(
        lambda c: claim(c, lab.store.clock, "wrk_one", Rotation(), room(count), {}, Targets())
    )
    return list(result.deliveries)


def _done(lab: DeliveryLab, claimed: ClaimedDelivery) -> Completed:
    now = lab.store.clock.now
    return Completed(
        claimed=claimed,
        attempted=Attempted(Delivered(200), 5),
        decision=Succeeded(),
        max_attempts=10,
        shown_headers="{}",
        attempt_id=lab.store.ids.new("att", now),
        started_at=now,
        finished_at=now,
    )


def _record(lab: DeliveryLab, *batch: Completed) -> Recorded:
    return lab.store.database.write(lambda c: record(c, batch))


def test_a_result_counts_once(lab: DeliveryLab) -> None:
    """The same completion a second time is stale and changes nothing."""
    [claimed] = _claim(lab)
    done = _done(lab, claimed)

    assert frozenset() == _record(lab, done).stale
    again = replace(done, attempt_id="att_again", decision=Exhausted())
    assert {claimed.key} == _record(lab, again).stale
    assert "delivered" == lab.store.row(tables.deliveries, claimed.row.id)["status"]
    assert 1 == len(lab.store.rows(tables.attempts))


def test_a_result_under_an_older_fence_is_dropped(lab: DeliveryLab) -> None:
    """A lost attempt and its successor in one batch: only the successor counts."""
    [claimed] = _claim(lab)
    lab.store.update(tables.deliveries, claimed.row.id, fence=2)
    successor = replace(claimed, row=replace(claimed.row, fence=2), lease=Lease("wrk_one", 2))
    lost = replace(_done(lab, claimed), attempted=Attempted(Refused(500), 5), decision=Exhausted())

    recorded = _record(lab, _done(lab, successor), lost)

    assert {claimed.key} == recorded.stale
    assert "delivered" == lab.store.row(tables.deliveries, claimed.row.id)["status"]
    assert 0 == lab.store.rows(tables.endpoints)[0]["consecutive_failures"]


def test_a_result_of_another_session_is_dropped(lab: DeliveryLab) -> None:
    """The session is part of the lease."""
    [claimed] = _claim(lab)
    other = replace(claimed, lease=Lease("wrk_two", claimed.row.fence))

    assert {claimed.key} == _record(lab, _done(lab, other)).stale


def test_a_retry_is_pending_and_free(lab: DeliveryLab) -> None:
    """The lease is gone, the due time is the decision's, and there is no end."""
    [claimed] = _claim(lab)
    done = replace(_done(lab, claimed), attempted=Attempted(Refused(503), 5), decision=RetryAt(99))

    _record(lab, done)

    row = lab.store.row(tables.deliveries, claimed.row.id)
    assert ("pending", None, 99, None, 503, "http_5xx") == (
        row["status"],
        row["lease_session"],
        row["next_attempt_at"],
        row["completed_at"],
        row["last_status_code"],
        row["last_failure_reason"],
    )


def test_an_endpoint_is_disabled_once_and_its_app_told(lab: DeliveryLab) -> None:
    """Two 410s in a batch disable once; the app's subscriptions version grows by one."""
    claimed = _claim(lab, 2)
    gone = [
        replace(_done(lab, one), attempted=Attempted(Refused(410), 5), decision=DisableEndpoint())
        for one in claimed
    ]

    recorded = _record(lab, *gone)

    assert ((claimed[0].target.endpoint_id, "gone"),) == recorded.disabled
    assert 2 == lab.store.rows(tables.apps)[0]["subscriptions_version"]


def test_a_long_answer_is_cut(lab: DeliveryLab) -> None:
    """4 KiB of the answer are kept, and the row says that there was more."""
    [claimed] = _claim(lab)
    attempted = Attempted(Delivered(200), 5, b"x" * 5_000, response_body_truncated=False)

    _record(lab, replace(_done(lab, claimed), attempted=attempted))

    [attempt] = lab.store.rows(tables.attempts)
    assert (4_096, True) == (
        len(attempt["response_body"]),
        attempt["response_body_truncated"],
    )


def test_five_days_of_nothing_but_failures_disable(lab: DeliveryLab) -> None:
    """The span runs to the latest failure from the first without two days of silence since."""
    [claimed] = _claim(lab)
    endpoint_id = claimed.target.endpoint_id
    now = lab.store.clock.now
    lab.store.update(
        tables.endpoints,
        endpoint_id,
        consecutive_failures=3,
        first_failure_at=now - 5 * 86_400_000,
        failing_since=now - 5 * 86_400_000,
        last_failure_at=now - 1,
    )

    recorded = _record(
        lab,
        replace(
            _done(lab, claimed), attempted=Attempted(Refused(500), 5), decision=RetryAt(now + 9)
        ),
    )

    assert ((endpoint_id, "failing"),) == recorded.disabled


def test_days_without_an_attempt_begin_the_span_anew(lab: DeliveryLab) -> None:
    """A failure after more than two days of silence disables nothing, and the row goes on."""
    [claimed] = _claim(lab)
    endpoint_id = claimed.target.endpoint_id
    now = lab.store.clock.now
    began_at = now - 6 * 86_400_000
    lab.store.update(
        tables.endpoints,
        endpoint_id,
        consecutive_failures=3,
        first_failure_at=began_at,
        failing_since=began_at,
        last_failure_at=now - 3 * 86_400_000,
    )
    done = replace(
        _done(lab, claimed), attempted=Attempted(Refused(500), 5), decision=RetryAt(now + 9)
    )

    recorded = _record(lab, done)

    [row] = lab.store.rows(tables.endpoints)
    assert () == recorded.disabled
    assert (4, began_at, done.finished_at) == (
        row["consecutive_failures"],
        row["first_failure_at"],
        row["failing_since"],
    )
