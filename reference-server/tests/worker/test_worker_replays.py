"""A replay task outlives the engine that works on it, in both forms of the server."""

from __future__ import annotations

import datetime as dt
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from worker_lab import APP, Production, until

from hookwright import Hookwright
from hookwright.models import ReplayTask, TriggerSend
from hookwright_benchmarks.kill_campaign.server import Server

# A step looks at 500 deliveries: there are enough of them to be killed amidst.
_BATCHES, _IN_A_BATCH = 6, 500
_COUNT = _BATCHES * _IN_A_BATCH
_EVENT = TriggerSend(event_name="order.paid", payload={})
# A busy machine may not get to kill it before the task is over: then another one is begun.
_TRIES = 5
_LONG_AGO = dt.timedelta(days=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The embedded form."""
    server = Server(tmp_path)
    server.start()
    yield server
    server.close()


def _cancelled_deliveries(client: Hookwright) -> None:
    """Deliveries that have ended, to an endpoint that is disabled: their replays only wait."""
    endpoint = client.endpoints.create(APP, url="http://127.0.0.1:9/", active=False)
    for _ in range(_BATCHES):
        client.trigger.send_batch(APP, events=[_EVENT] * _IN_A_BATCH)
    client.endpoints.enable(APP, endpoint.id, release=False)
    client.endpoints.disable(APP, endpoint.id)
    until(lambda: _replay(client, dry_run=True).total_count == _COUNT)


def _replay(client: Hookwright, *, dry_run: bool = False) -> ReplayTask:
    return client.deliveries.create_replay(
        APP, after=dt.datetime.now(dt.UTC) - _LONG_AGO, statuses=["cancelled"], dry_run=dry_run
    )


def _has_begun(client: Hookwright, task: ReplayTask) -> None:
    until(lambda: client.deliveries.get_replay(APP, task.id).processed_count)


def _completed(client: Hookwright, task: ReplayTask) -> tuple[int, int, int]:
    """Total, replayed and skipped, once it is completed."""
    until(lambda: client.deliveries.get_replay(APP, task.id).status == "completed")
    found = client.deliveries.get_replay(APP, task.id)
    return found.total_count, found.replayed_count, found.skipped_count


def _times_replayed(client: Hookwright) -> Counter[int]:
    """How many deliveries were replayed how many times."""
    rows = client.deliveries.list(APP, limit=100)
    replays = Counter(each.replay_of for each in rows if each.replay_of)
    return Counter(replays.values())


def test_a_killed_server_goes_on_with_a_replay_task(server: Server) -> None:
    """After its start it replays what was left, and nothing twice."""
    with Hookwright(server.api_key, base_url=server.base_url) as client:
        client.apps.create(name="Lab", slug=APP)
        _cancelled_deliveries(client)
        tries = 0
        while True:
            tries += 1
            task = _replay(client)
            _has_begun(client, task)
            server.kill("group")
            status, processed = _stored(server, task)
            server.start()
            ended = _completed(client, task)
            if status == "running" or tries == _TRIES:
                break

        assert ("running", True) == (status, 0 < processed < _COUNT)
        assert (_COUNT, _COUNT, 0) == ended
        assert {tries: _COUNT} == _times_replayed(client)


def _stored(server: Server, task: ReplayTask) -> tuple[str, int]:
    with closing(sqlite3.connect(server.database)) as database:
        select = "SELECT status, processed_count FROM replay_tasks WHERE id = ?"
        status, processed = database.execute(select, (task.id,)).fetchone()
    return status, processed


@pytest.mark.needs_service("postgres")
@pytest.mark.needs_service("redis")
def test_another_worker_goes_on_with_a_replay_task(production: Production) -> None:
    """The first is killed amidst it; the second replays what was left, and nothing twice."""
    worker = production.start_worker()
    _cancelled_deliveries(production.client)
    tries = 0
    while True:
        tries += 1
        task = _replay(production.client)
        _has_begun(production.client, task)
        worker.signal(signal.SIGKILL)
        worker.ended()
        left = production.client.deliveries.get_replay(APP, task.id)
        worker = production.start_worker()
        ended = _completed(production.client, task)
        if left.status == "running" or tries == _TRIES:
            break

    assert ("running", True) == (left.status, 0 < left.processed_count < _COUNT)
    assert (_COUNT, _COUNT, 0) == ended
    assert {tries: _COUNT} == _times_replayed(production.client)
