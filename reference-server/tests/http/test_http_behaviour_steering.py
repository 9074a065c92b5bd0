"""Steering what was accepted: cancelling, expunging, replaying; tags, times and dry runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from http_lab import Client, Document, Lab, eventually
from http_sink import ONCE, Open, parsed, path_to, reply, waits

NOWHERE = "http://127.0.0.1:1/hook"


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def act(client: Client, slug: str, verb: str, delivery_id: str, status: int = 200) -> Document:
    """Steer a delivery."""
    path = f"/v1/apps/{slug}/deliveries/{delivery_id}/{verb}"
    found: Document = client.post(path).require(status)
    return found


def now_of(client: Client, seconds: float = 0) -> str:
    """The server's time, and so much later."""
    sent = client.trigger(client.new_app()["slug"])
    at = client.get(f"/v1/apps/-/messages/{sent['message_id']}").require(200)["created_at"]
    later = parsed(at) + timedelta(seconds=seconds)
    return later.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Cancelling


@pytest.mark.parametrize("status", ["pending", "held"])
def test_what_waits_is_cancelled(client: Client, slug: str, sink: Open, status: str) -> None:
    """It ends at once with the reason `user`; cancelling it again changes nothing."""
    receiver = sink(reply(500))
    client.new_endpoint(slug, receiver.url, retry_policy=waits(604800), active=status == "pending")
    delivery = client.trigger(slug)["delivery_ids"][0]
    if status == "pending":
        eventually(lambda: client.delivery(delivery)["attempt_count"] == 1)
    client.finished(delivery, status)
    cancelled = act(client, slug, "cancel", delivery)

    assert ("cancelled", "user", None, True) == (
        cancelled["status"],
        cancelled["cancel_reason"],
        cancelled["next_attempt_at"],
        cancelled["completed_at"] is not None,
    )
    assert cancelled == act(client, "-", "cancel", delivery) == client.delivery(delivery)


@pytest.mark.parametrize(
    ("answer", "end"),
    [(reply(500), "cancelled"), (reply(200), "delivered"), (reply(400), "failed")],
)
def test_what_is_being_sent_finishes_and_nothing_follows(
    client: Client, slug: str, sink: Open, answer: bytes, end: str
) -> None:
    """The attempt under way decides; only where it would be repeated it is cancelled."""
    receiver = sink(answer)
    receiver.hold()
    client.new_endpoint(slug, receiver.url, retry_policy=waits(0, 0, 0))
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.finished(delivery, "sending")
    during = act(client, slug, "cancel", delivery)
    receiver.let_go()
    after = client.finished(delivery)

    assert ("sending", "user", None) == (
        during["status"],
        during["cancel_reason"],
        during["completed_at"],
    )
    assert (end, "user" if end == "cancelled" else None, 1, None) == (
        after["status"],
        after["cancel_reason"],
        after["attempt_count"],
        after["next_attempt_at"],
    )
    assert after["completed_at"] is not None
    assert 1 == len(receiver.got)


def test_what_has_ended_is_not_cancelled(client: Client, slug: str, sink: Open) -> None:
    """The answer shows how it ended."""
    client.new_endpoint(slug, sink(reply(200)).url)
    delivery = client.trigger(slug)["delivery_ids"][0]
    delivered = client.finished(delivery, "delivered")

    assert delivered == act(client, slug, "cancel", delivery)


def test_a_message_is_cancelled_everywhere(client: Client, slug: str, sink: Open) -> None:
    """What waits, what is held and what is being sent; what has ended stays."""
    slow, good = sink(reply(500)), sink(reply(200))
    slow.hold()
    client.new_endpoint(slug, good.url)
    client.new_endpoint(slug, slow.url, retry_policy=waits(0, 0))
    client.new_endpoint(slug, NOWHERE, active=False)
    client.new_endpoint(slug, NOWHERE, retry_policy=waits(604800))
    sent = client.trigger(slug)
    done, sending, held, pending = sent["delivery_ids"]
    client.finished(done, "delivered")
    client.finished(sending, "sending")
    eventually(lambda: client.delivery(pending)["attempt_count"] == 1)
    path = f"/v1/apps/{slug}/messages/{sent['message_id']}/cancel"
    counts = client.post(path).require(200)
    slow.let_go()

    assert {
        "message_id": sent["message_id"],
        "cancelled_count": 2,
        "sending_count": 1,
    } == counts
    ends = [client.finished(one)["status"] for one in (done, sending, held, pending)]
    assert ["delivered", "cancelled", "cancelled", "cancelled"] == ends
    assert {"cancelled_count": 0, "sending_count": 0} | {
        "message_id": sent["message_id"]
    } == client.post(path).require(200)


# Expunging


def test_an_expunged_message_keeps_its_rows(lab: Lab, sink: Open) -> None:
    """The payload is nowhere any more; its deliveries are, and what waited is cancelled."""
    client, receiver = lab.client, sink(reply(200))
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, receiver.url)
    client.new_endpoint(slug, receiver.url, active=False)
    sent = client.trigger(slug, {"secret": "0123456789"})
    done, held = sent["delivery_ids"]
    client.finished(done, "delivered")
    path = f"/v1/apps/{slug}/messages/{sent['message_id']}"
    expunged = client.post(f"{path}/expunge").require(200)
    shown = client.get(path).require(200)

    assert (None, expunged["expunged_at"]) == (shown["payload"], shown["expunged_at"])
    assert expunged["expunged_at"] is not None
    assert expunged == client.post(f"{path}/expunge").require(200)
    assert {done: "delivered", held: "cancelled"} == {
        row["id"]: row["status"] for row in shown["deliveries"]
    }
    assert "0123456789" not in repr(lab.snapshot())


# Replaying


@pytest.mark.parametrize(
    ("answer", "end"),
    [(reply(200), "delivered"), (reply(404), "failed"), (reply(500), "dead_letter")],
)
def test_what_has_ended_is_replayed(
    client: Client, slug: str, sink: Open, answer: bytes, end: str
) -> None:
    """A new delivery with the same webhook-id and body; the old one stays."""
    receiver = sink(answer, reply(200))
    client.new_endpoint(slug, receiver.url, retry_policy=ONCE)
    sent = client.trigger(slug, {"n": 1.0})
    old = client.finished(sent["delivery_ids"][0], end)
    new = act(client, slug, "replay", old["id"], 201)
    delivered = client.finished(new["id"], "delivered")

    assert (old["id"], sent["message_id"], 1) == (
        delivered["replay_of"],
        delivered["message_id"],
        delivered["attempt_count"],
    )
    assert old["id"] != new["id"]
    assert old == client.delivery(old["id"])
    assert 1 == len({(got.message_id, got.body) for got in receiver.got})
    message = client.get(f"/v1/apps/{slug}/messages/{sent['message_id']}").require(200)
    assert ([new["id"], old["id"]], 1) == (
        [row["id"] for row in message["deliveries"]],
        message["endpoint_count"],
    )


def test_a_replay_gets_the_present_transformation(client: Client, slug: str, sink: Open) -> None:
    """As any attempt does: the endpoint's as it is then."""
    receiver = sink(reply(200))
    endpoint = client.new_endpoint(slug, receiver.url)
    delivery = client.trigger(slug, {"total": 1.0})["delivery_ids"][0]
    client.finished(delivery, "delivered")
    mapped = {"mappings": [{"from": "payload.total", "to": "amount"}]}
    path = f"/v1/apps/{slug}/endpoints/{endpoint['id']}"
    client.patch(path, {"transformation": mapped}).require(200)
    client.finished(act(client, slug, "replay", delivery, 201)["id"], "delivered")

    assert [b'"data":{"total": 1.0}}', b'"data":{"amount":1.0}}'] == [
        got.body[got.body.index(b'"data"') :] for got in receiver.got
    ]


def test_what_was_cancelled_is_replayed(client: Client, slug: str, sink: Open) -> None:
    """To a disabled endpoint it is held, and goes out when that is enabled."""
    receiver = sink(reply(200))
    endpoint = client.new_endpoint(slug, receiver.url, active=False)
    delivery = client.trigger(slug)["delivery_ids"][0]
    act(client, slug, "cancel", delivery)
    new = act(client, slug, "replay", delivery, 201)

    assert "held" == new["status"]
    client.post(f"/v1/apps/{slug}/endpoints/{endpoint['id']}/enable").require(200)
    client.finished(new["id"], "delivered")
    assert 1 == len(receiver.got)


def test_nothing_is_replayed_to_a_deleted_endpoint(client: Client, slug: str) -> None:
    """409 `endpoint_deleted`, and no delivery more."""
    endpoint = client.new_endpoint(slug, NOWHERE, active=False)
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.delete(f"/v1/apps/{slug}/endpoints/{endpoint['id']}").require(204)
    answer = client.post(f"/v1/apps/{slug}/deliveries/{delivery}/replay")

    assert (409, "endpoint_deleted") == (answer.status, answer.code)
    assert 1 == len(client.get(f"/v1/apps/{slug}/deliveries").json["data"])


# Tags


def test_messages_are_found_by_tag(client: Client, slug: str) -> None:
    """By one tag, with the other filters, in all apps or in one."""
    other = client.new_app()["slug"]
    sent = [
        client.trigger(slug, event_name=name, tags=tags)["message_id"]
        for name, tags in (("a.b", ["red", "big one"]), ("a.c", ["red"]), ("a.c", []))
    ]
    elsewhere = client.trigger(other, tags=["red"])["message_id"]

    def found(app: str, query: str) -> list[str]:
        page = client.get(f"/v1/apps/{app}/messages?include_total=true&{query}").require(200)
        assert page["total_count"] == len(page["data"])
        return [row["id"] for row in page["data"]]

    assert [sent[1], sent[0]] == found(slug, "tag=red")
    assert [elsewhere, sent[1], sent[0]] == found("-", "tag=red")
    assert [sent[0]] == found(slug, "tag=big+one")
    assert [sent[1]] == found(slug, "tag=red&event_name=a.c")
    assert [] == found(slug, "tag=re")
    shown = client.get(f"/v1/apps/{slug}/messages/{sent[0]}").require(200)
    assert ["red", "big one"] == shown["tags"]


def test_pages_by_tag_follow_one_another(client: Client, slug: str) -> None:
    """A cursor goes on where the page ended."""
    sent = [client.trigger(slug, tags=["paged"])["message_id"] for _ in range(3)]
    first = client.get(f"/v1/apps/{slug}/messages?tag=paged&limit=2").require(200)
    rest = client.get(
        f"/v1/apps/{slug}/messages?tag=paged&limit=2&cursor={first['next_cursor']}"
    ).require(200)

    assert sent[::-1] == [row["id"] for page in (first, rest) for row in page["data"]]


# Times


def test_nothing_is_sent_before_deliver_at(lab: Lab, sink: Open) -> None:
    """It waits, then goes out with the time of its acceptance."""
    client, receiver = lab.client, sink(reply(200))
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, receiver.url)
    at = now_of(client, 3_600)
    delivery = client.trigger(slug, deliver_at=at)["delivery_ids"][0]
    client.advance("PT59M")
    before = client.delivery(delivery)
    client.advance("PT2M")

    assert ("pending", at, 0) == (
        before["status"],
        before["next_attempt_at"],
        before["attempt_count"],
    )
    assert "delivered" == client.delivery(delivery)["status"]
    assert 1 == len(receiver.got)


@pytest.mark.parametrize("active", [True, False])
def test_nothing_is_sent_from_expires_at_on(lab: Lab, sink: Open, active: bool) -> None:
    """What waits for a retry, or is held, reads as cancelled (`expired`), and can be replayed."""
    client, receiver = lab.client, sink(reply(500))
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(
        slug, receiver.url, retry_policy=waits(5, 3_600, 3_600), active=active
    )
    at = now_of(client, 1_800)
    delivery = client.trigger(slug, expires_at=at)["delivery_ids"][0]
    client.advance("PT29M")
    waiting = client.delivery(delivery)["status"]
    client.advance("PT2M")
    expired = client.delivery(delivery)
    attempts = len(receiver.got)
    client.post(f"/v1/apps/{slug}/endpoints/{endpoint['id']}/enable").require(200)
    client.advance("PT3H")

    assert ("pending" if active else "held", 2 if active else 0) == (waiting, attempts)
    assert ("cancelled", "expired", None, at) == (
        expired["status"],
        expired["cancel_reason"],
        expired["next_attempt_at"],
        expired["completed_at"],
    )
    assert (expired, attempts) == (client.delivery(delivery), len(receiver.got))
    listed = client.get(f"/v1/apps/{slug}/deliveries?status=cancelled").require(200)["data"]
    assert [delivery] == [row["id"] for row in listed]
    receiver.answer_with(reply(200))
    new = act(client, slug, "replay", delivery, 201)
    client.finished(new["id"], "delivered")


def test_an_expired_failure_cannot_be_retried(lab: Lab, sink: Open) -> None:
    """409 `delivery_not_retryable`, which names the instant."""
    client, receiver = lab.client, sink(reply(400))
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, receiver.url)
    at = now_of(client, 60)
    delivery = client.trigger(slug, expires_at=at)["delivery_ids"][0]
    client.finished(delivery, "failed")
    client.advance("PT2M")
    answer = client.post(f"/v1/apps/{slug}/deliveries/{delivery}/retry")

    assert (409, "delivery_not_retryable") == (answer.status, answer.code)
    assert at in answer.json["detail"]


# Dry runs


def test_a_dry_run_writes_nothing(lab: Lab) -> None:
    """It tells where the event would go; the key of idempotency is still free afterwards."""
    client = lab.client
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, NOWHERE, active=False)
    client.new_endpoint(slug, NOWHERE, active=False, events=["other"])
    body: Document = {"event_name": "order.paid", "payload": {}, "tags": ["a"]}
    path = f"/v1/apps/{slug}/trigger"
    before = lab.snapshot()
    dry = client.post(path, {**body, "dry_run": True}, Idempotency_Key="k").require(202)
    unknown = client.post(path, {**body, "dry_run": True, "endpoint_ids": ["ep_x"]})

    assert (1, 1, [], True) == (
        dry["endpoint_count"],
        dry["filtered_count"],
        dry["delivery_ids"],
        dry["dry_run"],
    )
    assert (422, "unknown_endpoint") == (unknown.status, unknown.code)
    assert before == lab.snapshot()
    real = client.post(path, body, Idempotency_Key="k").require(202)
    assert (1, False) == (len(real["delivery_ids"]), real["dry_run"])


def test_a_dry_run_rests_on_what_is(client: Client, slug: str) -> None:
    """Also right after an event that went to an endpoint which has been deleted since."""
    endpoint = client.new_endpoint(slug, NOWHERE, active=False)
    client.trigger(slug)
    client.delete(path_to(endpoint)).require(204)
    alone = client.trigger(slug, dry_run=True)
    event: dict[str, Any] = {"event_name": "a.b", "payload": {}, "dry_run": True}
    batch = {"events": [event]}
    client.new_endpoint(slug, NOWHERE, active=False)
    among = client.post(f"/v1/apps/{slug}/trigger/batch", batch).require(202)["results"][0]

    assert (0, 1) == (alone["endpoint_count"], among["endpoint_count"])


# Deliveries of an endpoint


def test_an_endpoint_lists_its_deliveries(client: Client, slug: str) -> None:
    """The same rows as the list of deliveries with its id, and 404 for an endpoint of others."""
    one, two = (client.new_endpoint(slug, NOWHERE, active=False)["id"] for _ in range(2))
    for name in ("a.b", "a.c"):
        client.trigger(slug, event_name=name)
    path = f"/v1/apps/{slug}/endpoints/{one}/deliveries"
    query = "status=held&event_name=a.b&include_total=true"
    all_of_it = client.get(path).require(200)
    some = client.get(f"{path}?{query}").require(200)

    plain = f"/v1/apps/{slug}/deliveries?endpoint_id={one}"
    assert client.get(plain).require(200) == all_of_it
    assert client.get(f"{plain}&{query}").require(200) == some
    assert (2, 1) == (len(all_of_it["data"]), some["total_count"])
    assert two not in {row["endpoint_id"] for row in all_of_it["data"]}
    assert 404 == client.get(f"/v1/apps/{slug}/endpoints/ep_nobodys/deliveries").status
