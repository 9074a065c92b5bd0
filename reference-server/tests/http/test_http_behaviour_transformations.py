"""Transformations: what an endpoint gets instead of the payload, and what if it cannot."""

from __future__ import annotations

import json
from functools import partial
from operator import eq

import pytest
from http_lab import JSON, Answer, Client, Document, Lab, eventually
from http_sink import ONCE, Open, path_to, reply, waits

NOWHERE = "http://127.0.0.1:1/hook"
PREVIEW = "/v1/transformations/preview"


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def mapping(*pairs: tuple[str, str]) -> Document:
    """A transformation of pairs `(from, to)`."""
    return {"mappings": [{"from": source, "to": target} for source, target in pairs]}


TOTAL = mapping(("payload.total", "amount.value"))


def publish(client: Client, slug: str, payload: bytes) -> str:
    """Publish exactly these bytes; the id of the one delivery."""
    body = b'{"event_name":"order.paid","payload":' + payload + b"}"
    sent = client.send("POST", f"/v1/apps/{slug}/trigger", JSON, body).require(202)
    (delivery_id,) = sent["delivery_ids"]
    return str(delivery_id)


def test_the_result_is_delivered_as_data(client: Client, slug: str, sink: Open) -> None:
    """Type and timestamp stay, values keep their bytes, and the signature fits."""
    receiver = sink()
    endpoint = client.new_endpoint(slug, receiver.url, transformation=TOTAL)
    delivery = publish(client, slug, b'{"total": 1.10000000000000000001, "secret": 1}')
    client.finished(delivery, "delivered")

    body = receiver.last.body
    assert body.endswith(b'"data":{"amount":{"value":1.10000000000000000001}}}')
    assert ["type", "timestamp", "data"] == list(json.loads(body))
    assert ["own"] == receiver.last.signed_by(own=endpoint["signing_secret"])


def test_each_attempt_uses_the_present_transformation(lab: Lab, sink: Open) -> None:
    """A change counts from the next attempt on; null passes the payload on as it was."""
    client, receiver = lab.client, sink(reply(500))
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(
        slug, receiver.url, transformation=TOTAL, retry_policy=waits(60, 60)
    )
    delivery = publish(client, slug, b'{"total":  5}')
    for number, change in enumerate((mapping(("payload.total", "n")), None), 1):
        eventually(lambda: client.delivery(delivery)["attempt_count"], partial(eq, number))
        client.patch(path_to(endpoint), {"transformation": change}).require(200)
        client.advance("PT60S")
    client.finished(delivery, "dead_letter")

    assert [b'{"amount":{"value":5}}', b'{"n":5}', b'{"total":  5}'] == [
        got.body.partition(b'"data":')[2][:-1] for got in receiver.got
    ]


def test_a_failing_transformation_fails_the_delivery_at_once(
    client: Client, slug: str, sink: Open
) -> None:
    """One attempt, `transformation_error`, nothing sent; mended, a retry by hand delivers."""
    receiver = sink()
    endpoint = client.new_endpoint(
        slug, receiver.url, transformation=TOTAL, retry_policy=waits(0, retry_client_errors=True)
    )
    delivery = publish(client, slug, b'{"n": 1}')
    failed = client.finished(delivery, "failed")
    (attempt,) = client.attempts(delivery)

    assert [] == receiver.got
    assert (1, None, "transformation_error") == (
        failed["attempt_count"],
        failed["last_status_code"],
        failed["last_failure_reason"],
    )
    assert ("failed", "transformation_error", None, None, {}) == (
        attempt["status"],
        attempt["failure_reason"],
        attempt["status_code"],
        attempt["response_body"],
        attempt["request_headers"],
    )
    change = {"transformation": mapping(("payload.n", "n"))}
    client.patch(path_to(endpoint), change).require(200)
    client.post(f"/v1/apps/{slug}/deliveries/{delivery}/retry").require(200)
    client.finished(delivery, "delivered")
    assert receiver.last.body.endswith(b'"data":{"n":1}}')


def test_a_transformation_is_shown_and_replaced_whole(client: Client, slug: str) -> None:
    """It reads as it was written; null clears it."""
    made = client.new_endpoint(slug, NOWHERE, transformation=TOTAL)
    other = mapping(("payload", "all"), ("payload.x", "x"))
    changed = client.patch(path_to(made), {"transformation": other}).require(200)

    assert (TOTAL, other) == (made["transformation"], changed["transformation"])
    assert other == client.get(path_to(made)).json["transformation"]
    assert client.patch(path_to(made), {"url": NOWHERE}).json["transformation"] == other
    assert client.patch(path_to(made), {"transformation": None}).json["transformation"] is None


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, "/transformation/mappings"),
        ({"mappings": []}, "/transformation/mappings"),
        ({"mappings": [{"from": "payload.a"}]}, "/transformation/mappings/0/to"),
        (mapping(("a", "b")), "/transformation/mappings/0/from"),
        (mapping(("payload.a", "b"), ("payload.c", "b.c")), "/transformation/mappings/1/to"),
    ],
)
def test_what_is_no_transformation_is_refused_when_saved(
    client: Client, slug: str, document: Document, pointer: str
) -> None:
    """400 names the place, on create, on update and in a preview."""
    made = client.new_endpoint(slug, NOWHERE)
    for answer in (
        client.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE, "transformation": document}),
        client.patch(path_to(made), {"transformation": document}),
        client.post(PREVIEW, {"transformation": document, "payload": {}}),
    ):
        assert (400, "validation_error") == (answer.status, answer.code)
        assert answer.faults[0][0] == pointer


def test_a_test_event_is_transformed(client: Client, slug: str, sink: Open) -> None:
    """A test shows what the endpoint would get; when it cannot, nothing is sent and it says so."""
    receiver = sink()
    endpoint = client.new_endpoint(slug, receiver.url, transformation=TOTAL, retry_policy=ONCE)
    path = f"{path_to(endpoint)}/test"
    sent = client.post(path, {"payload": {"total": 7}}).require(200)
    failed = client.post(path, {}).require(200)

    assert sent["request"]["body"].endswith('"data":{"amount":{"value":7}}}')
    assert [sent["request"]["body"].encode()] == [got.body for got in receiver.got]
    assert (False, "transformation_error", None, None) == (
        failed["success"],
        failed["failure_reason"],
        failed["request"],
        failed["status_code"],
    )


# Preview


def preview(client: Client, document: Document, payload: bytes) -> Answer:
    """Try a transformation on exactly these bytes."""
    body = b'{"payload":' + payload + b',"transformation":' + json.dumps(document).encode() + b"}"
    return client.send("POST", PREVIEW, JSON, body)


def test_a_preview_answers_with_the_very_bytes(client: Client) -> None:
    """Whatever numbers the payload holds."""
    answer = preview(client, TOTAL, b'{"total": [1e400, 12345678901234567890.10]}')

    assert 200 == answer.status
    assert b'{"payload":{"amount":{"value":[1e400, 12345678901234567890.10]}}}' == answer.body


def test_a_preview_says_why_a_delivery_would_fail(client: Client) -> None:
    """422 names the mapping."""
    answer = preview(client, mapping(("payload", "a"), ("payload.x", "b")), b"{}")

    assert (422, "transformation_failed") == (answer.status, answer.code)
    assert [("/transformation/mappings/1/from", "absent")] == answer.faults
    assert "'payload.x'" in answer.json["detail"]


def test_a_preview_changes_nothing(lab: Lab) -> None:
    """No row is written, but for the record of an idempotency key, which answers the same again."""
    before = lab.snapshot()
    preview(lab.client, TOTAL, b'{"total": 1}').require(200)
    assert before == lab.snapshot()
    body = {"transformation": TOTAL, "payload": {"total": 1}}
    first, second = (lab.client.post(PREVIEW, body, Idempotency_Key="k") for _ in range(2))

    assert (first.body, "true") == (second.body, second.headers["idempotency-replayed"])
    assert before == lab.snapshot("idempotency_records") | {
        "idempotency_records": before["idempotency_records"]
    }


def test_a_bound_key_may_preview(client: Client, slug: str) -> None:
    """It concerns no app and no account."""
    bound = client.with_key(client.new_key("read", app_slug=slug)["key"])

    assert 200 == preview(bound, TOTAL, b'{"total": 1}').status
