"""The checker finds each violation that is put into a sound campaign, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_benchmarks.faults.accounts import StoredDelivery, StoredTask, Task
from hookwright_benchmarks.faults.checker import VIOLATIONS, Evidence, judge
from hookwright_benchmarks.faults.keyring import Secret, Signed
from hookwright_benchmarks.faults.record import Fault, Part, ServerError, Transition
from hookwright_benchmarks.kill_campaign.history import Publish, Receipt, StoredMessage

ENDPOINTS = ("one", "two")
ROUTES = {"ordered": ("line",), "held": ("closed",)}


def _receipt(endpoint: str, number: int, at: float) -> Receipt:
    return Receipt(
        endpoint=endpoint,
        message_id=f"msg_{number}",
        key=f"key-{number}",
        digests=frozenset({f"digest-{number}"}),
        verified=True,
        at=at,
        answered_at=at + 0.01,
    )


def _publish(number: int, at: float) -> Publish:
    return Publish(
        f"key-{number}", "ok", f"digest-{number}", f"msg_{number}", sent_at=at, answered_at=at + 0.1
    )


def _fault(at: float, *touches: Part, ended: float | None = None) -> Fault:
    return Fault(
        kind="killed",
        target="it",
        touches=frozenset(touches),
        began=at,
        recovers_from=at,
        ended=at + 1 if ended is None else ended,
        requests_open=1,
        unsettled=1,
    )


def _life(delivery_id: str, writer: str = "worker-a") -> list[Transition]:
    return [
        Transition(delivery_id, "pending", "sending", 1, writer),
        Transition(delivery_id, "sending", "delivered", 1, writer),
    ]


def _row(endpoint: str, number: int, status: str = "delivered") -> StoredDelivery:
    made_at = number * 1000
    return StoredDelivery(
        id=f"del_{endpoint}_{number}",
        pair=(endpoint, f"msg_{number}"),
        status=status,
        created_at=made_at,
        completed_at=made_at + 500,
        attempts=2 if (endpoint, number) == ("one", 10) else 1,
    )


def _bulk() -> Evidence:
    """One message a second; a worker dies at 10.05 while message 10 is under way, and that one
    comes a second time at 21."""
    receipts = [_receipt(e, n, n + 0.15) for n in range(30) if n != 10 for e in ENDPOINTS]
    receipts += [_receipt("one", 10, 10.0), _receipt("two", 10, 10.0)]
    receipts += [_receipt("one", 10, 21.0)]
    return Evidence(
        endpoints=ENDPOINTS,
        publishes=[_publish(n, float(n) - (0.2 if n == 10 else 0.0)) for n in range(30)],
        receipts=receipts,
        faults=[_fault(10.05, "worker")],
        messages=[StoredMessage(f"msg_{n}", 2, {"one": 0, "two": 0}) for n in range(30)],
        deliveries=[_row(e, n) for n in range(30) for e in ENDPOINTS],
        errors=[],
        transitions=[step for n in range(3) for step in _life(f"dlv_{n}")],
    )


def _sound() -> Evidence:
    """With the bulk: three events in order, three for an endpoint that was disabled (refused, given
    up, delivered), a replay of message 5, a secret that was rotated."""
    bulk = _bulk()
    others = {"ordered": ("line", (40, 41, 42)), "held": ("closed", (50, 51, 52))}
    replay = replace(_row("one", 5), id="del_again", replay_of="del_one_5")
    return replace(
        bulk,
        routes=ROUTES,
        closing=frozenset({"closed"}),
        publishes=[
            *bulk.publishes,
            *(
                replace(
                    _publish(n, n / 2),
                    event_name=event,
                    ordering_key="key" if event == "ordered" else None,
                )
                for event, (_, numbers) in others.items()
                for n in numbers
            ),
        ],
        receipts=[
            *bulk.receipts,
            *(_receipt("line", n, n / 2 + 0.2) for n in (40, 41, 42)),
            replace(_receipt("closed", 50, 25.2), answered_at=None),
            _receipt("closed", 52, 26.2),
            _receipt("one", 5, 27.0),
        ],
        messages=[
            *bulk.messages,
            *(
                StoredMessage(f"msg_{n}", 1, {endpoint: 0}, event)
                for event, (endpoint, numbers) in others.items()
                for n in numbers
            ),
        ],
        deliveries=[
            *bulk.deliveries,
            *(_row("line", n) for n in (40, 41, 42)),
            _row("closed", 50, "failed"),
            _row("closed", 51, "dead_letter"),
            _row("closed", 52),
            replay,
        ],
        tasks=[Task("rpl_1", made_at=26_000, delivery_ids=frozenset({"del_one_5"}))],
        stored_tasks=[
            StoredTask("rpl_1", "completed", processed=1, replayed=1, skipped=0, total=1)
        ],
        signed=[_signed(1100, 0), _signed(1110, 0, 1), _signed(1140, 1)],
        secrets={"one": [Secret("old", 0, 1000, until=1130), Secret("new", 1100, 1101)]},
    )


def _signed(timestamp: int, *signers: int, at: float = 5.0) -> Signed:
    return Signed("one", "msg_1", at, timestamp, timestamp, frozenset(signers))


def _without(evidence: Evidence, endpoint: str, message_id: str) -> Evidence:
    pair = (endpoint, message_id)
    kept = [r for r in evidence.receipts if (r.endpoint, r.message_id) != pair]
    return replace(evidence, receipts=kept)


def _with(evidence: Evidence, receipt: Receipt) -> Evidence:
    """With an attempt for it as well."""
    pair = (receipt.endpoint, receipt.message_id)
    known = {row.pair for row in evidence.deliveries}
    rows = [
        replace(row, attempts=row.attempts + 1) if row.pair == pair else row
        for row in evidence.deliveries
    ]
    if pair not in known:
        rows.append(replace(_row("", 0), id="del_new", pair=pair))
    return replace(evidence, receipts=[*evidence.receipts, receipt], deliveries=rows)


def _changed(evidence: Evidence, delivery_id: str, **changes: Any) -> Evidence:
    rows = [
        replace(row, **changes) if row.id == delivery_id else row for row in evidence.deliveries
    ]
    return replace(evidence, deliveries=rows)


def _with_task(status: str, replayed: int, processed: int = 1) -> Evidence:
    task = StoredTask("rpl_1", status, processed, replayed, processed - replayed, total=1)
    return replace(_sound(), stored_tasks=[task])


def _stepped(*steps: Transition) -> Evidence:
    return replace(_sound(), transitions=steps)


def _failed(error: ServerError, *faults: Fault) -> Evidence:
    return replace(_sound(), errors=[error], faults=[*_sound().faults, *faults])


_UNAVAILABLE = ServerError(15.0, 503, "unavailable", retry_after=True)

BROKEN: dict[str, Callable[[], Evidence]] = {
    "lost": lambda: _without(_sound(), "two", "msg_29"),
    "stranded": lambda: replace(
        _without(_sound(), "two", "msg_29"),
        publishes=[
            Publish("key-29", "unknown", "digest-29") if p.key == "key-29" else p
            for p in _sound().publishes
        ],
    ),
    "forgotten": lambda: replace(_sound(), messages=_sound().messages[1:]),
    "unexpected": lambda: _with(
        replace(_sound(), publishes=[*_sound().publishes, Publish("key-99", "fail", "digest-99")]),
        _receipt("one", 99, 14.0),
    ),
    "corrupted": lambda: _with(
        _without(_sound(), "one", "msg_1"),
        replace(_receipt("one", 1, 1.2), digests=frozenset({"other"})),
    ),
    "unverified": lambda: _with(
        _sound(), replace(_receipt("one", 77, 14.0), verified=False, key="")
    ),
    "accepted_twice": lambda: _with(
        _sound(), replace(_receipt("one", 3, 14.0), message_id="msg_99")
    ),
    "partial_fan_outs": lambda: replace(
        _sound(), messages=[StoredMessage("msg_0", 2, {"one": 0}), *_sound().messages[1:]]
    ),
    "unexplained_duplicates": lambda: _with(_sound(), _receipt("one", 20, 25.0)),
    "unrecorded_attempts": lambda: _changed(_sound(), "del_one_10", attempts=1),
    "wrong_signers": lambda: replace(_sound(), signed=[_signed(1110, 0)]),
    "ordering_inversions": lambda: _with(
        _without(_sound(), "line", "msg_41"), _receipt("line", 41, 23.0)
    ),
    "ordering_gaps": lambda: _with(
        _without(_sound(), "line", "msg_41"), replace(_receipt("line", 41, 20.7), answered_at=None)
    ),
    "replays_lost": lambda: _with_task("completed", replayed=0),
    "tasks_stuck": lambda: _with_task("running", replayed=1),
    "held_lost": lambda: _changed(_sound(), "del_closed_52", status="cancelled"),
    "stale_completions": lambda: _stepped(
        Transition("dlv", "pending", "sending", 1, "worker-a"),
        Transition("dlv", "sending", "pending", 1, "worker-b", taken_back=True),
        Transition("dlv", "pending", "sending", 2, "worker-b"),
        Transition("dlv", "sending", "delivered", 2, "worker-a"),
    ),
    "terminal_changed": lambda: _stepped(
        *_life("dlv"),
        Transition("dlv", "delivered", "sending", 2, "worker-a"),
        Transition("dlv", "sending", "delivered", 2, "worker-a"),
    ),
    "errors_by_redis": lambda: _failed(_UNAVAILABLE, _fault(15.0, "redis")),
    "errors_unexplained": lambda: _failed(_UNAVAILABLE),
    "errors_malformed": lambda: _failed(
        replace(_UNAVAILABLE, retry_after=False), _fault(15.0, "postgres")
    ),
    "late_recoveries": lambda: _with(_without(_sound(), "two", "msg_10"), _receipt("two", 10, 26)),
    "unfinished": lambda: replace(_sound(), unfinished=2),
    "audit": lambda: replace(_sound(), audit=["fan_out: 1"]),
}


def test_a_sound_campaign_has_no_violations() -> None:
    """A repetition after a worker's death is a duplicate that is explained."""
    verdict = judge(_sound())

    assert {} == verdict.violations
    assert (67, 1, 6) == (verdict.receipts, verdict.duplicates, verdict.transitions)
    assert (3, 1, 1, 3) == (verdict.ordered, verdict.replays, verdict.tasks, verdict.for_closing)
    assert 1 == len(verdict.counted)


@pytest.mark.parametrize("violation", [name for name in VIOLATIONS if name != "not_recovered"])
def test_a_violation_is_found(violation: str) -> None:
    """Each is named, and none that was not put in."""
    verdict = judge(BROKEN[violation]())

    assert {violation} == verdict.violations.keys() - {"not_recovered"}
    assert not verdict.sound


def test_what_is_never_delivered_is_never_recovered() -> None:
    """A message that was accepted before a fault and never came keeps it from being over."""
    verdict = judge(_without(_sound(), "two", "msg_10"))

    assert {"lost", "not_recovered"} == verdict.violations.keys()


def test_a_result_of_nobodys_lease_is_stale() -> None:
    """Written without a claim before, under a fence that has grown, or after a take-back."""
    claimed = Transition("dlv", "pending", "sending", 2, "worker-a")
    taken = Transition("dlv", "sending", "pending", 2, "worker-b", taken_back=True)
    done = Transition("dlv", "sending", "delivered", 2, "worker-a")
    stories = [(done,), (claimed, replace(done, fence=1)), (claimed, taken, done)]

    found = [judge(_stepped(*story)).violations.keys() for story in stories]

    assert [{"stale_completions"}] * 3 == found


def test_redis_explains_no_duplicate() -> None:
    """It is only a hint: its faults may delay, nothing else."""
    evidence = _with(_sound(), _receipt("one", 20, 25.0))
    evidence = replace(evidence, faults=[*evidence.faults, _fault(20.0, "redis", "api")])

    assert {"unexplained_duplicates"} == judge(evidence).violations.keys()


def test_a_lasting_fault_explains_what_it_covers() -> None:
    """An answer that could not be recorded while Postgres was away is explained, late or not."""
    evidence = _with(_sound(), _receipt("one", 20, 27.0))
    evidence = replace(evidence, faults=[*evidence.faults, _fault(19.0, "postgres", ended=25.0)])

    assert judge(evidence).sound


def test_errors_are_counted_by_their_cause() -> None:
    """Postgres explains a 503; so does an API that was just killed."""
    evidence = replace(
        _sound(),
        errors=[_UNAVAILABLE, replace(_UNAVAILABLE, at=25.0)],
        faults=[*_sound().faults, _fault(14.5, "postgres", "redis"), _fault(24.9, "api")],
    )

    verdict = judge(evidence)

    assert verdict.sound
    assert {"postgres": 1, "api": 1, "redis": 0, "worker": 0, "nothing": 0} == verdict.errors


@pytest.mark.parametrize(
    ("asked", "beside", "cause"),
    [
        ("POST endpoints/ep_1/rotate-secret", [], "worker"),
        ("POST endpoints/ep_1/rotate-secret", [_fault(14.5, "redis")], "worker"),
        ("POST trigger", [_fault(14.5, "redis")], "redis"),
        ("GET endpoints/ep_1", [], "nothing"),
        ("POST trigger", [], "nothing"),
    ],
)
def test_a_worker_explains_changes_of_endpoints_alone(
    asked: str, beside: list[Fault], cause: str
) -> None:
    """It may hold an endpoint's row; reading and publishing wait for no worker so long."""
    evidence = replace(
        _sound(),
        errors=[replace(_UNAVAILABLE, asked=asked)],
        faults=[*_sound().faults, *beside, _fault(14.5, "worker")],
    )

    errors = judge(evidence).errors

    assert [cause] == [name for name, count in errors.items() if count]


def test_a_fault_that_hit_nothing_does_not_count() -> None:
    """It proves nothing, and is told apart."""
    idle = replace(_fault(5.0, "worker"), requests_open=0, unsettled=0)

    verdict = judge(replace(_sound(), faults=[*_sound().faults, idle]))

    assert (1, (idle,)) == (len(verdict.counted), verdict.idle)


def test_recovery_is_the_backlog_and_something_new() -> None:
    """From the kill until the last that was under way came, and a later message as well."""
    evidence = _with(_without(_sound(), "two", "msg_10"), _receipt("two", 10, 22.0))

    (found,) = judge(evidence).recoveries

    assert found.backlog_s == pytest.approx(22.01 - 10.05)
    assert found.fresh_s == pytest.approx(11.16 - 10.05)
    assert found.through_all_s == found.since_last_s == found.backlog_s


def test_a_further_fault_restarts_the_clock_if_it_delays() -> None:
    """Both times are told; a fault that delays no delivery restarts nothing."""
    evidence = _with(_without(_sound(), "two", "msg_10"), _receipt("two", 10, 22.0))
    light = replace(_fault(20.0, "redis"), delays=False)
    faults = [*evidence.faults, _fault(12.0, "postgres"), light]

    found = judge(replace(evidence, faults=faults)).recoveries

    assert pytest.approx([22.01 - 12] * 2 + [22.01 - 20]) == [each.since_last_s for each in found]
    assert pytest.approx(22.01 - 10.05) == found[0].through_all_s


@given(st.lists(st.tuples(st.integers(0, 29), st.sampled_from(ENDPOINTS)), unique=True, max_size=8))
def test_exactly_the_missing_deliveries_are_lost(missing: list[tuple[int, str]]) -> None:
    """Whatever set of receipts vanishes, just these pairs are named."""
    evidence = _sound()
    for number, endpoint in missing:
        evidence = _without(evidence, endpoint, f"msg_{number}")

    lost = judge(evidence).violations.get("lost", ())

    expected = {f"key-{number} (msg_{number}) at {endpoint}" for number, endpoint in missing}
    assert expected == set(lost)


@given(st.permutations([*_life("a"), *_life("b", "worker-b"), *_life("c")]))
def test_only_orders_that_a_lease_allows_are_sound(steps: list[Transition]) -> None:
    """A story is sound exactly when each delivery is claimed before it is finished."""
    expected = all(
        steps.index(_life(name, writer)[0]) < steps.index(_life(name, writer)[1])
        for name, writer in (("a", "worker-a"), ("b", "worker-b"), ("c", "worker-a"))
    )

    assert expected == judge(_stepped(*steps)).sound
