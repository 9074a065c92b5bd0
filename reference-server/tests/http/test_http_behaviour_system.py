"""Operational events: what happens is published to the app `_system`, as the contract shows it."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from http_lab import Client, Document, Lab, eventually
from http_sink import Open, Sink, path_to, reply

from hookwright_server.domain.contract import Limits
from hookwright_server.http.edge import gate

_AT_ONCE: Document = {"delays_seconds": [], "jitter": 0}
_NOBODY = "http://127.0.0.1:1/"
_SCHEMAS = {
    name: hook["post"]["requestBody"]["content"]["application/json"]["schema"]
    for name, hook in gate.document()["webhooks"].items()
}


@pytest.fixture
def client(lab: Lab) -> Client:
    """The owner of a server of the test's own: `_system` is one for a whole account."""
    return lab.client


@pytest.fixture
def listener(sink: Open) -> Sink:
    """Answers 200 always."""
    return sink()


def _listen(client: Client, url: str, *events: str) -> Document:
    """An endpoint of `_system`, which is made when it is not there."""
    client.put("/v1/apps/_system", {}).require(200)
    fields = {"events": list(events)} if events else {}
    return client.new_endpoint("_system", url, retry_policy=_AT_ONCE, **fields)


def _endpoint(client: Client, url: str = _NOBODY) -> Document:
    """An endpoint of an app of its own, which is tried once."""
    return client.new_endpoint(client.new_app()["slug"], url, retry_policy=_AT_ONCE)


def _publish(client: Client, endpoint: Document, times: int = 1) -> list[str]:
    """Publish events to the endpoint, each when the last has ended; ids of their deliveries."""
    sent: list[str] = []
    for _ in range(times):
        accepted = client.trigger(endpoint["app_slug"], endpoint_ids=[endpoint["id"]])
        sent += accepted["delivery_ids"]
        client.finished(sent[-1])
    return sent


def _told(sink: Sink, count: int) -> list[Document]:
    """The events that the sink got, once it got `count`; each is held against the contract."""
    eventually(lambda: len(sink.got), lambda found: found >= count)
    bodies: list[Document] = [json.loads(got.body) for got in sink.got]
    for body in bodies:
        schema: Any = {**_SCHEMAS[body["type"]], "components": gate.document()["components"]}
        jsonschema_rs.validate(schema, body)
    return bodies


def _messages(client: Client) -> list[Document]:
    found: list[Document] = client.get("/v1/apps/_system/messages?limit=100").require(200)["data"]
    return found


def test_failing_and_recovered(client: Client, listener: Sink, sink: Open) -> None:
    """The fifth failure in a row is told once, and so is the success that ends the row."""
    bad = sink(*[reply(500)] * 7, reply(200))
    _listen(client, listener.url, "endpoint.*")
    endpoint = _endpoint(client, bad.url)
    _publish(client, endpoint, 9)

    failing, recovered = _told(listener, 2)
    place = {"app_slug": endpoint["app_slug"], "endpoint_id": endpoint["id"], "url": bad.url}
    began_at = failing["data"].pop("first_failure_at")
    assert ["endpoint.failing", "endpoint.recovered"] == [failing["type"], recovered["type"]]
    reason = {"last_failure_reason": "http_5xx", "last_status_code": 500}
    assert {**place, **reason, "consecutive_failures": 5} == failing["data"]
    assert {**place, "failing_since": began_at} == recovered["data"]


def test_dead_letter(client: Client, listener: Sink) -> None:
    """Each delivery that used up its attempts is told, with where to look for it."""
    _listen(client, listener.url, "delivery.dead_letter")
    sent = _publish(client, _endpoint(client), 2)

    told = [each["data"] for each in _told(listener, 2)]
    assert sorted(sent) == sorted(each["delivery_id"] for each in told)
    names = ("attempt_count", "last_failure_reason", "last_status_code", "event_name")
    assert {(1, "connect_error", None, "order.paid")} == {
        tuple(each[name] for name in names) for each in told
    }


def test_disabled(client: Client, listener: Sink, sink: Open) -> None:
    """By an answer 410 or by request, once each; enabling is told nobody."""
    _listen(client, listener.url, "endpoint.disabled")
    endpoint = _endpoint(client, sink(reply(410)).url)
    _publish(client, endpoint)
    _told(listener, 1)
    for change in ("disable", "enable", "disable", "disable"):
        client.post(f"{path_to(endpoint)}/{change}").require(200)

    told = [each["data"] for each in _told(listener, 2)]
    assert ["gone", "manual"] == [each["reason"] for each in told]
    shown = client.get(path_to(endpoint)).require(200)
    assert shown["disabled_at"] == told[1]["disabled_at"]


def test_it_publishes_nothing_about_itself(client: Client, sink: Open) -> None:
    """Endpoints of `_system` may fail, end in dead letters and be disabled: nobody is told."""
    listener = _listen(client, sink(*[reply(500)] * 6, reply(410)).url)
    _publish(client, _endpoint(client), 7)
    found = eventually(lambda: client.get(path_to(listener)).json, lambda row: not row["active"])
    client.post(f"{path_to(listener)}/enable").require(200)
    client.post(f"{path_to(listener)}/disable").require(200)

    # Seven dead letters and one failing endpoint, all of the other app.
    assert "gone" == found["disabled_reason"]
    assert ["delivery.dead_letter"] * 7 + ["endpoint.failing"] == sorted(
        message["event_name"] for message in _messages(client)
    )


def test_without_endpoints_nothing_is_written(client: Client) -> None:
    """An account without `_system`, or with nobody listening there, gets no messages."""
    endpoint = _endpoint(client)
    _publish(client, endpoint)
    client.put("/v1/apps/_system", {}).require(200)
    _publish(client, endpoint)

    assert [] == _messages(client)


def test_subscriptions_are_those_of_any_endpoint(client: Client, listener: Sink) -> None:
    """Who did not subscribe is counted as filtered, and gets nothing."""
    _listen(client, listener.url, "endpoint.disabled")
    _publish(client, _endpoint(client))

    (message,) = _messages(client)
    names = ("event_name", "endpoint_count", "filtered_count")
    assert ("delivery.dead_letter", 0, 1) == tuple(message[name] for name in names)
    assert [] == listener.got


def test_filters_are_those_of_any_endpoint(client: Client, sink: Open) -> None:
    """An endpoint gets what its filter accepts; the rest is counted as filtered."""
    one, other = _endpoint(client), _endpoint(client)
    chosen = sink()
    client.put("/v1/apps/_system", {}).require(200)
    rules = {"payload.endpoint_id": other["id"]}
    client.new_endpoint("_system", chosen.url, retry_policy=_AT_ONCE, filter_rules=rules)
    for endpoint in (one, other):
        _publish(client, endpoint)

    (told,) = _told(chosen, 1)
    assert other["id"] == told["data"]["endpoint_id"]
    assert [0, 1] == [message["filtered_count"] for message in _messages(client)]


def test_replay_completed(client: Client, listener: Sink) -> None:
    """A task that is completed is told with its counts, one that is cancelled is not."""
    _listen(client, listener.url, "replay.*")
    endpoint = _endpoint(client)
    sent = _publish(client, endpoint)
    body = {"delivery_ids": [*sent, "del_unknown"]}
    path = f"/v1/apps/{endpoint['app_slug']}/replays"
    task = client.post(path, body).require(202)

    (told,) = _told(listener, 1)
    shown = client.get(f"{path}/{task['id']}").require(200)
    data = told["data"]
    assert (task["id"], endpoint["app_slug"]) == (data.pop("replay_id"), data.pop("app_slug"))
    assert {name: shown[name] for name in data} == data
    assert (1, 1) == (data["replayed_count"], data["skipped_count"])


def test_realms_are_sealed(lab: Lab, client: Client, listener: Sink) -> None:
    """What happens in the other environment, or in another account, is not told here."""
    _listen(client, listener.url)
    for key in (lab.owner.test_key, lab.stranger.live_key):
        other = client.with_key(key)
        _publish(other, _endpoint(other))

    assert [] == _messages(client)


def test_nobody_else_publishes_to_it(client: Client) -> None:
    """Triggering `_system` is forbidden; another app cannot take its name."""
    client.put("/v1/apps/_system", {}).require(200)
    body: Document = {"event_name": "endpoint.failing", "payload": {}}
    sent = client.post("/v1/apps/_system/trigger", body)
    made = client.post("/v1/apps", {"name": "An app", "slug": "_system"})

    assert (403, "forbidden") == (sent.status, sent.code)
    assert (400, "validation_error") == (made.status, made.code)


def test_there_is_room_for_few_endpoints(client: Client) -> None:
    """One more than the contract allows is refused; a deleted one makes room, and others' apps
    are not concerned."""
    made = [_listen(client, _NOBODY) for _ in range(Limits.system_endpoints)]
    body = {"url": _NOBODY}
    refused = client.post("/v1/apps/_system/endpoints", body)
    client.delete(f"/v1/apps/_system/endpoints/{made[0]['id']}").require(204)
    client.post("/v1/apps/_system/endpoints", body).require(201)
    slug = client.new_app()["slug"]
    others = [client.new_endpoint(slug, _NOBODY) for _ in range(Limits.system_endpoints + 1)]

    assert (409, "too_many_endpoints") == (refused.status, refused.code)
    assert Limits.system_endpoints + 1 == len(others)
