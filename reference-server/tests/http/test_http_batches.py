"""Batches: each event by itself, one key for the whole, nothing twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from http_lab import JSON, Answer, Client, Document, Lab, OpenLab
from http_sink import Open, reply

from hookwright_server.http.idempotency import Idempotency
from hookwright_server.services import trigger
from hookwright_server.services.catalogue import EventSchemas
from hookwright_server.services.trigger import Trigger
from hookwright_server.store.acceptance import Acceptance
from hookwright_server.store.errors import StaleSubscriptions, StoreUnavailable
from hookwright_server.store.sqlite import SqliteDatabase

NOWHERE = "http://127.0.0.1:1/hook"


def batch(client: Client, slug: str, events: Any, **headers: str) -> Answer:
    """Publish a batch."""
    return client.post(f"/v1/apps/{slug}/trigger/batch", {"events": events}, **headers)


def event(**fields: Any) -> Document:
    """An event that any app accepts."""
    return {"event_name": "order.paid", "payload": {}, **fields}


def published(client: Client, slug: str) -> int:
    """How many messages the app has."""
    total: int = client.get(f"/v1/apps/{slug}/messages?include_total=true").json["total_count"]
    return total


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def test_each_event_is_judged_by_itself(client: Client, slug: str, sink: Open) -> None:
    """The good ones are accepted, the others say why not, and pointers lead into the batch."""
    receiver = sink(reply(200))
    client.new_endpoint(slug, receiver.url, events=["order.*"])
    client.new_endpoint(slug, NOWHERE, events=["other"], active=False)
    events = [
        event(event_id="one"),
        event(endpoint_ids=["ep_x"]),
        event(expires_at="2000-01-01T00:00:00Z"),
        event(payload={"x": "y" * 262_144}),
        event(event_name="nobodys"),
        event(dry_run=True),
    ]
    answer = batch(client, slug, events).require(202)
    results = answer["results"]

    assert (6, 3, 3, 1) == tuple(
        answer[name] for name in ("total", "accepted", "rejected", "delivery_count")
    )
    assert [0, 1, 2, 3, 4, 5] == [each["index"] for each in results]
    assert [True, False, False, False, True, True] == [each["success"] for each in results]
    assert [(1, 1), (0, 2), (1, 1)] == [
        (results[index]["endpoint_count"], results[index]["filtered_count"]) for index in (0, 4, 5)
    ]
    assert [
        ("unknown_endpoint", "/events/1/endpoint_ids/0"),
        ("validation_error", "/events/2/expires_at"),
        ("payload_too_large", "/events/3/payload"),
    ] == [(each["error"]["code"], each["error"]["errors"][0]["pointer"]) for each in results[1:4]]
    client.finished(results[0]["delivery_ids"][0], "delivered")
    assert [results[0]["message_id"]] == [got.message_id for got in receiver.got]
    assert 2 == published(client, slug)


def test_payloads_pass_byte_for_byte(client: Client, slug: str, sink: Open) -> None:
    """Numbers, order, escapes and white space, each of its own event."""
    receiver = sink(reply(200))
    client.new_endpoint(slug, receiver.url)
    payloads = [b'{"b":1.0, "a":12345678901234567890.10}', b'{"n":1e999}', b'{"\\u00e4": [ ] }']
    items = [b'{"payload":%b,"event_name":"a"}' % payload for payload in payloads]
    body = b'{ "events" : [ %b ] }' % b" , ".join(items)
    answer = client.send("POST", f"/v1/apps/{slug}/trigger/batch", JSON, body).require(202)
    for each in answer["results"]:
        client.finished(each["delivery_ids"][0], "delivered")

    sent = {got.message_id: got.body for got in receiver.got}
    for each, payload in zip(answer["results"], payloads, strict=True):
        assert sent[each["message_id"]].endswith(b'"data":' + payload + b"}")


@pytest.mark.parametrize(
    ("events", "pointer"),
    [
        ([], "/events"),
        ([event()] * 501, "/events"),
        ([event(), {"event_name": "a"}], "/events/1/payload"),
        ([event(), event(nonsense=1)], "/events/1/nonsense"),
        ([event(payload=[])], "/events/0/payload"),
        (["x"], "/events/0"),
        ({}, "/events"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_malformed_batch_is_refused_as_a_whole(
    client: Client, slug: str, events: Any, pointer: str
) -> None:
    """400 that points at the event, and nothing is published."""
    answer = batch(client, slug, events)

    assert (400, "validation_error", pointer) == (
        answer.status,
        answer.code,
        answer.faults[0][0],
    )
    assert 0 == published(client, slug)


def test_an_inactive_app_takes_no_batch(client: Client) -> None:
    """409 for the whole."""
    slug = client.new_app(active=False)["slug"]
    answer = batch(client, slug, [event()])

    assert (409, "app_inactive") == (answer.status, answer.code)


def test_a_batch_that_is_forbidden_leaves_its_key_free(client: Client) -> None:
    """403 leaves no record: another body, and the same, are judged like the first."""
    client.put("/v1/apps/_system", {"name": "System"}).require(200, 201)
    answers = [
        batch(client, "_system", [event()] * size, Idempotency_Key="free") for size in (1, 2, 1)
    ]

    assert [(403, "forbidden")] * 3 == [(each.status, each.code) for each in answers]
    assert not any("idempotency-replayed" in each.headers for each in answers)


def test_a_large_batch_is_taken(client: Client, slug: str) -> None:
    """500 events, 5 MiB; one byte more is 413."""
    filling = "x" * (5_242_880 // 500 - 80)
    events = [event(payload={"x": filling}) for _ in range(500)]
    raw = json.dumps({"events": events}).encode()
    path = f"/v1/apps/{slug}/trigger/batch"
    answer = client.send("POST", path, JSON, raw.ljust(5_242_880)).require(202)
    refused = client.send("POST", path, JSON, raw.ljust(5_242_881))

    assert (500, 0) == (answer["accepted"], answer["rejected"])
    assert (413, "payload_too_large") == (refused.status, refused.code)
    assert 500 == published(client, slug)


def test_one_key_stands_for_the_whole(client: Client, slug: str) -> None:
    """The same batch again is the first answer again; another one is 422."""
    events = [event(), event(endpoint_ids=["ep_x"])]
    first = batch(client, slug, events, Idempotency_Key="k")
    again = batch(client, slug, events, Idempotency_Key="k")
    other = batch(client, slug, events[:1], Idempotency_Key="k")

    assert first.require(202) == again.require(202)
    assert (False, "true") == (
        "idempotency-replayed" in first.headers,
        again.headers["idempotency-replayed"],
    )
    assert (422, "idempotency_key_reused") == (other.status, other.code)
    assert 1 == published(client, slug)


def test_a_batch_that_was_cut_off_is_finished_by_its_repeat(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was accepted before the server died is answered, the rest accepted, nothing twice."""
    client = lab.client
    slug = client.new_app()["slug"]
    events = [event(event_id=str(number)) for number in range(4)]
    accept_all = SqliteDatabase.accept_all

    def half(self: SqliteDatabase, acceptances: Any) -> list[Exception | None]:
        lost: list[Exception | None] = [StoreUnavailable("gone")] * 2
        return accept_all(self, acceptances[:2]) + lost

    monkeypatch.setattr(SqliteDatabase, "accept_all", half)
    cut_off = batch(client, slug, events, Idempotency_Key="k")
    monkeypatch.undo()
    other = batch(client, slug, events[::-1], Idempotency_Key="k")
    before = client.get(f"/v1/apps/{slug}/messages").json["data"]
    whole = batch(client, slug, events, Idempotency_Key="k").require(202)

    assert (503, "unavailable") == (cut_off.status, cut_off.code)
    assert (422, "idempotency_key_reused") == (other.status, other.code)
    first_two = [each["message_id"] for each in whole["results"][:2]]
    assert set(first_two) <= {row["id"] for row in before}
    assert (4, 4) == (whole["accepted"], published(client, slug))


def test_without_a_key_what_was_lost_is_told_apart(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events that were not stored are named, so that they alone can be repeated."""
    client = lab.client
    slug = client.new_app()["slug"]
    accept_all = SqliteDatabase.accept_all

    def half(self: SqliteDatabase, acceptances: Any) -> list[Exception | None]:
        return [*accept_all(self, acceptances[:1]), StoreUnavailable("gone")]

    monkeypatch.setattr(SqliteDatabase, "accept_all", half)
    answer = batch(client, slug, [event(), event()]).require(202)

    assert [None, "unavailable"] == [
        each["error"] and each["error"]["code"] for each in answer["results"]
    ]


def test_a_batch_to_many_endpoints_is_taken_in_parts(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order; behind a part that was not stored nothing is, and a repeat makes up for it."""
    client = lab.client
    slug = client.new_app()["slug"]
    for _ in range(2):
        client.new_endpoint(slug, NOWHERE, active=False)
    accept_all = SqliteDatabase.accept_all
    parts: list[int] = []

    def second_is_lost(self: SqliteDatabase, acceptances: Any) -> Any:
        parts.append(len(acceptances))
        lost = StoreUnavailable("gone")
        return [lost] * 2 if len(parts) == 2 else accept_all(self, acceptances)

    monkeypatch.setattr(trigger, "DELIVERIES_AT_ONCE", 4)
    monkeypatch.setattr(SqliteDatabase, "accept_all", second_is_lost)
    events = [event(event_id=str(number)) for number in range(5)]
    cut_off = batch(client, slug, events, Idempotency_Key="k")
    assert [2, 2] == parts
    assert (503, "unavailable") == (cut_off.status, cut_off.code)
    before = client.get(f"/v1/apps/{slug}/messages").json["data"]
    whole = batch(client, slug, events, Idempotency_Key="k").require(202)

    assert [2, 2, 2, 2, 1] == parts
    assert (5, 10) == (whole["accepted"], whole["delivery_count"])
    assert {row["id"] for row in before} == {each["message_id"] for each in whole["results"][:2]}
    assert 5 == published(client, slug)


def test_two_of_the_same_at_once_are_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds the first's events while that has not answered yet."""
    client = lab.client
    slug = client.new_app()["slug"]
    events = [event(), event()]
    answers: list[Answer] = []
    end = Idempotency.end

    def slow(self: Idempotency, *given: Any) -> Any:
        monkeypatch.undo()
        answers.append(batch(client, slug, events, Idempotency_Key="k"))
        return end(self, *given)

    monkeypatch.setattr(Idempotency, "end", slow)
    answers.append(batch(client, slug, events, Idempotency_Key="k"))

    assert answers[0].require(202) == answers[1].require(202)
    assert 2 == published(client, slug)


def test_a_batch_counts_as_its_events(new_lab: OpenLab) -> None:
    """It is taken whole while there is room for one; then the window is used up."""
    client = new_lab(messages_per_second=5).client
    slug = client.new_app()["slug"]
    first, second, third = (batch(client, slug, [event()] * count) for count in (3, 3, 1))

    assert [202, 202, 429] == [answer.status for answer in (first, second, third)]
    assert ["2", "0", "0"] == [
        answer.headers["x-ratelimit-remaining"] for answer in (first, second, third)
    ]
    assert 6 == published(client, slug)


def test_refusals_of_a_restless_app_are_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events whose endpoints change all the time are refused, not lost."""
    client = lab.client
    slug = client.new_app()["slug"]

    def refuse(_: SqliteDatabase, given: list[Acceptance]) -> list[StaleSubscriptions]:
        return [StaleSubscriptions("app_x")] * len(given)

    monkeypatch.setattr(SqliteDatabase, "accept_all", refuse)
    answer = batch(client, slug, [event()]).require(202)

    assert ["unavailable"] == [each["error"]["code"] for each in answer["results"]]


def test_catalogue_and_filters_judge_each_event(client: Client, slug: str) -> None:
    """A payload that breaks its schema is refused by itself; a filter sees each one's context."""
    client.new_event_type(slug, "order.paid", schema={"properties": {"total": {"type": "integer"}}})
    client.new_endpoint(
        slug, NOWHERE, active=False, filter_rules={"context.region": "eu", "payload.total": 1}
    )
    events = [
        event(payload={"total": 1}, filter_context={"region": "eu"}),
        event(payload={"total": 1.0}, filter_context={"region": "us"}),
        event(payload={"total": "1"}),
        event(payload={"total": "1"}, dry_run=True),
        event(payload={"total": 2}, dry_run=True),
        event(filter_context={"x": "y" * 8_192}),
    ]
    answer = batch(client, slug, events).require(202)
    results = answer["results"]

    assert [(1, 0), (0, 1), (0, 0), (0, 0), (0, 1), (0, 0)] == [
        (each["endpoint_count"], each["filtered_count"]) for each in results
    ]
    assert [
        None,
        None,
        ("payload_schema_mismatch", "/events/2/payload/total"),
        ("payload_schema_mismatch", "/events/3/payload/total"),
        None,
        ("payload_too_large", "/events/5/filter_context"),
    ] == [
        each["error"] and (each["error"]["code"], each["error"]["errors"][0]["pointer"])
        for each in results
    ]
    assert 2 == published(client, slug)


def test_a_schema_that_has_just_changed_judges_each_event(
    client: Client, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the catalogue is found to be old, the batch is judged by the new one."""
    client.new_event_type(slug, "order.paid", schema={"required": ["id"]})
    judge = EventSchemas.judge
    old = [True]

    def judge_old_first(self: EventSchemas, *args: Any) -> None:
        if old.pop() if old else False:
            raise StaleSubscriptions("app_x")
        judge(self, *args)

    monkeypatch.setattr(EventSchemas, "judge", judge_old_first)
    answer = batch(client, slug, [event(payload={"id": 1}), event()]).require(202)

    assert [True, False] == [each["success"] for each in answer["results"]]
    assert 1 == published(client, slug)


def test_refusals_cost_one_look_at_the_app(
    client: Client, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of refused events does not read the app anew for each."""
    read = Trigger._read  # pyright: ignore[reportPrivateUsage]
    reads: list[str] = []

    def counted(self: Trigger, *args: Any) -> Any:
        reads.append(slug)
        return read(self, *args)

    client.trigger(slug)
    monkeypatch.setattr(Trigger, "_read", counted)
    answer = batch(client, slug, [event(endpoint_ids=["ep_x"])] * 20).require(202)

    assert 20 == answer["rejected"]
    assert len(reads) <= 3
