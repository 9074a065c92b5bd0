"""Events with an `ordering_key`: one at a time, in the order in which they were accepted."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from http_lab import Client, Document, Lab, eventually
from http_sink import ONCE, Open, Sink, parsed, reply, waits

SOON = waits(0.05, 0.05)


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def publish(client: Client, slug: str, number: int, key: str | None = "a") -> str:
    """Publish an event; its delivery."""
    order = {} if key is None else {"ordering_key": key}
    delivery: str = client.trigger(slug, {"number": number}, **order)["delivery_ids"][0]
    return delivery


def numbers(receiver: Sink) -> list[int]:
    """What arrived, in order."""
    return [json.loads(got.body)["data"]["number"] for got in receiver.got]


def now_of(client: Client, seconds: float) -> str:
    """So much later than now by the server's clock."""
    sent = client.trigger(client.new_app()["slug"])
    at = client.get(f"/v1/apps/-/messages/{sent['message_id']}").require(200)["created_at"]
    later = parsed(at) + timedelta(seconds=seconds)
    return later.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def act(client: Client, slug: str, verb: str, delivery_id: str, status: int = 200) -> Document:
    """Steer a delivery."""
    path = f"/v1/apps/{slug}/deliveries/{delivery_id}/{verb}"
    found: Document = client.post(path).require(status)
    return found


def test_the_key_and_the_place_are_shown(client: Client, slug: str, sink: Open) -> None:
    """On the message and on its deliveries; null without a key."""
    client.new_endpoint(slug, sink(reply(200)).url)
    first, second = publish(client, slug, 1), publish(client, slug, 2)
    free = publish(client, slug, 3, key=None)
    shown = [client.finished(one, "delivered") for one in (first, second, free)]
    path = f"/v1/apps/{slug}/messages/{shown[1]['message_id']}"

    assert [("a", 1), ("a", 2), (None, None)] == [
        (one["ordering_key"], one["sequence"]) for one in shown
    ]
    assert "a" == client.get(path).require(200)["ordering_key"]


def test_many_arrive_in_order(client: Client, slug: str, sink: Open) -> None:
    """One attempt at a time, although the endpoint takes more and some attempts fail."""
    receiver = sink(reply(200), reply(500), reply(200), reply(503), reply(500), reply(200))
    client.new_endpoint(slug, receiver.url, retry_policy=SOON)
    events = [
        {"event_name": "a.b", "payload": {"number": n}, "ordering_key": "a"} for n in range(20)
    ]
    path = f"/v1/apps/{slug}/trigger/batch"
    sent = client.post(path, {"events": events}).require(202)
    last = sent["results"][-1]["delivery_ids"][0]
    client.finished(last, "delivered")
    arrived = numbers(receiver)

    assert sorted(arrived) == arrived
    assert list(range(20)) == sorted(set(arrived))
    assert 23 == len(arrived)
    assert 1 == receiver.most_under_way


def test_a_failing_head_blocks_until_it_is_dead(client: Client, slug: str, sink: Open) -> None:
    """Other keys go meanwhile; with its last attempt the next one goes."""
    receiver = sink(reply(500))
    client.new_endpoint(slug, receiver.url, retry_policy=waits(1))
    first, second = publish(client, slug, 1), publish(client, slug, 2)
    other = publish(client, slug, 3, key="b")
    eventually(lambda: client.delivery(other)["attempt_count"] == 1)
    waiting = client.delivery(second)

    assert ("pending", 0, None) == (
        waiting["status"],
        waiting["attempt_count"],
        waiting["next_attempt_at"],
    )
    client.finished(first, "dead_letter")
    receiver.answer_with(reply(200))
    client.finished(second, "delivered", "dead_letter")
    assert client.delivery(first)["completed_at"] <= client.attempts(second)[-1]["created_at"]


def test_replays_and_retries_stand_outside(client: Client, slug: str, sink: Open) -> None:
    """They go although an earlier delivery of the key is under way."""
    receiver = sink(reply(400), reply(500))
    client.new_endpoint(slug, receiver.url, retry_policy=waits(604800))
    failed, blocking = publish(client, slug, 1), publish(client, slug, 2)
    client.finished(failed, "failed")
    eventually(lambda: client.delivery(blocking)["attempt_count"] == 1)
    receiver.answer_with(reply(200))
    replayed = act(client, slug, "replay", failed, 201)
    act(client, slug, "retry", failed)

    assert (None, None) == (replayed["ordering_key"], replayed["sequence"])
    client.finished(replayed["id"], "delivered")
    assert 1 == client.finished(failed, "delivered")["sequence"]
    assert "pending" == client.delivery(blocking)["status"]


def test_a_cancelled_head_lets_the_next_one_go(client: Client, slug: str, sink: Open) -> None:
    """At once."""
    receiver = sink(reply(500))
    client.new_endpoint(slug, receiver.url, retry_policy=waits(604800))
    first, second = publish(client, slug, 1), publish(client, slug, 2)
    eventually(lambda: client.delivery(first)["attempt_count"] == 1)
    receiver.answer_with(reply(200))
    act(client, slug, "cancel", first)

    client.finished(second, "delivered")


def test_an_expired_head_lets_the_next_one_go(lab: Lab, sink: Open) -> None:
    """When it expires, although its next attempt was planned for much later; none is shown."""
    client, receiver = lab.client, sink(reply(500), reply(200))
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, receiver.url, retry_policy=waits(604800))
    sent = client.trigger(slug, ordering_key="a", expires_at=now_of(client, 60))
    first, second = sent["delivery_ids"][0], publish(client, slug, 2)
    eventually(lambda: client.delivery(first)["attempt_count"] == 1)
    waiting = client.delivery(first)
    client.advance("PT61S")

    assert ("pending", None) == (waiting["status"], waiting["next_attempt_at"])
    assert "expired" == client.finished(first, "cancelled")["cancel_reason"]
    client.finished(second, "delivered")


def test_a_gone_endpoint_holds_the_rest(client: Client, slug: str, sink: Open) -> None:
    """After 410 the next one is held; released it goes, in order."""
    receiver = sink(reply(410), reply(200))
    endpoint = client.new_endpoint(slug, receiver.url, retry_policy=ONCE)
    first, second, third = (publish(client, slug, number) for number in (1, 2, 3))
    client.finished(first, "failed")
    assert ["held", "held"] == [client.delivery(one)["status"] for one in (second, third)]
    client.post(f"/v1/apps/{slug}/endpoints/{endpoint['id']}/enable", {}).require(200)
    client.finished(third, "delivered")

    assert [1, 2, 3] == numbers(receiver)


def test_a_time_of_its_own_is_refused(client: Client, slug: str) -> None:
    """422 `not_schedulable`, alone and in a batch, where the others are accepted."""
    event: Document = {"event_name": "a.b", "payload": {}, "ordering_key": "a"}
    late: Document = event | {"deliver_at": "2000-01-01T00:00:00Z"}
    answer = client.post(f"/v1/apps/{slug}/trigger", late)
    batch = client.post(f"/v1/apps/{slug}/trigger/batch", {"events": [late, event]}).require(202)

    assert (422, "not_schedulable") == (answer.status, answer.code)
    assert [("/deliver_at", "not_schedulable")] == answer.faults
    assert [False, True] == [one["success"] for one in batch["results"]]
    assert "not_schedulable" == batch["results"][0]["error"]["code"]


@pytest.mark.parametrize("key", ["", "x" * 129, "ä", None, 1, "a\n"])
def test_a_key_that_breaks_the_form_is_refused(client: Client, slug: str, key: object) -> None:
    """1 to 128 characters of visible ASCII and spaces."""
    event: Document = {"event_name": "a.b", "payload": {}, "ordering_key": key}

    assert 400 == client.post(f"/v1/apps/{slug}/trigger", event).status


def test_a_repeat_takes_no_place(client: Client, slug: str, sink: Open) -> None:
    """Under the same idempotency key the event is published once."""
    client.new_endpoint(slug, sink(reply(200)).url)
    event: Document = {"event_name": "a.b", "payload": {}, "ordering_key": "a"}
    path, key = f"/v1/apps/{slug}/trigger", {"Idempotency-Key": "once"}
    answers = [client.post(path, event, **key).require(202) for _ in range(3)]
    later = client.post(path, event).require(202)

    assert 1 == len({answer["message_id"] for answer in answers})
    assert 2 == client.delivery(later["delivery_ids"][0])["sequence"]
