"""The contract's examples are what happens: each is sent over a socket to the running server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from egress_lab import OK, Receiver, answering
from http_lab import (
    OPERATION,
    Answer,
    Client,
    Document,
    contract_operation,
    eventually,
    path_of,
    request_examples,
)
from http_live import LiveServer

from hookwright_server.http.edge.operations import OPERATIONS, Operation

_FAILURE = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
# Operations whose request is not shown because they take no body.
_PLAIN = "without a body"
_CASES = [
    (operation.operation_id, name)
    for operation in OPERATIONS
    for name in (request_examples(operation) or {_PLAIN: None})
]

Story = dict[tuple[str, str], Answer]


class _Teller:
    """Sends examples, one after the other, and keeps what came back."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.told: Story = {}

    def tell(self, operation_id: str, name: str = "default", **path: str) -> Any:
        operation = OPERATION[operation_id]
        examples = request_examples(operation)
        place = path_of(operation, app_slug="payments", **path)
        answer = self.client.call(operation.method, place, examples.get(name))
        self.told[operation_id, name if examples else _PLAIN] = answer
        assert answer.status == operation.success_status, (operation_id, answer)
        return answer.json if answer.body else None


@pytest.fixture(scope="module")
def story(live: LiveServer) -> Iterator[Story]:
    """The examples in an order in which each of them can be what it shows."""
    good, bad = Receiver(answering(OK)), Receiver(answering(_FAILURE))
    good.start()
    bad.start()
    try:
        yield _tell_all(_Teller(live.client.with_key(live.test_key)), good.url(), bad.url())
    finally:
        good.stop()
        bad.stop()


def _tell_all(teller: _Teller, good: str, bad: str) -> Story:
    for operation_id in ("health.live", "health.ready", "apps.create", "apps.list", "apps.get"):
        teller.tell(operation_id)
    teller.tell("apps.get_or_create")
    for name in ("default", "ed25519"):
        teller.tell("apps.rotate_secret", name)
    for name in ("smallest", "own_schedule", "ed25519", "rate_limited", "selective"):
        made = teller.tell("endpoints.create", name)
        if name == "ed25519":
            teller.tell("endpoints.get_secret_public_key", endpoint_id=made["id"])
        teller.client.delete(f"/v1/apps/payments/endpoints/{made['id']}").require(204)
    endpoint = {"endpoint_id": teller.tell("endpoints.create")["id"]}
    for operation_id in ("list", "get", "disable", "enable", "rotate_secret", "update"):
        teller.tell(f"endpoints.{operation_id}", **endpoint)
    _deliver(teller, endpoint, good, bad)
    teller.tell("endpoints.delete", **endpoint)
    event_type = {"event_type_id": teller.tell("event_types.create")["id"]}
    for operation_id in ("list", "get", "update", "delete"):
        teller.tell(f"event_types.{operation_id}", **event_type)
    teller.tell("apps.update")
    teller.tell("apps.delete")
    key = {"key_id": teller.tell("api_keys.create")["id"]}
    for operation_id in ("list", "rotate", "delete"):
        teller.tell(f"api_keys.{operation_id}", **key)
    return teller.told


def _deliver(teller: _Teller, endpoint: dict[str, str], good: str, bad: str) -> None:
    path = path_of(OPERATION["endpoints.update"], app_slug="payments", **endpoint)
    custom = {"X-Api-Key": "key-of-the-receiver"}
    teller.client.patch(path, {"url": good, "headers": custom}).require(200)
    teller.tell("endpoints.test", **endpoint)
    sent = teller.tell("trigger.send")
    teller.client.finished(sent["delivery_ids"][0], "delivered")
    teller.tell("messages.list")
    teller.tell("messages.get", message_id=sent["message_id"])
    delivery = {"delivery_id": sent["delivery_ids"][0]}
    for operation_id in ("list", "get", "list_attempts"):
        teller.tell(f"deliveries.{operation_id}", **delivery)
    teller.tell("endpoints.list_deliveries", **endpoint)
    teller.tell("trigger.send", "with_context")
    teller.tell("transformations.preview")
    teller.tell("trigger.send_batch")
    teller.tell("trigger.send", "in_order")
    teller.tell("endpoints.stats", **endpoint)
    teller.tell("analytics.overview")
    teller.client.patch(path, {"url": bad}).require(200)
    failing = teller.client.trigger("payments", event_name="invoice.paid")["delivery_ids"][0]
    teller.tell("test_clock.advance")
    teller.client.advance("P4D")
    teller.client.finished(failing, "dead_letter")
    for operation_id in ("stats", "summary", "timeseries", "timeline"):
        teller.tell(f"analytics.{operation_id}")
    teller.tell("deliveries.retry", delivery_id=failing)
    teller.client.finished(failing, "pending", "dead_letter")
    _steer(teller, delivery, sent["message_id"])


def _steer(teller: _Teller, delivery: dict[str, str], message_id: str) -> None:
    teller.tell("deliveries.replay", **delivery)
    waiting = teller.client.trigger("payments", event_name="invoice.paid")["delivery_ids"][0]
    eventually(lambda: teller.client.delivery(waiting), lambda row: row["last_status_code"] == 500)
    teller.tell("deliveries.cancel", delivery_id=waiting)
    teller.tell("deliveries.create_replay", "by_range")
    teller.tell("deliveries.create_replay", "dry_run")
    task = {"replay_id": teller.tell("deliveries.create_replay", "by_ids")["id"]}
    path = path_of(OPERATION["deliveries.get_replay"], app_slug="payments", **task)
    eventually(lambda: teller.client.get(path).json["status"] == "completed")
    for operation_id in ("list_replays", "get_replay", "cancel_replay"):
        teller.tell(f"deliveries.{operation_id}", **task)
    teller.tell("messages.cancel", message_id=message_id)
    teller.tell("messages.expunge", message_id=message_id)


@pytest.mark.parametrize(("operation_id", "name"), _CASES)
def test_an_example_is_what_happens(story: Story, operation_id: str, name: str) -> None:
    """The answer has the members and types of the answer that the contract shows."""
    operation = OPERATION[operation_id]
    answer = story[operation_id, name]
    shown = _response_example(operation, name)

    assert operation.success_status == answer.status
    if shown is None:
        assert b"" == answer.body
    else:
        assert _shape(shown) == _shape(answer.json)
        assert "application/json" == answer.headers["content-type"]


@pytest.mark.parametrize(("operation_id", "name"), _CASES)
def test_an_answer_has_the_headers_of_the_contract(
    story: Story, operation_id: str, name: str
) -> None:
    """Documented headers of a success are there, but for that of a replay."""
    operation = OPERATION[operation_id]
    response = contract_operation(operation)["responses"][str(operation.success_status)]
    documented = {header.lower() for header in response["headers"]} - {"idempotency-replayed"}

    assert set() == documented - story[operation_id, name].headers.keys()


def test_the_retried_delivery_is_as_shown(story: Story) -> None:
    """The example of a retry counts on from ten attempts to twenty."""
    shown = _response_example(OPERATION["deliveries.retry"], _PLAIN)
    told = story["deliveries.retry", _PLAIN].json
    kept = ("attempt_count", "max_attempts", "last_status_code", "last_failure_reason")

    assert {name: shown[name] for name in kept} == {name: told[name] for name in kept}


def _response_example(operation: Operation, name: str) -> Any:
    response = contract_operation(operation)["responses"][str(operation.success_status)]
    content = response.get("content")
    if content is None:
        return None
    examples: Document = content["application/json"]["examples"]
    return (examples["default"] if name == _PLAIN else examples[name])["value"]


def _shape(value: Any) -> Any:
    """Members and types; of a list the first item counts."""
    match value:
        case dict():
            members: Document = {**value}
            return {name: _shape(member) for name, member in members.items()}
        case [first, *_]:
            return [_shape(first)]
        case _:
            return type(value).__name__
