"""Rate limits of endpoints: what is beyond waits for the next window, and costs no attempt."""

from __future__ import annotations

from collections.abc import Sequence

from delivery_lab import DeliveryLab, room
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.delivery.claim import Claim, Rotation, claim
from hookwright_server.store import tables
from hookwright_server.store.claims import Waiting, Window
from hookwright_server.store.targets import Targets

_SECOND = 1_000


def _claim(lab: DeliveryLab) -> Claim:
    if not lab.store.rows(tables.worker_sessions):
        lab.store.session("wrk_one")
    return lab.store.database.write(
        lambda c: claim(c, lab.store.clock, "wrk_one", Rotation(), room(100), {}, Targets())
    )


def _limited(lab: DeliveryLab, max_requests: int, duration_ms: int = _SECOND, *, due: int) -> str:
    """An endpoint with a limit and `due` deliveries; returns its id."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id, rate_max_requests=max_requests, rate_duration_ms=duration_ms)
    for _ in range(due):
        lab.store.deliver(app_id, endpoint_id)
    return endpoint_id


def _record_nothing(lab: DeliveryLab) -> None:
    """Let all that is leased count as delivered."""
    for row in lab.store.rows(tables.deliveries):
        if row["status"] == "sending":
            lab.store.update(tables.deliveries, row["id"], status="delivered", lease_session=None)


def test_a_window_grants_so_many(lab: DeliveryLab) -> None:
    """The claim takes what the window has left and says when the next one may begin."""
    _limited(lab, 3, due=5)

    first, second = _claim(lab), _claim(lab)

    reopens_at = lab.store.clock.now + _SECOND
    assert (3, reopens_at, False) == (len(first.deliveries), first.next_due_at, first.left_behind)
    assert Claim((), reopens_at, False) == second
    lab.store.clock.now = reopens_at - 1
    assert 0 == len(_claim(lab).deliveries)
    lab.store.clock.now = reopens_at
    assert 2 == len(_claim(lab).deliveries)


def test_what_expired_uses_nothing_of_a_window(lab: DeliveryLab) -> None:
    """It is cancelled when its turn comes, and the next one goes at once: not a window later."""
    endpoint_id = _limited(lab, 1, due=0)
    app_id = lab.store.row(tables.endpoints, endpoint_id)["app_id"]
    lab.store.deliver(app_id, endpoint_id, expires_at=lab.store.clock.now + 1)
    lab.store.clock.now += 1
    lab.store.deliver(app_id, endpoint_id)
    lab.store.deliver(app_id, endpoint_id)

    first, second = _claim(lab), _claim(lab)

    assert (0, 1, True) == (len(first.deliveries), first.expired, first.left_behind)
    assert (1, 0, False) == (len(second.deliveries), second.expired, second.left_behind)


def test_a_window_begins_with_its_first_attempt(lab: DeliveryLab) -> None:
    """What was used before counts until the window is over, not from the last attempt on."""
    endpoint_id = _limited(lab, 2, due=1)
    app_id = lab.store.row(tables.endpoints, endpoint_id)["app_id"]
    began_at = lab.store.clock.now
    _claim(lab)
    lab.store.clock.now += 900
    for _ in range(3):
        lab.store.deliver(app_id, endpoint_id)

    found = _claim(lab)

    assert (1, began_at + _SECOND) == (len(found.deliveries), found.next_due_at)


def test_whoever_has_no_limit_leaves_no_trace(lab: DeliveryLab) -> None:
    """Nothing is counted for an endpoint without a limit beside one that has one."""
    limited = _limited(lab, 1, due=1)
    app_id = lab.store.app()
    lab.store.deliver(app_id, lab.endpoint(app_id))

    assert 2 == len(_claim(lab).deliveries)
    windows = lab.store.rows(tables.endpoint_windows)
    assert [(limited, lab.store.clock.now, 1)] == [tuple(row.values()) for row in windows]


def test_slots_limit_beside_the_rate(lab: DeliveryLab) -> None:
    """With fewer free slots than the rate allows, the rest waits for a slot, as always."""
    endpoint_id = _limited(lab, 5, due=9)
    lab.store.update(tables.endpoints, endpoint_id, max_concurrency=2)

    found = _claim(lab)

    assert (2, None, True) == (len(found.deliveries), found.next_due_at, found.left_behind)
    _record_nothing(lab)
    assert 2 == len(_claim(lab).deliveries)
    _record_nothing(lab)
    found = _claim(lab)
    assert (1, lab.store.clock.now + _SECOND) == (len(found.deliveries), found.next_due_at)


def test_a_lower_limit_holds_at_once(lab: DeliveryLab) -> None:
    """The limit is that of the moment; without one all goes on."""
    endpoint_id = _limited(lab, 4, due=9)
    _claim(lab)
    _record_nothing(lab)
    lab.store.update(tables.endpoints, endpoint_id, rate_max_requests=2)
    assert 0 == len(_claim(lab).deliveries)
    lab.store.update(tables.endpoints, endpoint_id, rate_max_requests=5)
    assert 1 == len(_claim(lab).deliveries)
    lab.store.update(tables.endpoints, endpoint_id, rate_max_requests=None, rate_duration_ms=None)

    assert 4 == len(_claim(lab).deliveries)


def test_being_throttled_costs_no_attempt(lab: DeliveryLab) -> None:
    """An engine sends so many a window; every delivery is delivered at its first attempt."""
    endpoint_id = _limited(lab, 2, due=5)
    with lab.engine() as engine:
        sent: list[int] = []
        for _ in range(3):
            lab.settle(engine)
            sent.append(len(lab.sender.requests))
            assert engine.next_due_at() in (None, lab.store.clock.now + _SECOND)
            lab.store.clock.now += _SECOND
        lab.settle(engine)

    rows = [
        (row["status"], row["attempt_count"])
        for row in lab.store.rows(tables.deliveries)
        if row["endpoint_id"] == endpoint_id
    ]
    assert [2, 4, 5] == sent
    assert [("delivered", 1)] * 5 == rows


@given(st.integers(0, 40), st.integers(0, 40), st.none() | st.integers(0, 40), st.integers(-5, 40))
def test_waiting_says_who_holds_it_back(
    due: int, most_counted: int, left: int | None, free: int
) -> None:
    """It is the rate alone exactly when more is due than the window has left and slots are."""
    window = None if left is None else Window(0, 0, left, 1_000)
    due = min(due, most_counted)
    each = Waiting.of(
        "ep", ("acc", "live"), free=free, due=due, most_counted=most_counted, window=window
    )

    bounds: Sequence[int] = [free, due] if left is None else [free, due, left]
    assert max(0, min(bounds)) == each.claimable
    if left is None or each.claimable < left or not each.has_more:
        assert each.reopens_at is None
    else:
        assert 1_000 == each.reopens_at
