"""The small parts of the delivery path: throttle, waker, result buffer, log, chores."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import pytest
from delivery_lab import DeliveryLab, eventually

from hookwright_server.delivery.attempt_log import AttemptLog
from hookwright_server.delivery.recorder import Completed
from hookwright_server.delivery.result_buffer import ResultBuffer
from hookwright_server.delivery.throttle import Throttle
from hookwright_server.delivery.waker import MemoryWaker
from hookwright_server.domain.outcome import Delivered, Refused, Unreachable
from hookwright_server.store import tables
from hookwright_server.store.worker_sessions import Interrupted


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_overload_halves_down_to_one(status: int) -> None:
    """Each such answer halves what an endpoint gets at a time; one is the least."""
    throttle = Throttle()
    seen: list[int] = []
    for _ in range(5):
        throttle.note("ep", Refused(status), max_concurrency=10)
        seen.append(throttle.limits()["ep"])

    assert [5, 2, 1, 1, 1] == seen


def test_each_success_adds_one_back() -> None:
    """At its own maximum an endpoint is no longer throttled."""
    throttle = Throttle()
    throttle.note("ep", Refused(503), max_concurrency=4)
    throttle.note("ep", Delivered(200), max_concurrency=4)
    assert {"ep": 3} == throttle.limits()

    throttle.note("ep", Delivered(200), max_concurrency=4)

    assert {} == throttle.limits()


def test_other_answers_leave_the_throttle_alone() -> None:
    """Neither failures of other kinds nor successes elsewhere change anything."""
    throttle = Throttle()
    throttle.note("ep", Refused(500), max_concurrency=4)
    throttle.note("ep", Unreachable("connect_error"), max_concurrency=4)
    throttle.note("other", Delivered(200), max_concurrency=4)

    assert {} == throttle.limits()


def test_the_throttle_forgets_whoever_was_tried_longest_ago() -> None:
    """Of more than 10,000 endpoints that were overloaded: deleted ones are not kept for ever."""
    throttle = Throttle()
    for endpoint_id in ("deleted", "tried", *map(str, range(9_998))):
        throttle.note(endpoint_id, Refused(503), max_concurrency=8)
    throttle.note("tried", Delivered(200), max_concurrency=8)
    assert 4 == throttle.limits()["deleted"]

    throttle.note("new", Refused(503), max_concurrency=8)

    assert (10_000, False, 5, 4) == (
        len(throttle.limits()),
        "deleted" in throttle.limits(),
        throttle.limits()["tried"],
        throttle.limits()["new"],
    )


def test_a_hint_reaches_every_listener_until_it_leaves() -> None:
    """Unsubscribing ends the hints of one listener alone."""
    waker = MemoryWaker()
    heard: list[str] = []
    leave = waker.subscribe(lambda: heard.append("one"))
    waker.subscribe(lambda: heard.append("two"))
    waker.wake()
    leave()

    waker.wake()

    assert ["one", "two", "two"] == heard


def test_an_interrupted_attempt_is_logged_with_the_same_fields(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A line of an attempt that nobody finished reads like every other."""
    taken_back = Interrupted("del_1", "msg_1", "ep_1", "app_1", "acc_1", 3, 77)

    with caplog.at_level(logging.INFO, "hookwright.attempt"):
        AttemptLog().interrupted(taken_back)

    assert {
        "delivery": "del_1",
        "message": "msg_1",
        "endpoint": "ep_1",
        "app": "app_1",
        "account": "acc_1",
        "attempt": 3,
        "outcome": "interrupted",
        "status": None,
        "latency_ms": None,
        "decision": "retry",
        "next_attempt_at": 77,
        "trace": None,
    } == caplog.records[0].msg


def test_the_engine_does_the_chores(lab: DeliveryLab) -> None:
    """A running engine erases what has expired and writes down cancellations."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id)
    delivery_id = lab.store.deliver(app_id, endpoint_id)
    lab.store.update(tables.endpoints, endpoint_id, deleted_at=1)
    lab.store.secret(app_id, None, expires_at=1)

    with lab.engine():
        eventually(lambda: lab.store.row(tables.deliveries, delivery_id)["status"] == "cancelled")
        eventually(lambda: len(lab.store.rows(tables.signing_secrets)) == 1)


def test_many_results_come_in_few_batches(lab: DeliveryLab) -> None:
    """A thousand deliveries are claimed and recorded, none twice."""
    app_id = lab.store.app()
    endpoint_ids = [lab.endpoint(app_id, max_concurrency=100) for _ in range(10)]
    for _ in range(100):
        lab.store.database.accept(lab.store.acceptance(app_id, endpoint_ids))
    with lab.engine() as engine:
        lab.settle(engine)

    assert 1_000 == len(lab.sender.requests)
    assert {("delivered", 1)} == {
        (row["status"], row["attempt_count"]) for row in lab.store.rows(tables.deliveries)
    }
    assert 1_000 == len(lab.store.rows(tables.attempts))


def test_a_write_that_fails_does_not_end_the_recording(caplog: pytest.LogCaptureFixture) -> None:
    """A fault costs its own batch, is logged, and the next results are written."""
    sizes: list[int] = []

    async def record_twice() -> None:
        tried = asyncio.Semaphore(0)

        async def write(batch: list[Completed]) -> None:
            sizes.append(len(batch))
            tried.release()
            if len(sizes) == 1:
                raise RuntimeError("a fault")

        buffer = ResultBuffer(write)
        for _ in range(2):
            buffer.add(cast("Completed", object()), hurry=True)
            await tried.acquire()
        await buffer.close()

    asyncio.run(asyncio.wait_for(record_twice(), timeout=10))

    assert [1, 1] == sizes
    assert ["results_fault results=1"] == [record.getMessage() for record in caplog.records]
