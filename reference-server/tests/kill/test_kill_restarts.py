"""Orderly stops, restarts and second servers, with real processes under real load."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookwright import Hookwright
from hookwright_benchmarks.kill_campaign.campaign import Plan, Stage, staged
from hookwright_benchmarks.kill_campaign.history import judge
from hookwright_benchmarks.kill_campaign.publishers import APP, EVENT
from hookwright_benchmarks.kill_campaign.server import Server, until

_PATIENCE_S = 240.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A server with three endpoints, and publishers that have not begun."""
    with staged(tmp_path, Plan(kills=0, seed=1)) as stage:
        yield stage


@pytest.fixture
def client(stage: Stage) -> Iterator[Hookwright]:
    """The SDK on the stage's server."""
    with Hookwright(stage.server.api_key, base_url=stage.server.base_url) as client:
        yield client


def _publish(stage: Stage) -> None:
    for publisher in stage.publishers:
        publisher.start()


def test_sigterm_under_load_is_graceful(stage: Stage) -> None:
    """Nothing is lost, cut off, sent twice or left without an answer."""
    _publish(stage)
    until(stage.under_load, _PATIENCE_S, "no work in flight")

    code = stage.server.stop()
    cut_off = [receipt for receipt in stage.sink.receipts() if receipt.cut_at is not None]
    stage.server.start()
    stage.drain()
    verdict = judge(stage.history())

    assert 0 == code
    assert [] == cut_off
    assert {} == verdict.faults
    assert (0, 0) == (verdict.duplicates, verdict.publishes["unknown"])


def test_held_deliveries_survive_a_kill(stage: Stage, client: Hookwright) -> None:
    """A disabled endpoint's deliveries are held across the kill and go out when it is enabled."""
    [held_id] = [key for key, name in stage.names.items() if name == "prompt"]
    client.endpoints.disable(APP, held_id)
    sent = client.trigger.send(APP, event_name=EVENT, payload={"key": "held"})
    stage.server.kill("group")
    stage.server.start()
    before = [
        delivery.status
        for delivery in client.deliveries.list(APP, message_id=sent.message_id)
        if delivery.endpoint_id == held_id
    ]

    client.endpoints.enable(APP, held_id)
    until(
        lambda: (
            ("prompt", sent.message_id)
            in {(receipt.endpoint, receipt.message_id) for receipt in stage.sink.receipts()}
        ),
        _PATIENCE_S,
        "the held delivery was not received",
    )

    assert ["held"] == before


def test_a_second_server_is_refused(stage: Stage, client: Hookwright, tmp_path: Path) -> None:
    """It says who has the database, ends with 1, and the first one does not notice."""
    second = Server(tmp_path)

    with second.launch() as process:
        code = process.wait(_PATIENCE_S)
    said = second.errors.read_text()
    sent = client.trigger.send(APP, event_name=EVENT, payload={"key": "still here"})

    assert 1 == code
    assert f"is in use by process {stage.server.worker_pid}" in said
    assert "Traceback" not in said
    assert sent.message_id.startswith("msg_")


def test_commits_reach_the_disk(stage: Stage) -> None:
    """While the server runs, its doctor finds WAL with synchronous=FULL, and all well."""
    report = json.loads(stage.server.command("doctor", "--json").stdout)

    assert ("wal", "FULL") == (report["journal_mode"], report["synchronous"])
    assert (True, stage.server.worker_pid, []) == (
        report["ok"],
        report["server_pid"],
        report["findings"],
    )
