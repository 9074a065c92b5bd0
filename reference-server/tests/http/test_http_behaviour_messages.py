"""Trigger and messages: payloads byte for byte, fan-out, filters."""

from __future__ import annotations

import json

import pytest
from http_lab import JSON, Answer, Client, Document, Lab
from http_sink import Open

NOWHERE = "http://127.0.0.1:1/hook"
_PAYLOADS = {
    "beyond a double": b'{"n": 1e400, "m": -1E-400, "k": 1.0000000000000000000000000000001}',
    "5,000 digits": b'{"n": ' + b"1234567890" * 500 + b', "f": 0.' + b"9" * 5000 + b"}",
    "key order": b'{"z":1,"a":2,"10":3,"9":4,"":5}',
    "escapes": rb'{"a":"\u00e9\/\b\f\n\r\t\"\\\u2028","\u0061b":"\ud83d\ude00","x":"<\/script>"}',
    "unicode": '{"é":"日本語 🎉 \u2028 \u202e \x7f","zwj":"👩‍👩‍👧"}'.encode(),
    "white space": b'{ "a" :\t[ 1 ,\r\n 2 ] ,\n\n "b":{ } }',
    "empty": b"{}",
    "forms of zero": b'{"a":0,"b":-0,"c":0.0,"d":-0.0e+10,"e":0E0}',
    "its own member": b'{"payload":{"payload":{}},"type":"x","data":null}',
    "deep": b'{"a":' * 60 + b"{}" + b"}" * 60,
    "long text": b'{"a":"' + b"x" * 250_000 + b'"}',
}


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def publish(client: Client, slug: str, payload: bytes, before: bytes = b"") -> Answer:
    """Publish exactly these bytes."""
    body = b'{"event_name":"a.b",' + before + b'"payload":' + payload + b"}"
    return client.send("POST", f"/v1/apps/{slug}/trigger", JSON, body)


# Payloads


@pytest.mark.parametrize("name", _PAYLOADS)
def test_a_payload_arrives_byte_for_byte(client: Client, slug: str, sink: Open, name: str) -> None:
    """What the receiver gets and what `messages.get` shows are the bytes that were published."""
    receiver, payload = sink(), _PAYLOADS[name]
    client.new_endpoint(slug, receiver.url)
    sent = publish(client, slug, payload).require(202)
    client.finished(sent["delivery_ids"][0], "delivered")
    shown = client.get(f"/v1/apps/{slug}/messages/{sent['message_id']}")

    assert receiver.last.body.endswith(b'"data":' + payload + b"}")
    assert 1 == shown.body.count(payload) or name == "empty"
    assert b'"payload":' + payload in shown.body
    assert str(len(receiver.last.body)) == receiver.last.headers["content-length"]


@pytest.mark.parametrize(
    "around",
    [
        b'{"payload":%s,"event_name":"a.b"}',
        b' {"event_name" : "a.b" , "payload"\n:\t%s }\n',
        b'{"event_name":"a.b","event_id":"\\"payload\\":{}","payload":%s}',
        b'{"event_name":"a.b","\\u0070ayload":%s}',
    ],
)
def test_a_payload_is_found_wherever_it_stands(client: Client, slug: str, around: bytes) -> None:
    """The order of members, white space and escapes in the envelope change nothing."""
    payload = b'{"b": 1.10, "a":"}\\u0022,"}'
    answer = client.send("POST", f"/v1/apps/{slug}/trigger", JSON, around % payload)
    shown = client.get(f"/v1/apps/-/messages/{answer.require(202)['message_id']}")

    assert b'"payload":' + payload in shown.body


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b"1",
        b'"x"',
        b"null",
        b"true",
        b"{",
        b"",
        b"NaN",
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
        b'{"a":"\\u0000"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":01}',
        b'{"a":1,}',
        b'{"a":' * 65 + b"1" + b"}" * 65,
    ],
    ids=repr,
)
def test_a_payload_is_a_strict_json_object(client: Client, slug: str, payload: bytes) -> None:
    """Everything else is 400, and nothing is published."""
    answer = publish(client, slug, payload)

    assert (400, "validation_error") == (answer.status, answer.code)
    assert [] == client.get(f"/v1/apps/{slug}/messages").json["data"]


def test_a_payload_is_limited_as_it_was_received(client: Client, slug: str) -> None:
    """256 KiB fit to the byte, one more is 413 that points at the payload."""
    fits = b'{"a":"' + b"x" * (262_144 - 8) + b'"}'
    too_long = publish(client, slug, fits[:-2] + b'x"}')

    assert 262_144 == len(fits)
    assert (413, "payload_too_large") == (too_long.status, too_long.code)
    assert "/payload" == too_long.faults[0][0]
    publish(client, slug, fits).require(202)
    assert 413 == publish(client, slug, fits[:-2] + b'"' + b" " * 10 + b"}").status


# Fan-out


def test_an_event_goes_to_those_named_that_subscribed(client: Client, slug: str) -> None:
    """`endpoint_ids` narrows, subscriptions still apply, `filtered_count` counts the rest."""
    orders = client.new_endpoint(slug, NOWHERE, events=["order.*"], active=False)["id"]
    all_ = client.new_endpoint(slug, NOWHERE, active=False)["id"]
    bills = client.new_endpoint(slug, NOWHERE, events=["bill.*"], active=False)["id"]

    for ids, expected, filtered in (
        (None, {orders, all_}, 1),
        ([orders], {orders}, 0),
        ([bills], set[str](), 1),
        ([bills, all_], {all_}, 1),
    ):
        fields: Document = {} if ids is None else {"endpoint_ids": ids}
        sent = client.trigger(slug, event_name="order.paid", **fields)
        message = client.get(f"/v1/apps/{slug}/messages/{sent['message_id']}").json

        assert expected == {row["endpoint_id"] for row in message["deliveries"]}
        assert set(sent["delivery_ids"]) == {row["id"] for row in message["deliveries"]}
        for shown in (sent, message):
            assert (len(expected), filtered) == (shown["endpoint_count"], shown["filtered_count"])


def test_an_unknown_endpoint_id_publishes_nothing(client: Client, slug: str) -> None:
    """Unknown, deleted and foreign ids are 422, each named by its place."""
    known = client.new_endpoint(slug, NOWHERE)["id"]
    deleted = client.new_endpoint(slug, NOWHERE)["id"]
    client.delete(f"/v1/apps/{slug}/endpoints/{deleted}").require(204)
    foreign = client.new_endpoint(client.new_app()["slug"], NOWHERE)["id"]
    body: Document = {"event_name": "a.b", "payload": {}}
    answer = client.post(
        f"/v1/apps/{slug}/trigger", {**body, "endpoint_ids": [deleted, known, foreign, "nonsense"]}
    )

    assert (422, "unknown_endpoint") == (answer.status, answer.code)
    assert [(f"/endpoint_ids/{n}", "unknown_endpoint") for n in (0, 2, 3)] == answer.faults
    assert [] == client.get(f"/v1/apps/{slug}/messages").json["data"]
    for ids in ([], [known, known], known, [1]):
        refused = client.post(f"/v1/apps/{slug}/trigger", {**body, "endpoint_ids": ids})
        assert (400, "validation_error") == (refused.status, refused.code)


def test_an_event_without_endpoints_is_accepted(client: Client, slug: str) -> None:
    """No endpoint: the message is kept, with no delivery."""
    sent = client.trigger(slug, {"a": 1})
    message = client.get(f"/v1/apps/{slug}/messages/{sent['message_id']}").json

    assert ([], 0, 0) == (sent["delivery_ids"], sent["endpoint_count"], sent["filtered_count"])
    assert ({"a": 1}, []) == (message["payload"], message["deliveries"])


@pytest.mark.parametrize(
    "fields",
    [
        {"event_name": "a b"},
        {"event_name": "a..b"},
        {"event_name": ".a"},
        {"event_name": "a."},
        {"event_name": ""},
        {"event_name": "order.*"},
        {"event_name": "ä"},
        {"event_name": "a\n"},
        {"event_name": "x" * 129},
        {"event_name": None},
        {"event_id": ""},
        {"event_id": "x" * 65},
        {"event_id": "a\tb"},
        {"event_id": None},
        {"tags": [""]},
        {"tags": ["a", "a"]},
        {"tags": [str(number) for number in range(11)]},
        {"tags": None},
        {"deliver_at": "2026-11-21"},
        {"deliver_at": "9000-01-01T00:00:00Z"},
        {"expires_at": "2000-01-01T00:00:00Z"},
        {"expires_at": "9999-12-31T23:59:59-01:00"},
        {"dry_run": "true"},
    ],
    ids=repr,
)
def test_a_malformed_event_is_refused(client: Client, slug: str, fields: Document) -> None:
    """Names, ids and unknown members are checked; nothing is published."""
    body: Document = {"event_name": "a.b", "payload": {}, **fields}
    answer = client.post(f"/v1/apps/{slug}/trigger", body)

    assert (400, "validation_error") == (answer.status, answer.code)
    assert [] == client.get(f"/v1/apps/{slug}/messages").json["data"]


# Lists


def test_messages_are_filtered(lab: Lab) -> None:
    """By event name, by event id (which is not unique), by time, by all of them together."""
    client = lab.client
    slug, other = (client.new_app()["slug"] for _ in range(2))
    sent: list[str] = []
    for number, name in enumerate(["a.b", "a.c", "a.b", "a.b.c"]):
        client.advance("PT1S")
        event_id = {"event_id": f"order {number % 2}"}
        sent.append(client.trigger(slug, event_name=name, **event_id)["message_id"])
    elsewhere = client.trigger(other, event_name="a.b", event_id="order 0")["message_id"]
    times = [client.get(f"/v1/apps/-/messages/{one}").json["created_at"] for one in sent]

    def found(app: str, query: str) -> list[str]:
        page = client.get(f"/v1/apps/{app}/messages?include_total=true&{query}").require(200)
        ids = [row["id"] for row in page["data"]]
        assert page["total_count"] == len(ids)
        return ids

    assert sent[::-1] == found(slug, "")
    assert [sent[2], sent[0]] == found(slug, "event_name=a.b")
    assert [sent[2], sent[0]] == found(slug, "event_id=order%200")
    assert [elsewhere, sent[2], sent[0]] == found("-", "event_id=order+0")
    assert [] == found(slug, "event_id=order")
    assert [sent[3], sent[2]] == found(slug, f"after={times[2]}")
    assert [sent[1], sent[0]] == found(slug, f"before={times[2]}")
    assert [sent[1]] == found(slug, f"after={times[1]}&before={times[2]}")
    assert [] == found(slug, f"after={times[2]}&before={times[1]}")
    assert [sent[2]] == found(slug, f"event_name=a.b&event_id=order%200&after={times[1]}")
    shifted = times[2].replace("Z", "%2B00:00")
    assert [sent[3], sent[2]] == found(slug, f"after={shifted}")


@pytest.mark.parametrize(
    "query",
    [
        "after=2026-11-21T10:00:00",
        "after=yesterday",
        "before=2026-11-21",
        "after=",
        "event_name=a b",
        "event_name=a%20b",
        "event_id=",
        "event_id=" + "x" * 65,
        "status=held",
        "after=2026-11-21T10:00:00Z&after=2026-11-21T10:00:00Z",
        "limit=0",
        "limit=101",
        "limit=x",
        "offset=10001",
        "offset=-1",
        "include_total=yes",
    ],
)
def test_a_malformed_filter_is_refused(client: Client, slug: str, query: str) -> None:
    """400 that points at the parameter."""
    answer = client.get(f"/v1/apps/{slug}/messages?{query}")

    assert (400, "validation_error") == (answer.status, answer.code)
    assert f"query/{query.partition('=')[0]}" == answer.faults[0][0]


def test_a_message_shows_its_newest_deliveries(client: Client, slug: str) -> None:
    """At most 100 deliveries stand in a message; the list pages through all of them."""
    for _ in range(101):
        client.new_endpoint(slug, NOWHERE, active=False)
    sent = client.trigger(slug)
    message = client.get(f"/v1/apps/{slug}/messages/{sent['message_id']}").require(200)
    listed = client.get(
        f"/v1/apps/{slug}/deliveries?message_id={sent['message_id']}&limit=100&include_total=true"
    ).require(200)

    assert (101, 100) == (message["endpoint_count"], len(message["deliveries"]))
    assert (101, True) == (listed["total_count"], listed["has_more"])
    assert listed["data"] == message["deliveries"]


def test_a_payload_of_any_numbers_passes_the_contract(client: Client, slug: str) -> None:
    """The answer with such a payload is still JSON for programs that keep big numbers."""
    payload = _PAYLOADS["beyond a double"]
    message_id = publish(client, slug, payload).require(202)["message_id"]
    shown = client.get(f"/v1/apps/{slug}/messages/{message_id}")
    read = json.loads(shown.body, parse_float=str)

    assert "1e400" == read["payload"]["n"]
