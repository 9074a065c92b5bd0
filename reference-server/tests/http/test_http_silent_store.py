"""What callers are told while the database does not answer, or has too much to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest
from http_lab import Answer, Client
from http_postgres import on_postgres, stopped

from hookwright_server.store import postgres
from hookwright_server.store.postgres import PostgresTimeouts

if TYPE_CHECKING:
    from pathlib import Path

    from service_fixtures import StartService

QUICK = partial(PostgresTimeouts, connect_s=2, answer_s=1.0, place_s=1.0)
# What may come together for one request: a wait for its turn, for a connection and for an answer,
# when it reads and once more when it writes.
BOUND_S = 60.0
PUBLISHERS = 12


def _publish(client: Client, slug: str, number: int) -> Answer:
    event = {"event_name": "order.paid", "payload": {"number": number}}
    return client.post(f"/v1/apps/{slug}/trigger", event, idempotency_key=f"key-{number}")


@pytest.mark.needs_service("postgres")
def test_silent_postgres_is_a_503_in_time_and_then_forgotten(
    start_service: StartService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request is 503 with Retry-After in time; repeated afterwards, each has one effect."""
    monkeypatch.setattr(postgres, "PostgresTimeouts", QUICK)
    service = start_service("postgres", fsync="off")
    with on_postgres(tmp_path, service.url) as (_, client), ThreadPoolExecutor(32) as pool:
        slug = _insist(lambda: client.post("/v1/apps", {"name": "Silent"})).require(201)["slug"]
        _insist(partial(_publish, client, slug, -1)).require(202)
        with stopped(service):
            began = time.monotonic()
            asked = [pool.submit(_publish, client, slug, number) for number in range(PUBLISHERS)]
            asked += [pool.submit(client.get, "/v1/apps") for _ in range(4)]
            asked += [pool.submit(client.patch, f"/v1/apps/{slug}", {"name": "x"})]
            answers = [each.result() for each in asked]
            took_s = time.monotonic() - began

        _insist(lambda: client.patch(f"/v1/apps/{slug}", {"name": "y"})).require(200)
        for number in range(PUBLISHERS):
            _insist(partial(_publish, client, slug, number)).require(202)
        messages = client.get(f"/v1/apps/{slug}/messages?include_total=true").require(200)

    assert {(503, "unavailable", "1")} == {
        (each.status, each.code, each.headers["retry-after"]) for each in answers
    }
    assert took_s < BOUND_S
    assert PUBLISHERS + 1 == messages["total_count"]


def _insist(ask: Callable[[], Answer]) -> Answer:
    """As callers do: on a busy machine Postgres may take longer than a second at any time."""
    give_up_at = time.monotonic() + BOUND_S
    while (answer := ask()).status == 503:
        assert time.monotonic() < give_up_at
    return answer
