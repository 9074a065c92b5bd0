"""Workers as processes: who delivers, who shares, and what their end costs."""

# pyright: reportUnknownMemberType=false
# redis is typed in part only.
from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest
from service_fixtures import NewDatabase, StartService
from worker_lab import APP, PreparedDatabase, Process, Production, Receiver, receiving, until

from hookwright_server.delivery.redis_waker import connect

pytestmark = [pytest.mark.needs_service("postgres"), pytest.mark.needs_service("redis")]

# On a quiet machine half of this, most of which is the wait for the dead worker's session.
_TAKEN_OVER_S = 30.0


def _statuses(production: Production) -> Counter[str]:
    return Counter(each.status for each in production.client.deliveries.list(APP, limit=100))


def _draining(redis_url: str) -> int:
    """How many workers are at a job, as RQ tells it."""
    redis = connect(redis_url)
    workers = cast("list[str]", redis.keys("rq:worker:*"))
    return sum(redis.hget(key, "state") == b"busy" for key in workers)


def test_nothing_is_sent_without_a_worker(
    production: Production, receiver: Receiver, redis_url: str
) -> None:
    """Events are accepted, one job waits, and once a worker starts each event is sent once."""
    production.endpoint(receiver)
    sent = production.publish(5)
    redis = connect(redis_url)
    until(lambda: redis.llen("rq:queue:hookwright"))
    time.sleep(2.5)  # longer than any engine waits to look
    before = list(receiver.received)

    production.start_worker()
    until(lambda: len(receiver.received) >= 5)

    assert [] == before
    assert sorted(sent) == sorted(receiver.received)


def test_a_worker_may_start_before_the_tables(
    tmp_path: Path, new_database: NewDatabase, redis_url: str
) -> None:
    """It waits and says why, and delivers once they are there."""
    url = new_database()
    with ExitStack() as stack, receiving() as receiver:
        production = Production(tmp_path, url, "", redis_url, stack)
        worker = production.start_worker()
        until(lambda: "hookwright-server migrate" in worker.log.read_text())
        prepare = PreparedDatabase()
        prepare(url)
        production.key = prepare.key
        production.start_api()
        production.endpoint(receiver)
        sent = production.publish()
        until(lambda: receiver.received)

        assert sent == receiver.received
        assert 0 == worker.stop()


def test_flushall_costs_seconds(production: Production, receiver: Receiver, redis_url: str) -> None:
    """Whatever Redis forgets, everything is delivered, once."""
    production.endpoint(receiver)
    production.start_worker()
    redis = connect(redis_url)
    sent: list[str] = []
    for _ in range(20):
        sent += production.publish(5)
        redis.flushdb()
    flushed_at = time.monotonic()
    until(lambda: len(receiver.received) >= len(sent))
    took_s = time.monotonic() - flushed_at

    assert Counter(sent) == Counter(receiver.received)
    assert took_s < _TAKEN_OVER_S


def test_redis_may_be_killed_and_come_back(
    make_production: Callable[[str], Production],
    receiver: Receiver,
    start_service: StartService,
    tmp_path: Path,
) -> None:
    """No request fails and no delivery waits for it, not even with a worker that begins then."""
    folder = tmp_path / "redis"
    redis = start_service("redis", folder=folder)
    production = make_production(redis.url)
    production.start_api()
    production.endpoint(receiver)
    production.start_worker()
    sent = production.publish(5)
    until(lambda: len(receiver.received) >= 5)

    redis.stop()
    began = time.monotonic()
    sent += production.publish(20)
    published_s = time.monotonic() - began
    until(lambda: len(receiver.received) >= 25)
    late = production.start_worker()
    sent += production.publish(20)
    until(lambda: len(receiver.received) >= 45)
    start_service("redis", folder=folder, port=redis.port)
    again = connect(redis.url)
    until(lambda: len(again.keys("rq:worker:*")) >= 2)
    sent += production.publish(20)
    until(lambda: len(receiver.received) >= 65)

    assert Counter(sent) == Counter(receiver.received)
    assert published_s < 20.0  # of twenty: not each waited a second for it
    assert late.popen.poll() is None


def _delivered(worker: Process) -> int:
    return worker.log.read_text().count("outcome=delivered")


def test_workers_share_the_load_and_the_limits(
    production: Production, receiver: Receiver, redis_url: str
) -> None:
    """Both deliver, and an endpoint gets no more at a time than it allows, from all together."""
    receiver.answers_after_s = 0.02
    production.endpoint(receiver, max_concurrency=6)
    workers = [production.start_worker(), production.start_worker()]
    until(lambda: _draining(redis_url) == 2)
    sent = production.publish(200)
    while not all(map(_delivered, workers)):  # a busy machine may keep one of them waiting
        sent += production.publish(20)
    until(lambda: len(receiver.received) >= len(sent))
    for worker in workers:
        assert 0 == worker.stop()

    assert Counter(sent) == Counter(receiver.received)
    assert receiver.most_at_once <= 6
    assert len(sent) == sum(map(_delivered, workers))


def test_sigterm_lets_attempts_end(production: Production, receiver: Receiver) -> None:
    """The worker claims no more, records what was under way, and another goes on without delay."""
    receiver.hold()
    production.endpoint(receiver, max_concurrency=5)
    first = production.start_worker()
    sent = production.publish(10)
    until(lambda: len(receiver.received) >= 5)

    first.signal(signal.SIGTERM)
    second = production.start_worker()
    time.sleep(1.5)  # the second would claim, were the slots not taken
    held = len(receiver.received)
    receiver.let_go()
    code = first.ended()
    until(lambda: len(receiver.received) >= 10)
    until(lambda: {"delivered": 10} == _statuses(production))

    assert (5, 0) == (held, code)
    assert Counter(sent) == Counter(receiver.received)
    assert 0 == second.stop()


@pytest.mark.parametrize("after_s", [0.05, 1.0])
def test_a_second_sigterm_does_not_wait(
    production: Production, receiver: Receiver, after_s: float
) -> None:
    """What was under way counts as interrupted and is sent again at once.

    However soon it comes: whether the slice has ended by then, or not.
    """
    receiver.hold()
    production.endpoint(receiver)
    first = production.start_worker()
    [sent] = production.publish()
    until(lambda: receiver.received)

    first.signal(signal.SIGTERM)
    time.sleep(after_s)
    first.signal(signal.SIGTERM)
    try:
        code = first.ended(8.0)
    except subprocess.TimeoutExpired:  # on a busy machine the two may have been one to it
        first.signal(signal.SIGTERM)
        code = first.ended(18.0)  # an attempt may take 30 s
    receiver.let_go()
    production.start_worker()
    until(lambda: {"delivered": 1} == _statuses(production))

    assert 0 == code
    assert "Traceback" not in first.log.read_text()
    assert [sent, sent] == receiver.received


def test_a_killed_worker_is_replaced_by_the_other(
    production: Production, receiver: Receiver
) -> None:
    """What it had under way is sent by the other before long."""
    receiver.hold()
    production.endpoint(receiver, max_concurrency=5)
    first = production.start_worker()
    sent = production.publish(5)
    until(lambda: len(receiver.received) >= 5)
    production.start_worker()

    first.signal(signal.SIGKILL)
    killed_at = time.monotonic()
    receiver.let_go()
    until(lambda: len(receiver.received) >= 10)
    took_s = time.monotonic() - killed_at
    until(lambda: {"delivered": 5} == _statuses(production))

    assert Counter(sent + sent) == Counter(receiver.received)
    assert took_s <= _TAKEN_OVER_S


def test_a_stopped_worker_changes_nothing_when_it_goes_on(
    production: Production, receiver: Receiver
) -> None:
    """Its session is dead by then: its results are stale, and it begins a new session."""
    receiver.hold()
    production.endpoint(receiver)
    first = production.start_worker()
    [sent] = production.publish()
    until(lambda: receiver.received)
    first.signal(signal.SIGSTOP)
    second = production.start_worker()
    until(lambda: len(receiver.received) >= 2)
    receiver.let_go()
    until(lambda: {"delivered": 1} == _statuses(production))
    [delivery] = list(production.client.deliveries.list(APP, limit=10))
    attempts = list(production.client.deliveries.list_attempts(APP, delivery.id))

    first.signal(signal.SIGCONT)
    until(lambda: "session_lost" in first.log.read_text())
    assert 0 == second.stop()
    later = production.publish()
    until(lambda: len(receiver.received) >= 3)

    assert [sent, sent, *later] == receiver.received
    assert attempts == list(production.client.deliveries.list_attempts(APP, delivery.id))
    assert 0 == first.stop()
