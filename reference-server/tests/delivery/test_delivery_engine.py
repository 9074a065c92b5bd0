"""The engine from end to end: what is due is sent, recorded, retried, and nothing gets lost."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from delivery_lab import DeliveryLab, eventually

from hookwright_server.delivery import maintenance
from hookwright_server.delivery.claim import Claim, ClaimedDelivery, Key, Rotation
from hookwright_server.delivery.engine import Engine, EngineLimits
from hookwright_server.delivery.loop import DeliveryLoop
from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.prepare import Prepared, Preparer
from hookwright_server.delivery.recorder import Completed, Recorded
from hookwright_server.delivery.room import Room
from hookwright_server.domain.outcome import Delivered, Refused, Unreachable
from hookwright_server.domain.transformation import Transformation
from hookwright_server.store import apps, tables
from hookwright_server.store.errors import StoreUnavailable, TookTooLong, WriterBusy, WriteUnknown
from hookwright_server.store.worker_sessions import Interrupted

FAST = '{"delays_seconds": [1, 1], "jitter": 0}'


def test_an_accepted_message_is_delivered_at_once(lab: DeliveryLab) -> None:
    """The commit wakes the engine; the delivery ends delivered with one attempt row."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id)
    with lab.engine(limits=EngineLimits(poll_ms=60_000)) as engine:
        lab.settle(engine)
        delivery_id = lab.store.deliver(app_id, endpoint_id)
        eventually(lambda: lab.store.row(tables.deliveries, delivery_id)["status"] == "delivered")

    row = lab.store.row(tables.deliveries, delivery_id)
    assert (1, 200, None, 7, lab.store.clock.now, None) == (
        row["attempt_count"],
        row["last_status_code"],
        row["last_failure_reason"],
        row["latency_ms"],
        row["completed_at"],
        row["lease_session"],
    )
    assert [(1, None, 200, b"answer")] == [
        (a["number"], a["failure_reason"], a["status_code"], a["response_body"])
        for a in lab.store.rows(tables.attempts)
    ]


def test_a_failed_attempt_is_repeated_when_the_policy_says(lab: DeliveryLab) -> None:
    """Nothing is sent early; at its time the next attempt goes out."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id, retry_policy=FAST)
    delivery_id = lab.store.deliver(app_id, endpoint_id)
    lab.sender.answer = lambda _: Refused(503)
    with lab.engine() as engine:
        lab.settle(engine)
        assert lab.store.clock.now + 1_000 == engine.next_due_at()
        lab.pass_time(engine, 999)
        assert 1 == len(lab.sender.requests)
        lab.sender.answer = lambda _: Delivered(204)
        lab.pass_time(engine, 1)
        assert engine.next_due_at() is None

    row = lab.store.row(tables.deliveries, delivery_id)
    assert ("delivered", 2, 3) == (row["status"], row["attempt_count"], row["max_attempts"])
    assert ["http_5xx", None] == [a["failure_reason"] for a in lab.store.rows(tables.attempts)]


def test_a_retry_is_planned_while_the_next_look_is_due_at_once(
    lab: DeliveryLab, caplog: pytest.LogCaptureFixture
) -> None:
    """uvloop's handle for what is due at once has no time; recording must not stumble over it."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id, retry_policy=FAST)
    delivery_id = lab.store.deliver(app_id, endpoint_id)
    lab.sender.answer = lambda _: Refused(503)
    with lab.engine(limits=EngineLimits(poll_ms=0)) as engine:
        lab.settle(engine)

    row = lab.store.row(tables.deliveries, delivery_id)
    assert ("pending", 1) == (row["status"], row["attempt_count"])
    assert [] == [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_an_exhausted_delivery_is_a_dead_letter(lab: DeliveryLab) -> None:
    """After the last attempt of its policy nothing more is sent."""
    app_id = lab.store.app(retry_policy=FAST)
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    lab.sender.answer = lambda _: Unreachable("connect_error")
    with lab.engine() as engine:
        lab.settle(engine)
        for _ in range(5):
            lab.pass_time(engine, 1_000)

    row = lab.store.row(tables.deliveries, delivery_id)
    assert ("dead_letter", 3, "connect_error") == (
        row["status"],
        row["attempt_count"],
        row["last_failure_reason"],
    )
    assert 3 == len(lab.sender.requests)


def test_a_clock_that_jumps_runs_every_retry_on_the_way(lab: DeliveryLab) -> None:
    """The default schedule is run through by jumping to each next due instant."""
    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    lab.sender.answer = lambda _: Refused(500)
    starts: list[int] = []
    with lab.engine() as engine:
        lab.settle(engine)
        while (due_at := engine.next_due_at()) is not None:
            starts.append(due_at - lab.store.clock.now)
            lab.pass_time(engine, due_at - lab.store.clock.now)

    assert [5, 30, 120, 900, 3_600, 14_400, 36_000, 86_400, 129_600] == [
        wait // 1_000 for wait in starts
    ]
    assert "dead_letter" == lab.store.row(tables.deliveries, delivery_id)["status"]


def test_410_ends_the_delivery_and_disables_the_endpoint(lab: DeliveryLab) -> None:
    """Gone means gone: failed, endpoint disabled, later deliveries held."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id, max_concurrency=1)
    first, second = (lab.store.deliver(app_id, endpoint_id) for _ in range(2))
    lab.sender.answer = lambda _: Refused(410)
    with lab.engine() as engine:
        lab.settle(engine)

    endpoint = lab.store.row(tables.endpoints, endpoint_id)
    assert (False, "gone", lab.store.clock.now) == (
        endpoint["active"],
        endpoint["disabled_reason"],
        endpoint["disabled_at"],
    )
    assert 2 == lab.store.row(tables.apps, app_id)["subscriptions_version"]
    assert ["failed", "pending"] == [
        lab.store.row(tables.deliveries, key)["status"] for key in (first, second)
    ]


def test_twenty_dead_letters_in_a_row_disable_the_endpoint(lab: DeliveryLab) -> None:
    """The streak of api.md §5.4 switches the endpoint off as failing; the rest is held."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id, max_concurrency=1, retry_policy='{"preset": "none"}')
    for _ in range(21):
        lab.store.deliver(app_id, endpoint_id)
    lab.sender.answer = lambda _: Refused(500)
    with lab.engine() as engine:
        lab.settle(engine)

    assert "failing" == lab.store.row(tables.endpoints, endpoint_id)["disabled_reason"]
    statuses = [row["status"] for row in lab.store.rows(tables.deliveries)]
    assert (20, 1) == (statuses.count("dead_letter"), statuses.count("pending"))


def test_health_follows_the_attempts(lab: DeliveryLab) -> None:
    """Failures in a row are counted and a success ends the row."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id, retry_policy=FAST)
    lab.store.deliver(app_id, endpoint_id)
    lab.sender.answer = lambda _: Refused(500)
    began_at = lab.store.clock.now
    with lab.engine() as engine:
        lab.settle(engine)
        lab.pass_time(engine, 1_000)
        failing = lab.store.row(tables.endpoints, endpoint_id)
        lab.sender.answer = lambda _: Delivered(200)
        lab.pass_time(engine, 1_000)
        healthy = lab.store.row(tables.endpoints, endpoint_id)

    assert (2, began_at, began_at + 1_000, None) == (
        failing["consecutive_failures"],
        failing["first_failure_at"],
        failing["last_failure_at"],
        failing["last_success_at"],
    )
    assert (0, None, began_at + 2_000) == (
        healthy["consecutive_failures"],
        healthy["first_failure_at"],
        healthy["last_success_at"],
    )


def test_deliveries_of_a_disabled_endpoint_wait_for_its_release(lab: DeliveryLab) -> None:
    """A held delivery is not sent; once the endpoint is active again it goes out."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id, active=False)
    lab.store.deliver(app_id, endpoint_id)
    with lab.engine() as engine:
        lab.settle(engine)
        assert [] == lab.sender.requests
        lab.store.update(tables.endpoints, endpoint_id, active=True)
        lab.settle(engine)

    assert 1 == len(lab.sender.requests)


def test_a_slow_endpoint_does_not_delay_another(lab: DeliveryLab) -> None:
    """While one endpoint hangs with all its slots, another gets everything."""
    app_id = lab.store.app()
    slow = lab.endpoint(app_id, url="http://slow/", max_concurrency=3)
    quick = lab.endpoint(app_id, url="http://quick/", max_concurrency=3)
    lab.sender.hold(lambda request: request.url == "http://slow/")
    for endpoint_id in (slow, quick):
        for _ in range(20):
            lab.store.deliver(app_id, endpoint_id)
    with lab.engine(limits=EngineLimits(in_flight=8)) as engine:
        eventually(lambda: lab.sender.urls().count("http://quick/") == 20)
        assert 3 == lab.sender.urls().count("http://slow/")
        lab.sender.let_go()
        lab.settle(engine)

    assert {"delivered"} == {row["status"] for row in lab.store.rows(tables.deliveries)}


def test_an_overloaded_endpoint_gets_fewer_at_a_time(lab: DeliveryLab) -> None:
    """429, 502, 503 and 504 halve its concurrency, each success adds one back."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id, max_concurrency=4)
    lab.store.deliver(app_id, endpoint_id)
    lab.sender.answer = lambda _: Refused(503)
    with lab.engine() as engine:
        lab.settle(engine)
        lab.sender.hold()
        lab.sender.requests.clear()
        for _ in range(10):
            lab.store.deliver(app_id, endpoint_id)
        eventually(lambda: len(lab.sender.requests) == 2)
        lab.sender.answer = lambda _: Delivered(200)
        lab.sender.let_go()
        lab.settle(engine)

    assert 10 == len(lab.sender.requests)


def test_a_graceful_stop_lets_running_attempts_finish(lab: DeliveryLab) -> None:
    """Nothing new is claimed; what runs is recorded, and the session is gone."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id, max_concurrency=1)
    first, second = (lab.store.deliver(app_id, endpoint_id) for _ in range(2))
    lab.sender.hold()
    with lab.engine() as engine:
        eventually(lambda: len(lab.sender.requests) == 1)
        stop = threading.Thread(target=engine.stop, args=(10_000,))
        stop.start()
        eventually(lambda: not engine.is_running())
        lab.sender.let_go()
        stop.join()

    assert ["delivered", "pending"] == [
        lab.store.row(tables.deliveries, key)["status"] for key in (first, second)
    ]
    assert [] == lab.store.rows(tables.worker_sessions)
    assert 1 == len(lab.store.rows(tables.attempts))


def test_what_outlasts_the_drain_counts_as_interrupted(lab: DeliveryLab) -> None:
    """It is due again at once, with an attempt row that does not count against the schedule."""
    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    lab.sender.hold()
    with lab.engine() as engine:
        eventually(lambda: len(lab.sender.requests) == 1)
        engine.stop(drain_ms=1)

    row = lab.store.row(tables.deliveries, delivery_id)
    assert ("pending", 1, 1, lab.store.clock.now, "interrupted") == (
        row["status"],
        row["attempt_count"],
        row["uncounted_attempts"],
        row["next_attempt_at"],
        row["last_failure_reason"],
    )
    assert ["interrupted"] == [a["failure_reason"] for a in lab.store.rows(tables.attempts)]
    assert 1 == lab.sender.cancelled


def test_a_delivery_goes_on_after_its_worker_died(lab: DeliveryLab) -> None:
    """What an earlier process leased is taken back at start and sent again, whole schedule."""
    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id, retry_policy=FAST))
    lab.store.update(
        tables.deliveries, delivery_id, status="sending", lease_session="wrk_dead", fence=4
    )
    lab.sender.answer = lambda _: Refused(500)
    with lab.engine() as engine:
        eventually(lambda: len(lab.sender.requests) == 1)
        lab.settle(engine)
        lab.pass_time(engine, 1_000)
        lab.pass_time(engine, 1_000)

    row = lab.store.row(tables.deliveries, delivery_id)
    assert ("dead_letter", 4, 4) == (row["status"], row["attempt_count"], row["max_attempts"])
    assert ["interrupted", "http_5xx", "http_5xx", "http_5xx"] == [
        a["failure_reason"] for a in lab.store.rows(tables.attempts)
    ]


def test_a_late_completion_is_dropped(lab: DeliveryLab) -> None:
    """When the lease was lost meanwhile, the result changes nothing."""
    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    lab.sender.hold()
    with lab.engine() as engine:
        eventually(lambda: len(lab.sender.requests) == 1)
        lab.store.session("wrk_other")
        lab.store.update(tables.deliveries, delivery_id, lease_session="wrk_other", fence=2)
        lab.sender.let_go()
        lab.settle(engine)

    row = lab.store.row(tables.deliveries, delivery_id)
    assert ("sending", 0) == (row["status"], row["attempt_count"])
    assert [] == lab.store.rows(tables.attempts)


def test_a_secret_that_does_not_open_delays_without_an_attempt(lab: DeliveryLab) -> None:
    """Nothing unsigned leaves; the delivery is put back and tried a minute later."""
    app_id = lab.store.app()
    endpoint_id = lab.store.endpoint(app_id)
    delivery_id = lab.store.deliver(app_id, endpoint_id)
    with lab.engine() as engine:
        lab.settle(engine)
        row = lab.store.row(tables.deliveries, delivery_id)
        lab.signing_secret(app_id, endpoint_id)
        lab.store.database.write(lambda c: apps.bump_subscriptions(c, app_id))
        lab.pass_time(engine, 60_000)

    assert ("pending", 0) == (row["status"], row["attempt_count"])
    assert "delivered" == lab.store.row(tables.deliveries, delivery_id)["status"]


def test_a_fault_in_the_sender_is_an_attempt_like_any_other(lab: DeliveryLab) -> None:
    """An exception out of the sender neither loses the delivery nor repeats it at once."""

    def broken(_request: object) -> Delivered:
        raise ZeroDivisionError

    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    lab.sender.answer = broken
    with lab.engine() as engine:
        lab.settle(engine)

    row = lab.store.row(tables.deliveries, delivery_id)
    assert ("pending", 1, "protocol_error") == (
        row["status"],
        row["attempt_count"],
        row["last_failure_reason"],
    )


def test_a_fault_while_preparing_puts_the_delivery_back(
    lab: DeliveryLab, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong beside the request, the slot is free and the delivery due later."""

    class Faulty(Preparer):
        def prepare(self, claimed: ClaimedDelivery, traceparent: str | None = None) -> Prepared:
            raise ZeroDivisionError

    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    engine = Engine(replace(lab.tools(), preparer=Faulty(lab.vault, lab.store.clock, "0.0.0")))
    engine.start()
    try:
        lab.settle(engine)
    finally:
        engine.stop(drain_ms=0)

    row = lab.store.row(tables.deliveries, delivery_id)
    assert ("pending", 0, lab.store.clock.now + 60_000) == (
        row["status"],
        row["attempt_count"],
        row["next_attempt_at"],
    )
    assert [f"attempt_fault delivery={delivery_id}"] == [r.getMessage() for r in caplog.records]


def test_what_expires_after_its_claim_is_not_sent(lab: DeliveryLab) -> None:
    """It ends as expired, without an attempt, and lets what waits for it go."""

    class Slow(Preparer):
        def prepare(self, claimed: ClaimedDelivery, traceparent: str | None = None) -> Prepared:
            lab.store.clock.now += 1
            return super().prepare(claimed, traceparent)

    app_id = lab.store.app()
    endpoint_id, end = lab.endpoint(app_id), lab.store.clock.now + 1
    first = lab.store.deliver(app_id, endpoint_id, ordering_key="a", expires_at=end)
    second = lab.store.deliver(app_id, endpoint_id, ordering_key="a")
    preparer = Slow(lab.vault, lab.store.clock, "0.0.0")
    engine = Engine(replace(lab.tools(), preparer=preparer), EngineLimits(poll_ms=60_000))
    engine.start()
    try:
        lab.settle(engine)
    finally:
        engine.stop(drain_ms=0)
    rows = [lab.store.row(tables.deliveries, each) for each in (first, second)]

    assert [("cancelled", "expired", 0, end), ("delivered", None, 1, rows[1]["completed_at"])] == [
        (row["status"], row["cancel_reason"], row["attempt_count"], row["completed_at"])
        for row in rows
    ]
    assert 1 == len(lab.sender.requests)


def test_a_tenant_that_hangs_everywhere_leaves_slots_to_others(lab: DeliveryLab) -> None:
    """Endpoints that never answer and could take every slot do not delay the other environment."""
    app_id = lab.store.app()
    hanging = [lab.endpoint(app_id, url="http://hangs/", max_concurrency=100) for _ in range(2)]
    healthy = lab.endpoint(app_id, url="http://healthy/", environment="live")
    for _ in range(60):
        lab.store.database.accept(lab.store.acceptance(app_id, hanging))
    lab.sender.hold(lambda request: request.url == "http://hangs/")
    with lab.engine(limits=EngineLimits(in_flight=40)):
        eventually(lambda: lab.sender.urls().count("http://hangs/") >= 24)
        for _ in range(50):
            lab.store.deliver(app_id, healthy)
        eventually(lambda: lab.sender.urls().count("http://healthy/") == 50)

    assert lab.sender.urls().count("http://hangs/") <= 30


def test_a_tenant_at_its_threshold_does_not_keep_the_engine_busy(lab: DeliveryLab) -> None:
    """What waits for a slot of its own tenant causes no claims until one is free."""
    claims: list[int] = []

    class Counting(Outbox):
        async def claim(
            self, session_id: str, rotation: Rotation, room: Room, limits: Mapping[str, int]
        ) -> Claim:
            result = await super().claim(session_id, rotation, room, limits)
            claims.append(len(result.deliveries))
            return result

    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id, max_concurrency=100)
    for _ in range(60):
        lab.store.deliver(app_id, endpoint_id)
    lab.sender.hold()
    outbox = Counting(lab.store.database, lab.store.clock, lab.store.ids, lab.system, alone=True)
    engine = Engine(replace(lab.tools(), outbox=outbox), EngineLimits(in_flight=40, poll_ms=60_000))
    engine.start()
    try:
        eventually(lambda: claims[-1:] == [0])
        busy = len(claims)
        lab.sender.let_go()
        lab.settle(engine)
    finally:
        engine.stop(drain_ms=0)

    assert busy <= 3
    assert {"delivered"} == {row["status"] for row in lab.store.rows(tables.deliveries)}


def test_the_death_of_the_engine_is_told(lab: DeliveryLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its loop ends without a stop, the engine no longer runs and `on_death` is called."""

    async def fatal(_loop: DeliveryLoop) -> None:
        raise MemoryError

    monkeypatch.setattr(DeliveryLoop, "run", fatal)
    ran: list[bool] = []
    told = threading.Event()

    def on_death() -> None:
        ran.append(engine.is_running())
        told.set()

    engine = Engine(lab.tools(), on_death=on_death)
    engine.start()

    assert told.wait(60)
    assert [False] == ran
    engine.stop(drain_ms=0)


def test_every_attempt_leaves_one_line(lab: DeliveryLab, caplog: pytest.LogCaptureFixture) -> None:
    """The canonical line holds everything that operations look for."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id)
    delivery_id = lab.store.deliver(app_id, endpoint_id)
    lab.sender.answer = lambda _: Refused(502)
    with caplog.at_level(logging.INFO, "hookwright.attempt"), lab.engine() as engine:
        lab.settle(engine)

    [line] = [r.getMessage() for r in caplog.records if r.name == "hookwright.attempt"]
    fields = dict(pair.split("=", 1) for pair in line.split(" "))
    assert {
        "delivery": delivery_id,
        "message": lab.store.rows(tables.messages)[0]["id"],
        "endpoint": endpoint_id,
        "app": app_id,
        "account": "acc_one",
        "attempt": "1",
        "outcome": "http_5xx",
        "status": "502",
        "latency_ms": "7",
        "decision": "retry",
        "next_attempt_at": str(lab.store.clock.now + 5_000),
        "trace": "-",
    } == fields


def test_a_lost_session_is_replaced_and_its_deliveries_go_on(lab: DeliveryLab) -> None:
    """An engine that was declared dead drops what it was sending and begins anew."""
    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    lab.sender.hold()
    with lab.engine(limits=EngineLimits(renew_ms=20)) as engine:
        eventually(lambda: len(lab.sender.requests) == 1)
        [lost] = lab.store.rows(tables.worker_sessions)
        lab.store.delete(tables.worker_sessions, lost["id"])
        eventually(lambda: lab.sender.cancelled == 1)
        lab.sender.let_go()
        lab.settle(engine)
        [present] = lab.store.rows(tables.worker_sessions)

    assert lost["id"] != present["id"]
    assert "delivered" == lab.store.row(tables.deliveries, delivery_id)["status"]
    assert ["interrupted", None] == [a["failure_reason"] for a in lab.store.rows(tables.attempts)]


def test_leases_that_cannot_be_renewed_are_taken_for_lost(lab: DeliveryLab) -> None:
    """When the database refuses the renewal for too long the engine gives its session up."""

    class Unrenewable(Outbox):
        async def renew(self, session_id: str) -> bool:
            raise StoreUnavailable(session_id)

    tools = lab.tools()
    outbox = Unrenewable(lab.store.database, lab.store.clock, lab.store.ids, lab.system, alone=True)
    engine = Engine(replace(tools, outbox=outbox), EngineLimits(renew_ms=5, dead_ms=20))
    engine.start()
    try:
        [first] = lab.store.rows(tables.worker_sessions)
        eventually(lambda: [first] != lab.store.rows(tables.worker_sessions))
    finally:
        engine.stop(drain_ms=0)


_SHAKY = 4


def test_a_renewal_that_failed_is_tried_again_soon(lab: DeliveryLab) -> None:
    """Long before the next one would be: after an outage the session must not be the one to die."""
    asked_at: list[float] = []

    class Shaky(Outbox):
        async def renew(self, session_id: str) -> bool:
            asked_at.append(asyncio.get_running_loop().time())
            if len(asked_at) < _SHAKY:
                raise StoreUnavailable(session_id)
            return await super().renew(session_id)

    outbox = Shaky(lab.store.database, lab.store.clock, lab.store.ids, lab.system, alone=True)
    engine = Engine(replace(lab.tools(), outbox=outbox), EngineLimits(renew_ms=1_000))
    engine.start()
    try:
        eventually(lambda: len(asked_at) >= _SHAKY)
    finally:
        engine.stop(drain_ms=0)

    # The quickest of some: a busy machine may let one wait.
    assert 0.8 > min(later - earlier for earlier, later in pairwise(asked_at))


def test_what_another_session_leaves_is_taken_over_while_this_one_runs(lab: DeliveryLab) -> None:
    """As often as asked it looks whether one has died; its deliveries then go on here."""
    looks: list[bool] = []

    class Watched(Outbox):
        async def take_back(
            self, own_session: str, *, only_of_silent: bool = False
        ) -> list[Interrupted]:
            looks.append(only_of_silent)
            return await super().take_back(own_session, only_of_silent=only_of_silent)

    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    lab.store.update(
        tables.deliveries, delivery_id, status="sending", lease_session="wrk_other", fence=4
    )
    lab.store.session("wrk_other")
    outbox = Watched(lab.store.database, lab.store.clock, lab.store.ids, lab.system, alone=False)
    limits = EngineLimits(renew_ms=60_000, take_back_ms=10)
    engine = Engine(replace(lab.tools(), outbox=outbox), limits)
    engine.start()
    try:
        eventually(lambda: looks.count(True) > 2)
        lab.store.clock.now += 11_000
        eventually(lambda: lab.store.row(tables.deliveries, delivery_id)["status"] == "delivered")
    finally:
        engine.stop(drain_ms=0)

    assert not looks[0]  # the first look is at everything
    assert ["interrupted", None] == [a["failure_reason"] for a in lab.store.rows(tables.attempts)]


@pytest.mark.parametrize("endless", ["expire", "maintain", "merge"])
def test_a_long_round_of_upkeep_holds_up_no_other(lab: DeliveryLab, endless: str) -> None:
    """While one never comes to its end, and fails at first, the other upkeep is done."""
    failures = iter([StoreUnavailable("away"), RuntimeError("a fault")])
    rounds: Counter[str] = Counter()

    class Busy(Outbox):
        async def expire(self) -> bool:
            return await self.counted("expire") or await super().expire()

        async def maintain(self, chore: maintenance.Chore) -> bool:
            name = "merge" if chore in maintenance.FREQUENT_CHORES else "maintain"
            return await self.counted(name) or await super().maintain(chore)

        async def counted(self, name: str) -> bool:
            rounds[name] += 1
            await asyncio.sleep(0.001)
            for failure in failures if name == endless else ():
                raise failure
            return name == endless

    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    lab.store.update(
        tables.deliveries, delivery_id, status="sending", lease_session="wrk_other", fence=4
    )
    lab.store.session("wrk_other")
    outbox = Busy(lab.store.database, lab.store.clock, lab.store.ids, lab.system, alone=False)
    limits = EngineLimits(renew_ms=60_000, take_back_ms=10)
    engine = Engine(replace(lab.tools(), outbox=outbox), limits)
    engine.start()
    try:
        eventually(lambda: rounds[endless] > 20)
        lab.store.clock.now += 11_000
        eventually(lambda: lab.store.row(tables.deliveries, delivery_id)["status"] == "delivered")
        merged = rounds["merge"]
        eventually(lambda: rounds["merge"] > merged)
        eventually(lambda: min(rounds[name] for name in ("expire", "maintain", "merge")) > 0)
    finally:
        engine.stop(drain_ms=0)
    ended_at = rounds.total()
    lab.store.database.write(lambda _tx: None)

    assert ended_at == rounds.total()
    assert [] == lab.store.rows(tables.worker_sessions)


def test_a_claim_that_nobody_saw_committed_is_given_back(lab: DeliveryLab) -> None:
    """When the answer to a claim's commit is lost its deliveries are sent all the same, once."""
    failures = iter([WriteUnknown("the connection broke")])

    class Deaf(Outbox):
        async def claim(
            self, session_id: str, rotation: Rotation, room: Room, limits: Mapping[str, int]
        ) -> Claim:
            claim = await super().claim(session_id, rotation, room, limits)
            for failure in failures if claim.deliveries else ():
                raise failure
            return claim

    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    outbox = Deaf(lab.store.database, lab.store.clock, lab.store.ids, lab.system, alone=True)
    engine = Engine(replace(lab.tools(), outbox=outbox))
    engine.start()
    try:
        eventually(lambda: lab.store.row(tables.deliveries, delivery_id)["status"] == "delivered")
    finally:
        engine.stop(drain_ms=0)

    assert 1 == len(lab.sender.requests)
    assert [1] == [row["number"] for row in lab.store.rows(tables.attempts)]


def test_what_was_let_go_of_is_not_put_back_as_never_sent(lab: DeliveryLab) -> None:
    """While the session is begun anew, a claim of unknown end puts back nothing: what was sent
    counts as interrupted once the lost session, which nobody ended, has died."""

    class Torn(Outbox):
        session = ""
        is_unknown = False
        let_go = asyncio.Event()
        looked = asyncio.Event()

        async def begin(self) -> tuple[str, float]:
            if self.is_unknown:
                self.let_go.set()
                await self.looked.wait()
                return await super().begin()
            self.session, began_at = await super().begin()
            return self.session, began_at

        async def renew(self, session_id: str) -> bool:
            if self.is_unknown and session_id == self.session:
                raise StoreUnavailable("away")
            return await super().renew(session_id)

        async def claim(
            self, session_id: str, rotation: Rotation, room: Room, limits: Mapping[str, int]
        ) -> Claim:
            claim = await super().claim(session_id, rotation, room, limits)
            if claim.deliveries and lab.sender.requests and not self.is_unknown:
                self.is_unknown = True
                await self.let_go.wait()
                raise WriteUnknown("the connection broke")
            return claim

        async def put_back_unknown(self, session_id: str, known: Collection[Key]) -> None:
            await super().put_back_unknown(session_id, known)
            self.looked.set()

    app_id = lab.store.app()
    sent = lab.store.deliver(app_id, lab.endpoint(app_id, url="https://example.com/sent"))
    outbox = Torn(lab.store.database, lab.store.clock, lab.store.ids, lab.system, alone=False)
    lab.sender.hold()
    limits = EngineLimits(renew_ms=50, dead_ms=1_000, take_back_ms=10)
    engine = Engine(replace(lab.tools(), outbox=outbox), limits)
    engine.start()
    try:
        eventually(lambda: len(lab.sender.requests) == 1)
        lab.sender.hold(lambda request: request is lab.sender.requests[0])
        lab.store.deliver(app_id, lab.endpoint(app_id))
        eventually(lambda: len(lab.store.rows(tables.worker_sessions)) == 2)
        lab.store.clock.now += 11_000
        eventually(lambda: lab.store.row(tables.deliveries, sent)["status"] == "delivered")
    finally:
        engine.stop(drain_ms=0)

    attempts = [row for row in lab.store.rows(tables.attempts) if row["delivery_id"] == sent]
    assert ["interrupted", None] == [row["failure_reason"] for row in attempts]
    assert len(attempts) == lab.sender.urls().count("https://example.com/sent")


def test_a_database_in_trouble_only_delays_the_record(lab: DeliveryLab) -> None:
    """A result that cannot be written is written later, and the request is not repeated."""
    failures = iter([StoreUnavailable("disk full")] * 2)

    class Troubled(Outbox):
        async def record(self, batch: Sequence[Completed]) -> Recorded:
            for failure in failures:
                raise failure
            return await super().record(batch)

    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    outbox = Troubled(lab.store.database, lab.store.clock, lab.store.ids, lab.system, alone=True)
    engine = Engine(replace(lab.tools(), outbox=outbox))
    engine.start()
    try:
        lab.settle(engine)
    finally:
        engine.stop(drain_ms=0)

    assert "delivered" == lab.store.row(tables.deliveries, delivery_id)["status"]
    assert 1 == len(lab.sender.requests)


def test_a_batch_that_takes_too_long_is_halved(lab: DeliveryLab) -> None:
    """Until the database has time enough for each part; no request is repeated, no result lost."""
    sizes: list[int] = []

    class Slow(Outbox):
        async def record(self, batch: Sequence[Completed]) -> Recorded:
            sizes.append(len(batch))
            if len(batch) > 2:
                raise TookTooLong("statement timeout")
            return await super().record(batch)

    app_id = lab.store.app()
    deliveries = [lab.store.deliver(app_id, lab.endpoint(app_id)) for _ in range(9)]
    outbox = Slow(lab.store.database, lab.store.clock, lab.store.ids, lab.system, alone=True)
    lab.sender.hold()
    engine = Engine(replace(lab.tools(), outbox=outbox))
    engine.start()
    try:
        eventually(lambda: len(lab.sender.requests) == len(deliveries))
        lab.sender.let_go()
        lab.settle(engine)
    finally:
        engine.stop(drain_ms=0)

    found = {lab.store.row(tables.deliveries, each)["status"] for each in deliveries}
    assert {"delivered"} == found
    assert len(deliveries) == len(lab.sender.requests) == len(lab.store.rows(tables.attempts))
    assert max(sizes) > 2
    assert len(deliveries) == sum(size for size in sizes if size <= 2)


def test_an_engine_whose_session_cannot_begin_does_not_start(lab: DeliveryLab) -> None:
    """`start` raises what the database said."""
    with lab.engine():
        pass
    lab.store.database.close()

    with pytest.raises(WriterBusy, match="stopping"):
        Engine(lab.tools()).start()


def test_what_is_claimed_during_a_stop_is_given_back_unsent(lab: DeliveryLab) -> None:
    """It is pending and due, without an attempt, and no request was made."""
    asked, go_on = threading.Event(), threading.Event()

    class Slow(Outbox):
        async def claim(
            self, session_id: str, rotation: Rotation, room: Room, limits: Mapping[str, int]
        ) -> Claim:
            asked.set()
            await asyncio.to_thread(go_on.wait, 10)
            return await super().claim(session_id, rotation, room, limits)

    app_id = lab.store.app()
    delivery_id = lab.store.deliver(app_id, lab.endpoint(app_id))
    outbox = Slow(lab.store.database, lab.store.clock, lab.store.ids, lab.system, alone=True)
    engine = Engine(replace(lab.tools(), outbox=outbox))
    engine.start()
    assert asked.wait(60)
    stop = threading.Thread(target=engine.stop, args=(10_000,))
    stop.start()
    eventually(lambda: not engine.is_running())
    go_on.set()
    stop.join()

    row = lab.store.row(tables.deliveries, delivery_id)
    assert ("pending", 0, lab.store.clock.now, 1) == (
        row["status"],
        row["attempt_count"],
        row["next_attempt_at"],
        row["fence"],
    )
    assert [] == lab.sender.requests


def test_a_large_payload_is_transformed_beside_the_loop(
    lab: DeliveryLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other attempts go on meanwhile; a small one is not worth a thread."""
    threads: list[bool] = []
    apply = Transformation.apply

    def noted(self: Transformation, payload: bytes) -> bytes:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            threads.append(True)
        else:
            threads.append(False)
        return apply(self, payload)

    monkeypatch.setattr(Transformation, "apply", noted)
    app_id = lab.store.app()
    mappings = '{"mappings": [{"from": "payload.a", "to": "x"}]}'
    endpoint_id = lab.endpoint(app_id, transformation=mappings)
    with lab.engine() as engine:
        for size in (1, 20_000):
            payload = {"a": "x" * size}
            lab.store.database.accept(lab.store.acceptance(app_id, [endpoint_id], payload=payload))
            lab.settle(engine)

    assert [False, True] == threads
    assert 2 == len(lab.sender.requests)


def test_a_failing_transformation_is_the_last_attempt(lab: DeliveryLab) -> None:
    """Nothing is sent, the delivery is failed whatever its policy, and health counts it."""
    app_id = lab.store.app()
    mappings = '{"mappings": [{"from": "payload.missing", "to": "x"}]}'
    policy = '{"delays_seconds": [1, 1], "retry_client_errors": true}'
    endpoint_id = lab.endpoint(app_id, transformation=mappings, retry_policy=policy)
    lab.store.database.accept(acceptance := lab.store.acceptance(app_id, [endpoint_id], payload={}))
    with lab.engine() as engine:
        lab.settle(engine)
        assert engine.next_due_at() is None

    row = lab.store.row(tables.deliveries, acceptance.deliveries[0].id)
    (attempt,) = lab.store.rows(tables.attempts)
    assert [] == lab.sender.requests
    assert ("failed", 1, "transformation_error") == (
        row["status"],
        row["attempt_count"],
        row["last_failure_reason"],
    )
    assert ("transformation_error", None, 0, "{}") == (
        attempt["failure_reason"],
        attempt["status_code"],
        attempt["latency_ms"],
        attempt["request_headers"],
    )
    assert 1 == lab.store.row(tables.endpoints, endpoint_id)["consecutive_failures"]
