"""`api` as real processes on a real Postgres and Redis."""

from __future__ import annotations

import http.client
import json
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from service_fixtures import RunningService, StartService
from worker_lab import APP, Process, Production, Receiver, until

from hookwright import HookwrightError

pytestmark = pytest.mark.needs_service("postgres", "redis")

Make = Callable[[str], Production]


@pytest.fixture
def own_redis(start_service: StartService) -> RunningService:
    """A Redis that only this test uses, and may stop."""
    return start_service("redis", save="")


def _ready(production: Production) -> tuple[int, Any]:
    address = production.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def _changed_pids(api: Process) -> list[int]:
    assert api.popen.stdout is not None
    pids: list[int] = json.loads(api.popen.stdout.readline())["worker_pids"]
    return pids


def test_api_works_without_redis_and_workers(
    make_production: Make, own_redis: RunningService, receiver: Receiver
) -> None:
    """Events are accepted and kept; only the word about Redis and workers changes."""
    production = make_production(own_redis.url)
    production.start_api(2)
    production.endpoint(receiver)
    checks = [_ready(production)[1]["checks"]]
    own_redis.stop()
    until(lambda: "failing" == _ready(production)[1]["checks"]["redis"])
    published = production.publish(5)
    checks.append(_ready(production)[1]["checks"])
    pending = production.client.deliveries.list(APP, status=["pending"])

    needed = {"database": "ok", "migrations": "ok"}
    assert [
        needed | {"redis": "ok", "worker": "failing"},
        needed | {"redis": "failing", "worker": "failing"},
    ] == checks
    assert sorted(published) == sorted(delivery.message_id for delivery in pending)
    assert [] == receiver.received


def test_api_sends_test_events_by_itself(production: Production, receiver: Receiver) -> None:
    """`endpoints.test` needs no worker; a published event does."""
    endpoint_id = production.endpoint(receiver)
    production.publish()

    result = production.client.endpoints.test(APP, endpoint_id, event_name="order.paid", payload={})

    assert (True, 1) == (result.success, len(receiver.received))


def test_a_renewal_under_load_accepts_every_event(
    make_production: Make, redis_url: str, receiver: Receiver
) -> None:
    """SIGHUP while events are published, without a retry by the client: no request fails."""
    production = make_production(redis_url)
    plenty = str(10**6)
    api = production.start_api(
        2, HOOKWRIGHT_REQUESTS_PER_MINUTE=plenty, HOOKWRIGHT_MESSAGES_PER_SECOND=plenty
    )
    production.endpoint(receiver)
    over, published, failed = threading.Event(), list[str](), list[Exception]()
    client = production.client.with_options(max_retries=0)

    def publish() -> None:
        while not over.is_set():
            try:
                sent = client.trigger.send(APP, event_name="order.paid", payload={})
            except HookwrightError as error:
                failed.append(error)
                return
            published.append(sent.message_id)

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(published) > 40)
    api.signal(signal.SIGHUP)
    _changed_pids(api)
    _changed_pids(api)
    seen = len(published)
    until(lambda: failed or len(published) > seen + 40)
    over.set()
    for thread in threads:
        thread.join()
    kept = {delivery.message_id for delivery in client.deliveries.list(APP, limit=100)}

    assert [] == failed
    assert set(published) == kept
    assert 0 == api.stop()
