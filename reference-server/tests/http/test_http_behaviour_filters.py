"""Filters of endpoints: who gets an event, what is counted, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from http_lab import JSON, Client, Document
from http_sink import path_to

from hookwright_server.domain import exact_json
from hookwright_server.services import routing

NOWHERE = "http://127.0.0.1:1/hook"
LARGE: Document = {"payload.total": {"$gte": 1000}}


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def counts(client: Client, slug: str, payload: object = None, **fields: Any) -> tuple[int, int]:
    """How many endpoints an event went to and passed by, as the answer and the message say."""
    sent = client.trigger(slug, payload, **fields)
    message = client.get(f"/v1/apps/{slug}/messages/{sent['message_id']}").require(200)
    told = [(each["endpoint_count"], each["filtered_count"]) for each in (sent, message)]

    assert told[0] == told[1]
    assert told[0][0] == len(sent["delivery_ids"]) == len(message["deliveries"])
    return told[0]


def test_a_filter_decides_who_gets_an_event(client: Client, slug: str) -> None:
    """Who does not want it gets no delivery, and is counted."""
    picky = client.new_endpoint(slug, NOWHERE, filter_rules=LARGE, active=False)
    client.new_endpoint(slug, NOWHERE, active=False)

    assert (2, 0) == counts(client, slug, {"total": 1000})
    assert (1, 1) == counts(client, slug, {"total": 999})
    assert (1, 1) == counts(client, slug, {})
    path = f"/v1/apps/{slug}/deliveries?endpoint_id={picky['id']}"
    assert 1 == len(client.get(path).require(200)["data"])


def test_events_and_filters_both_count(client: Client, slug: str) -> None:
    """What did not subscribe and what was filtered out are one number."""
    client.new_endpoint(slug, NOWHERE, filter_rules=LARGE, active=False)
    client.new_endpoint(slug, NOWHERE, events=["other"], active=False)

    assert (0, 2) == counts(client, slug, {"total": 1})
    assert (1, 1) == counts(client, slug, {"total": 1e6})


def test_a_filter_holds_for_endpoints_that_are_named(client: Client, slug: str) -> None:
    """`endpoint_ids` narrows; it forces nothing."""
    picky = client.new_endpoint(slug, NOWHERE, filter_rules=LARGE, active=False)
    client.new_endpoint(slug, NOWHERE, active=False)

    assert (0, 1) == counts(client, slug, {"total": 1}, endpoint_ids=[picky["id"]])


def test_the_context_is_seen_beside_the_payload(client: Client, slug: str) -> None:
    """It comes with one event; without it every field of it is absent."""
    rules: Document = {"context.region": "eu", "payload.region": {"$exists": False}}
    client.new_endpoint(slug, NOWHERE, filter_rules=rules, active=False)

    assert (1, 0) == counts(client, slug, filter_context={"region": "eu"})
    assert (0, 1) == counts(client, slug, filter_context={"region": "us"})
    assert (0, 1) == counts(client, slug, {"region": "eu"})
    assert (0, 1) == counts(client, slug, {"region": "eu"}, filter_context={"region": "eu"})


def test_a_context_is_an_object_of_bounded_size(client: Client, slug: str) -> None:
    """8 KiB as compact JSON text fit to the byte; more is 413, another type 400."""
    fits = {"a": "x" * (8192 - 8)}
    path = f"/v1/apps/{slug}/trigger"
    event: Document = {"event_name": "a", "payload": {}}
    client.post(path, {**event, "filter_context": fits}).require(202)
    refused = client.post(path, {**event, "filter_context": {"a": fits["a"] + "x"}})

    assert (413, "payload_too_large") == (refused.status, refused.code)
    assert [("/filter_context", "max_bytes")] == refused.faults
    contexts: tuple[object, ...] = (None, [], "x", 1)
    for context in contexts:
        answer = client.post(path, {**event, "filter_context": context})
        assert (400, "validation_error") == (answer.status, answer.code)


def test_numbers_of_the_payload_are_exact(client: Client, slug: str) -> None:
    """What no float can hold is compared as it was published."""
    rules: Document = {"payload.n": {"$gt": 9007199254740992}}
    client.new_endpoint(slug, NOWHERE, filter_rules=rules, active=False)
    for number, expected in ((b"9007199254740992.00000001", 1), (b"9007199254740992.0", 0)):
        body = b'{"event_name":"a.b","payload":{"n":' + number + b"}}"
        sent = client.send("POST", f"/v1/apps/{slug}/trigger", JSON, body).require(202)

        assert expected == sent["endpoint_count"]


def test_a_changed_filter_holds_for_the_next_event(client: Client, slug: str) -> None:
    """Rules are replaced whole, null lets everything pass, and nothing old is remembered."""
    made = client.new_endpoint(slug, NOWHERE, filter_rules=LARGE, active=False)
    assert (0, 1) == counts(client, slug, {"total": 1})
    other: Document = {"payload.total": {"$lt": 10, "$ne": 5}}
    changed = client.patch(path_to(made), {"filter_rules": other}).require(200)

    assert (LARGE, other) == (made["filter_rules"], changed["filter_rules"])
    assert (1, 0) == counts(client, slug, {"total": 1})
    assert (0, 1) == counts(client, slug, {"total": 5})
    assert changed["filter_rules"] == client.get(path_to(made)).json["filter_rules"]
    assert client.patch(path_to(made), {"description": "x"}).json["filter_rules"] == other
    assert client.patch(path_to(made), {"filter_rules": None}).json["filter_rules"] is None
    assert (1, 0) == counts(client, slug, {"total": 5})


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ({}, ("/filter_rules", "minProperties")),
        ([], ("/filter_rules", "type")),
        ({"total": 1}, ("/filter_rules/total", "path")),
        ({"payload.a": {"$gtt": 1}}, ("/filter_rules/payload.a/$gtt", "operator")),
        ({"$or": [{"context.a": {"$in": 1}}]}, ("/filter_rules/$or/0/context.a/$in", "type")),
    ],
)
def test_what_is_no_filter_is_refused_when_saved(
    client: Client, slug: str, rules: object, fault: tuple[str, str]
) -> None:
    """400 names the path, on create and on update, and nothing is kept."""
    made = client.new_endpoint(slug, NOWHERE, filter_rules=LARGE)
    answers = [
        client.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE, "filter_rules": rules}),
        client.patch(path_to(made), {"filter_rules": rules}),
    ]

    for answer in answers:
        assert (400, "validation_error", fault) == (answer.status, answer.code, answer.faults[0])
    (kept,) = client.get(f"/v1/apps/{slug}/endpoints").json["data"]
    assert LARGE == kept["filter_rules"]


def test_rules_are_limited_to_8_kib(client: Client, slug: str) -> None:
    """As compact JSON text; more is 413."""
    rules = {"payload.a": {"$in": ["x" * 90] * 100}}
    answer = client.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE, "filter_rules": rules})

    assert (413, "payload_too_large") == (answer.status, answer.code)
    assert [("/filter_rules", "max_bytes")] == answer.faults


def test_no_payload_is_read_for_nobody(
    client: Client, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only an event that comes to an endpoint with a filter is looked at again."""
    client.new_endpoint(slug, NOWHERE, active=False)
    read: list[bytes] = []

    def reading(raw: bytes) -> exact_json.Exact:
        read.append(raw)
        return exact_json.read_exactly(raw)

    monkeypatch.setattr(routing, "read_exactly", reading)
    client.trigger(slug, {"total": 1})
    assert [] == read
    client.new_endpoint(slug, NOWHERE, events=["other"], filter_rules=LARGE, active=False)
    client.trigger(slug, {"total": 1})
    assert [] == read
    for _ in range(2):
        client.new_endpoint(slug, NOWHERE, filter_rules=LARGE, active=False)
    client.trigger(slug, {"total": 1})

    assert 1 == len(read)
