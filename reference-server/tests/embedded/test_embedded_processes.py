"""`serve` as its user runs it: one command, one process for requests and one for the engine."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from hookwright import Hookwright
from hookwright_benchmarks.kill_campaign.campaign import RESUME_LIMIT_S, Plan, Stage, staged
from hookwright_benchmarks.kill_campaign.history import judge
from hookwright_benchmarks.kill_campaign.publishers import APP, EVENT
from hookwright_benchmarks.kill_campaign.server import until
from hookwright_benchmarks.kill_campaign.sink import Behaviour

_PATIENCE_S = 240.0
_KILLS = 5


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A server with three endpoints, and publishers that have not begun."""
    with staged(tmp_path, Plan(kills=0, seed=1)) as stage:
        yield stage


def test_killing_the_engine_loses_nothing(stage: Stage) -> None:
    """It is begun anew and goes on with what was in flight; meanwhile every event is accepted."""
    for publisher in stage.publishers:
        publisher.start()
    pids = [stage.server.engine_pids]
    for _ in range(_KILLS):
        stage.kill("engine")
        stage.server.restart()
        pids.append(stage.server.engine_pids)
    stage.drain()
    code = stage.server.stop()
    verdict = judge(stage.history())

    assert _KILLS + 1 == len({pid for (pid,) in pids})
    assert {} == verdict.faults
    assert verdict.in_flight >= _KILLS
    assert max(verdict.resumed_after_s) <= 2 * RESUME_LIMIT_S  # on a busy machine
    assert 0 == verdict.publishes["unknown"]
    assert 0 == code


def test_the_test_clock_moves_both_processes(tmp_path: Path) -> None:
    """When it has been moved, every retry on the way has been made, at its own time."""
    behaviours = {"failing": Behaviour(failing=1.0)}
    environment = {"HOOKWRIGHT_TEST_CLOCK": "1"}
    with staged(tmp_path, Plan(kills=0, seed=1, behaviours=behaviours), environment) as stage:
        with Hookwright(stage.server.api_key, base_url=stage.server.base_url) as client:
            [endpoint_id] = stage.names
            client.endpoints.update(
                APP,
                endpoint_id,
                retry_policy={"delays_seconds": [3600, 7200], "max_attempts": 3, "jitter": 0},
            )
            sent = client.trigger.send(APP, event_name=EVENT, payload={"key": "later"})
            (waiting,) = client.deliveries.list(APP, message_id=sent.message_id)
            moved = httpx.post(
                f"{stage.server.base_url}/_test/clock",
                json={"advance": "PT4H"},
                headers={"Authorization": f"Bearer {stage.server.api_key}"},
                timeout=240,
            )
            attempts = list(client.deliveries.list_attempts(APP, waiting.id))
            (delivery,) = client.deliveries.list(APP, message_id=sent.message_id)
        gaps = list(pairwise(sorted(attempt.created_at for attempt in attempts)))

    assert 200 == moved.status_code
    assert "dead_letter" == delivery.status
    assert [36, 72] == [(later - earlier).total_seconds() // 100 for earlier, later in gaps]


def test_metrics_are_those_of_both_processes(tmp_path: Path) -> None:
    """Whichever of them is asked tells of accepted messages and of attempts."""
    port = _free_port()
    environment = {"HOOKWRIGHT_METRICS_LISTEN": f"127.0.0.1:{port}"}
    with staged(tmp_path, Plan(kills=0, seed=1), environment) as stage:
        with Hookwright(stage.server.api_key, base_url=stage.server.base_url) as client:
            client.trigger.send(APP, event_name=EVENT, payload={"key": "counted"})
        pages: list[str] = []

        def counted() -> bool:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/metrics")
            pages.append(connection.getresponse().read().decode())
            connection.close()
            return _value(pages[-1], 'hookwright_attempts_total{outcome="delivered"}') >= 2

        until(counted, _PATIENCE_S, "the attempts are not told of")

    assert 1 == _value(pages[-1], "hookwright_messages_accepted_total")


def _value(page: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_both_processes_log(tmp_path: Path) -> None:
    """A request leaves its line, and so does each attempt."""
    environment = {"HOOKWRIGHT_LOG_LEVEL": "info", "HOOKWRIGHT_LOG_PUBLISHED_SHARE": "1"}
    behaviours = {"prompt": Behaviour()}
    with staged(tmp_path, Plan(kills=0, seed=1, behaviours=behaviours), environment) as stage:
        with Hookwright(stage.server.api_key, base_url=stage.server.base_url) as client:
            sent = client.trigger.send(APP, event_name=EVENT, payload={"key": "logged"})
        attempted = f"message={sent.message_id} "
        until(lambda: attempted in stage.server.errors.read_text(), _PATIENCE_S, "no attempt")
        stage.server.stop()
        log = stage.server.errors.read_text()

    assert 1 == len(re.findall(rf"{attempted}.* outcome=delivered", log))
    assert 1 == len(re.findall(r"operation=trigger\.send .* status=202", log))
