"""Replay tasks: by ids and by range, counted, cancelled, and each delivery once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from http_lab import Answer, Client, Document, Lab, OpenLab, eventually
from http_sink import ONCE, Open, parsed, reply

from hookwright_server.services import replays
from hookwright_server.store import replay_steps

NOWHERE = "http://127.0.0.1:1/hook"
LONG_AGO = "2000-01-01T00:00:00Z"


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def task_of(client: Client, slug: str, **body: Any) -> Document:
    """A new task."""
    task: Document = client.post(f"/v1/apps/{slug}/replays", body).require(202)
    return task


def completed(client: Client, slug: str, task: Document) -> Document:
    """The task once it is completed."""
    found: Document = eventually(
        lambda: client.get(f"/v1/apps/{slug}/replays/{task['id']}").require(200),
        lambda shown: shown["status"] == "completed",
    )
    return found


def counts(task: Document) -> tuple[int, int, int, int]:
    """Total, processed, replayed and skipped."""
    total, processed, replayed, skipped = (
        task[f"{name}_count"] for name in ("total", "processed", "replayed", "skipped")
    )
    return total, processed, replayed, skipped


def replays_of(client: Client, slug: str) -> list[str]:
    """The ids of what was replayed, once for each time."""
    rows = client.get(f"/v1/apps/{slug}/deliveries?limit=100").require(200)["data"]
    return sorted(row["replay_of"] for row in rows if row["replay_of"])


def since(client: Client, delivery_id: str, seconds: float = 0) -> str:
    """The instant at which a delivery was made, or so much later."""
    at = parsed(client.delivery(delivery_id)["created_at"]) + timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_named_deliveries_are_replayed(client: Client, slug: str, sink: Open) -> None:
    """Those that have ended; a waiting one and one of nobody are skipped."""
    receiver = sink(reply(200))
    client.new_endpoint(slug, receiver.url)
    client.new_endpoint(slug, NOWHERE, active=False)
    sent = [client.trigger(slug) for _ in range(3)]
    done = [one["delivery_ids"][0] for one in sent]
    for each in done:
        client.finished(each, "delivered")
    made = task_of(client, slug, delivery_ids=[*done, sent[0]["delivery_ids"][1], "del_nobodys"])
    task = completed(client, slug, made)

    assert ("queued", (5, 0, 0, 0), None) == (made["status"], counts(made), made["started_at"])
    assert (5, 5, 3, 2) == counts(task)
    assert task["created_at"] <= task["started_at"] <= task["completed_at"]
    assert sorted(done) == replays_of(client, slug)
    receiver.wait_for(6)
    assert 3 == len({got.message_id for got in receiver.got})


def test_a_range_is_replayed(lab: Lab, sink: Open) -> None:
    """By time, status, event and endpoint, the oldest first, at most so many."""
    client, receiver = lab.client, sink(reply(500))
    slug = client.new_app()["slug"]
    one, two = (client.new_endpoint(slug, receiver.url, retry_policy=ONCE)["id"] for _ in "ab")
    sent: list[str] = []
    for name in ("a.a", "a.b", "a.b", "a.b"):
        client.advance("PT10S")
        sent += client.trigger(slug, event_name=name)["delivery_ids"]
    for each in sent:
        client.finished(each, "dead_letter")
    client.advance("PT10S")
    after, before = since(client, sent[2]), since(client, sent[6])
    receiver.answer_with(reply(200))

    def dry(**body: Any) -> int:
        task = task_of(client, slug, dry_run=True, **body)
        assert ("completed", True) == (task["status"], task["dry_run"])
        assert 404 == client.get(f"/v1/apps/{slug}/replays/{task['id']}").status
        total: int = task["total_count"]
        return total

    assert (8, 6, 4) == (
        dry(after=since(client, sent[0])),
        dry(after=after),
        dry(after=after, before=before),
    )
    assert (3, 3, 2, 0, 6) == (
        dry(after=after, endpoint_id=one),
        dry(after=after, endpoint_id=two, event_name="a.b"),
        dry(after=since(client, sent[0]), event_name="a.a"),
        dry(after=after, statuses=["delivered", "cancelled"]),
        dry(after=after, statuses=["dead_letter"]),
    )
    assert [] == replays_of(client, slug)
    task = completed(client, slug, task_of(client, slug, after=after, max_count=4))
    assert (4, 4, 4, 0) == counts(task)
    assert sorted(sent[2:6]) == replays_of(client, slug)


def test_a_dry_run_leaves_the_key_unused(client: Client, slug: str) -> None:
    """It is counted anew each time, and the key then makes a task."""
    body: Document = {"delivery_ids": ["del_none"]}
    path, key = f"/v1/apps/{slug}/replays", {"Idempotency_Key": "dry"}
    dry = [client.post(path, {**body, "dry_run": True}, **key) for _ in range(2)]
    task, again = (client.post(path, body, **key).require(202) for _ in range(2))

    assert [(202, None)] * 2 == [(a.status, a.headers.get("idempotency-replayed")) for a in dry]
    assert (False, task["id"]) == (task["dry_run"], again["id"])


def test_replays_are_outside_the_range_that_makes_them(client: Client, slug: str) -> None:
    """What is made while the task runs is not replayed by it, whatever its range says."""
    client.new_endpoint(slug, NOWHERE, retry_policy=ONCE)
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.finished(delivery, "dead_letter")
    after = since(client, delivery)
    task = task_of(client, slug, after=after, before=since(client, delivery, 86_400))
    task = completed(client, slug, task)

    assert (1, 1, 1, 0) == counts(task)
    assert [delivery] == replays_of(client, slug)


def test_a_range_in_which_too_little_fits_is_refused(
    client: Client, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many deliveries are looked at; those that failed are found without the others."""
    client.new_endpoint(slug, NOWHERE, active=False)
    sent = [client.trigger(slug)["delivery_ids"][0] for _ in range(3)]
    client.advance("PT1S")
    monkeypatch.setattr(replay_steps, "LOOKED_AT", 2)
    monkeypatch.setattr(replay_steps, "_COUNTED_AT_ONCE", 1)
    body = {"after": since(client, sent[0]), "dry_run": True}
    refused = client.post(f"/v1/apps/{slug}/replays", body | {"statuses": ["delivered"]})
    failed = task_of(client, slug, **body, statuses=["unsuccessful"])

    assert (400, "validation_error") == (refused.status, refused.json["code"])
    assert ["/after"] == [each["pointer"] for each in refused.json["errors"]]
    assert "Shorten it" in refused.json["errors"][0]["message"]
    assert 0 == failed["total_count"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/after"),
        ({"before": LONG_AGO}, "/after"),
        ({"after": LONG_AGO}, "/after"),
        ({"after": LONG_AGO, "before": "2000-02-01T00:00:00.001Z"}, "/after"),
        ({"delivery_ids": ["del_x"], "after": LONG_AGO}, "/delivery_ids"),
        ({"delivery_ids": ["del_x"], "max_count": 1}, "/delivery_ids"),
        ({"delivery_ids": []}, "/delivery_ids"),
        ({"delivery_ids": [f"del_{number}" for number in range(501)]}, "/delivery_ids"),
        ({"after": LONG_AGO, "max_count": 10_001}, "/max_count"),
        ({"after": LONG_AGO, "statuses": ["pending"]}, "/statuses/0"),
        ({"after": LONG_AGO, "statuses": []}, "/statuses"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_contradictory_task_is_refused(
    client: Client, slug: str, body: Document, pointer: str
) -> None:
    """400 that points at what is wrong."""
    answer = client.post(f"/v1/apps/{slug}/replays", body)

    assert (400, "validation_error", pointer) == (
        answer.status,
        answer.code,
        answer.faults[0][0],
    )


def test_a_range_of_31_days_is_taken(client: Client, slug: str) -> None:
    """To the millisecond, and with offsets."""
    body = {"after": "2000-01-01T01:00:00+01:00", "before": "2000-02-01T00:00:00Z"}

    assert 0 == task_of(client, slug, **body)["total_count"]


def test_a_task_is_cancelled(lab: Lab) -> None:
    """Nothing more is replayed; cancelling again, or what has ended, changes nothing."""
    client = lab.client
    slug = client.new_app()["slug"]
    lab.server.engine.stop(0)
    task = task_of(client, slug, delivery_ids=["del_x"])
    path = f"/v1/apps/{slug}/replays/{task['id']}"
    cancelled = client.post(f"{path}/cancel").require(200)

    assert ("cancelled", 0) == (cancelled["status"], cancelled["processed_count"])
    assert cancelled["completed_at"] is not None
    assert cancelled == client.post(f"{path}/cancel").require(200) == client.get(path).json
    listed = client.get(f"/v1/apps/{slug}/replays?include_total=true").require(200)
    assert ([cancelled], 1) == (listed["data"], listed["total_count"])


def test_one_key_makes_one_task(client: Client, slug: str) -> None:
    """The repeat gets the first answer."""
    body: Document = {"delivery_ids": ["del_x"]}
    path = f"/v1/apps/{slug}/replays"
    first, again = (client.post(path, body, Idempotency_Key="k") for _ in range(2))

    assert first.require(202) == again.require(202)
    assert "true" == again.headers["idempotency-replayed"]
    assert 1 == len(client.get(path).json["data"])


def test_a_repeat_is_answered_when_the_range_has_grown_too_long(lab: Lab) -> None:
    """An open range of nearly 31 days: the repeat minutes later still gets the stored answer."""
    client = lab.client
    app = client.new_app()
    after = parsed(app["created_at"]) - timedelta(days=31) + timedelta(minutes=1)
    body: Document = {"after": after.isoformat()}
    path = f"/v1/apps/{app['slug']}/replays"
    first = client.post(path, body, Idempotency_Key="k")
    client.advance("PT2M")
    again = client.post(path, body, Idempotency_Key="k")

    assert first.require(202) == again.require(202)
    assert "true" == again.headers["idempotency-replayed"]
    assert (422, "idempotency_key_reused") == (
        (other := client.post(path, body | {"max_count": 1}, Idempotency_Key="k")).status,
        other.code,
    )
    assert 400 == client.post(path, body, Idempotency_Key="other").status


def test_few_ranges_of_an_account_are_counted_at_a_time(
    new_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more is told to come again; named deliveries need no counting."""
    monkeypatch.setattr(replays, "_COUNTED_AT_A_TIME_OF_ONE_ACCOUNT", 1)
    client = new_lab().client
    path = f"/v1/apps/{client.new_app()['slug']}/replays"
    a_range: Document = {"after": LONG_AGO, "before": "2000-01-02T00:00:00Z", "dry_run": True}
    count, beside = replay_steps.count, list[Answer]()

    def meanwhile(*given: Any) -> int | None:
        beside.append(client.post(path, a_range))
        beside.append(client.post(path, {"delivery_ids": ["del_x"], "dry_run": True}))
        return count(*given)

    monkeypatch.setattr(replay_steps, "count", meanwhile)
    first = client.post(path, a_range)

    assert (202, [503, 202]) == (first.status, [each.status for each in beside])
    assert ("unavailable", "1") == (beside[0].code, beside[0].headers["retry-after"])
