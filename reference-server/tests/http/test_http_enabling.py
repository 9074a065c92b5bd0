"""Enabling without a release goes in several transactions, on both back ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from http_lab import Client, OpenLab
from http_postgres import on_postgres
from http_sink import path_to
from service_fixtures import NewDatabase

from hookwright_server.http.idempotency import Idempotency, Keyed
from hookwright_server.services import enabling, endpoints
from hookwright_server.store.idempotency import RecordRow

BACK_ENDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.needs_service("postgres"))]
NOWHERE = "http://127.0.0.1:1/hook"


@pytest.fixture(params=BACK_ENDS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """The owner of an empty server on each back end."""
    if request.param == "sqlite":
        open_lab: OpenLab = request.getfixturevalue("new_lab")
        yield open_lab().client
        return
    new_database: NewDatabase = request.getfixturevalue("new_database")
    with on_postgres(tmp_path, new_database()) as (_, client):
        yield client


def test_very_many_that_are_held_are_cancelled_by_several_requests(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each cancels its part; the endpoint stays disabled until the last one."""
    monkeypatch.setattr(endpoints, "HELD_CANCELLED_IN_A_TRANSACTION", 2)
    monkeypatch.setattr(enabling, "_BATCHES", 1)
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(slug, NOWHERE, active=False)
    held = [client.trigger(slug)["delivery_ids"][0] for _ in range(5)]
    enable, key = f"{path_to(endpoint)}/enable", {"Idempotency_Key": "once"}
    first = client.post(enable, {"release": False}, **key)

    assert (503, "unavailable") == (first.status, first.code)
    assert not client.get(path_to(endpoint)).require(200)["active"]
    assert client.post(enable, {"release": False}, **key).require(200)["active"]
    assert {"not_released"} == {client.delivery(one)["cancel_reason"] for one in held}


def test_a_repeat_that_was_overtaken_cancels_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held anew after the first answer stays held, however slow the repeat was."""
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(slug, NOWHERE, active=False)
    enable, key = f"{path_to(endpoint)}/enable", {"Idempotency_Key": "overtaken"}
    held: list[str] = []
    find = Idempotency.find

    def overtaken(self: Idempotency, keyed: Keyed) -> RecordRow | None:
        found = find(self, keyed)
        monkeypatch.undo()
        client.post(enable, {"release": False}, **key).require(200)
        client.post(f"{path_to(endpoint)}/disable").require(200)
        held.append(client.trigger(slug)["delivery_ids"][0])
        return found

    monkeypatch.setattr(Idempotency, "find", overtaken)
    repeat = client.post(enable, {"release": False}, **key)

    assert (200, "true") == (repeat.status, repeat.headers.get("idempotency-replayed"))
    assert ["held"] == [client.delivery(each)["status"] for each in held]
    assert not client.get(path_to(endpoint)).require(200)["active"]
