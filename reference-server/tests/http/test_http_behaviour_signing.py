"""Signatures on real requests, checked with the library of Standard Webhooks."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime

import pytest
from http_lab import Client, Document, Lab
from http_sink import Got, Open, Sink, path_to, seconds_between
from standardwebhooks import Webhook, WebhookVerificationError

_OWN = "whsec_" + base64.b64encode(b"own secret, 24 bytes ok!").decode()
_DAY = "PT86400S"


def deliver(client: Client, endpoint: Document, sink: Sink) -> Got:
    """Publish an event and wait for it; the request."""
    sent = client.trigger(endpoint["app_slug"], {"n": 1}, endpoint_ids=[endpoint["id"]])
    client.finished(sent["delivery_ids"][0], "delivered")
    assert sent["message_id"] == sink.last.message_id
    return sink.last


@pytest.fixture
def receiver(sink: Open) -> Sink:
    """Answers 200 always."""
    return sink()


@pytest.mark.parametrize("source", ["endpoint", "app"])
def test_the_standard_library_verifies(client: Client, receiver: Sink, source: str) -> None:
    """An unmodified Standard Webhooks library accepts the request, and no other secret."""
    app = client.new_app()
    endpoint = client.new_endpoint(app["slug"], receiver.url, signing={"source": source})
    got = deliver(client, endpoint, receiver)
    right, wrong = app["signing_secret"], endpoint["signing_secret"]
    if source == "endpoint":
        right, wrong = wrong, right

    assert json.loads(got.body) == Webhook(right).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(wrong).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(right).verify(got.body + b" ", got.headers)
    assert 1 == len(got.signatures)
    age = datetime.now(UTC).timestamp() - int(got.headers["webhook-timestamp"])
    assert -1 <= age < 30


def test_a_request_is_one_of_standard_webhooks(client: Client, receiver: Sink) -> None:
    """Method, path, headers and the three members of the body, in their order."""
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url + "?a=1&b=%20c")
    got = deliver(client, endpoint, receiver)
    body = json.loads(got.body)
    message = client.get(f"/v1/apps/-/messages/{got.message_id}").json

    assert got.raw.startswith(b"POST /hook?a=1&b=%20c HTTP/1.1\r\n")
    assert {
        *("host", "content-type", "content-length", "user-agent", "webhook-id"),
        *("webhook-timestamp", "webhook-signature"),
    } == got.headers.keys() - {"accept-encoding"}
    assert "application/json" == got.headers["content-type"]
    assert re.fullmatch(r"Hookwright/\d.*", got.headers["user-agent"])
    assert receiver.url.split("/")[2] == got.headers["host"]
    assert ["type", "timestamp", "data"] == list(body)
    assert ("order.paid", message["created_at"], {"n": 1}) == tuple(body.values())


def test_every_secret_is_its_own(client: Client, receiver: Sink) -> None:
    """Apps and endpoints get different secrets of 32 random bytes."""
    apps = [client.new_app() for _ in range(3)]
    secrets = [app["signing_secret"] for app in apps]
    secrets += [
        client.new_endpoint(app["slug"], receiver.url)["signing_secret"]
        for app in apps
        for _ in range(2)
    ]

    assert 9 == len(set(secrets))
    assert {32} == {len(base64.b64decode(s.removeprefix("whsec_"))) for s in secrets}


def test_a_secret_of_the_callers_own_signs(client: Client, receiver: Sink) -> None:
    """A given secret is used as it is."""
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(slug, receiver.url, signing={"secret": _OWN})

    assert _OWN == endpoint["signing_secret"]
    assert ["own"] == deliver(client, endpoint, receiver).signed_by(own=_OWN)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "plain",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsec_" + base64.b64encode(b"x" * 32).decode().rstrip("="),
        "whsec_" + base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "whsec_" + base64.b64encode(b"x" * 32).decode() + "\n",
        "whsk_" + base64.b64encode(b"x" * 32).decode(),
        "whsec_" + "ü" * 40,
    ],
    ids=repr,
)
def test_a_malformed_secret_is_refused(client: Client, receiver: Sink, secret: str) -> None:
    """What is not `whsec_` and base64 of 24 to 64 bytes is 422, and is not repeated."""
    slug = client.new_app()["slug"]
    body = {"url": receiver.url, "signing": {"secret": secret}}
    answer = client.post(f"/v1/apps/{slug}/endpoints", body)

    assert (422, "secret_not_valid") == (answer.status, answer.code)
    assert [("/signing/secret", "secret_not_valid")] == answer.faults
    assert len(secret) < 8 or json.dumps(secret)[1:-1].encode() not in answer.body
    assert [] == client.get(f"/v1/apps/{slug}/endpoints").json["data"]


def test_both_secrets_sign_until_the_overlap_ends(lab: Lab, receiver: Sink) -> None:
    """Rotation with an overlap: new and old, to the end of the overlap; then the new one."""
    client = lab.client
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url)
    old = endpoint["signing_secret"]
    before = client.advance("PT0S")["now"]
    rotated = client.post(f"{path_to(endpoint)}/rotate-secret", {"overlap_seconds": 600})
    new = rotated.require(200)["signing_secret"]

    assert 600 <= seconds_between(before, rotated.json["previous_valid_until"]) < 630
    got = deliver(client, endpoint, receiver)
    assert ["new", "old"] == got.signed_by(new=new, old=old)
    for secret in (new, old):
        Webhook(secret).verify(got.body, got.headers)
    client.advance("PT590S")
    assert ["new", "old"] == deliver(client, endpoint, receiver).signed_by(new=new, old=old)
    client.advance("PT10S")
    assert ["new"] == deliver(client, endpoint, receiver).signed_by(new=new, old=old)


def test_a_rotation_without_overlap_ends_every_old_secret(lab: Lab, receiver: Sink) -> None:
    """Three secrets sign while overlaps last; `overlap_seconds: 0` leaves the newest alone."""
    client = lab.client
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url)
    path = f"{path_to(endpoint)}/rotate-secret"
    first = endpoint["signing_secret"]
    second = client.post(path, {"overlap_seconds": 60}).require(200)["signing_secret"]
    third = client.post(path, {}).require(200)["signing_secret"]
    known = {"first": first, "second": second, "third": third}

    signed = deliver(client, endpoint, receiver).signed_by(**known)
    assert ("third", {"first", "second"}) == (signed[0], set(signed[1:]))
    client.advance("PT61S")
    assert ["third", "second"] == deliver(client, endpoint, receiver).signed_by(**known)
    last = client.post(path, {"overlap_seconds": 0}).require(200)
    assert last["previous_valid_until"] is None
    signed = deliver(client, endpoint, receiver).signed_by(**known, last=last["signing_secret"])
    assert ["last"] == signed


def test_a_retry_is_signed_with_the_secrets_of_its_moment(lab: Lab, receiver: Sink) -> None:
    """An attempt after a rotation uses the new secret, with a timestamp of its own."""
    client = lab.client
    endpoint = client.new_endpoint(
        client.new_app()["slug"], "http://127.0.0.1:1/", retry_policy={"delays_seconds": [60]}
    )
    delivery = client.trigger(endpoint["app_slug"])["delivery_ids"][0]
    client.advance("PT0S")
    rotated = client.post(f"{path_to(endpoint)}/rotate-secret", {"overlap_seconds": 0}).json
    client.patch(path_to(endpoint), {"url": receiver.url}).require(200)
    client.advance("PT70S")
    client.finished(delivery, "delivered")

    secrets = {"new": rotated["signing_secret"], "old": endpoint["signing_secret"]}
    assert ["new"] == receiver.last.signed_by(**secrets)


@pytest.mark.parametrize(("first", "second"), [("endpoint", "app"), ("app", "endpoint")])
def test_a_switch_of_the_source_keeps_both_for_a_day(
    lab: Lab, receiver: Sink, first: str, second: str
) -> None:
    """After a switch both secrets sign for 24 hours, the new source's first; then it alone."""
    client = lab.client
    app = client.new_app()
    endpoint = client.new_endpoint(app["slug"], receiver.url, signing={"source": first})
    known = {"app": app["signing_secret"], "endpoint": endpoint["signing_secret"]}

    assert [first] == deliver(client, endpoint, receiver).signed_by(**known)
    switched = client.patch(path_to(endpoint), {"signing": {"source": second}}).require(200)
    assert {"source": second, "scheme": "v1"} == switched["signing"]
    assert [second, first] == deliver(client, endpoint, receiver).signed_by(**known)
    client.patch(path_to(endpoint), {"signing": {"source": second}}).require(200)
    client.advance("PT86390S")
    assert [second, first] == deliver(client, endpoint, receiver).signed_by(**known)
    client.advance("PT20S")
    assert [second] == deliver(client, endpoint, receiver).signed_by(**known)


def test_an_apps_rotation_reaches_the_endpoints_that_use_it(lab: Lab, receiver: Sink) -> None:
    """Rotating the app's secret changes endpoints of source `app` and no other."""
    client = lab.client
    app = client.new_app()
    shared = client.new_endpoint(app["slug"], receiver.url, signing={"source": "app"})
    own = client.new_endpoint(app["slug"], receiver.url)
    rotated = client.post(f"/v1/apps/{app['slug']}/rotate-secret", {}).require(200)
    known = {
        "old": app["signing_secret"],
        "new": rotated["signing_secret"],
        "own": own["signing_secret"],
        "unused": shared["signing_secret"],
    }

    assert ["new", "old"] == deliver(client, shared, receiver).signed_by(**known)
    assert ["own"] == deliver(client, own, receiver).signed_by(**known)
    client.advance(_DAY)
    assert ["new"] == deliver(client, shared, receiver).signed_by(**known)


def test_ended_secrets_are_erased(lab: Lab, receiver: Sink) -> None:
    """After the overlap upkeep removes the row, not just its effect."""
    client = lab.client
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url)
    rows = len(lab.snapshot()["signing_secrets"])
    client.post(f"{path_to(endpoint)}/rotate-secret", {"overlap_seconds": 0}).require(200)

    assert rows == len(lab.snapshot()["signing_secrets"])


@pytest.mark.parametrize("source", ["endpoint", "app"])
def test_of_very_many_secrets_the_newest_sign(client: Client, receiver: Sink, source: str) -> None:
    """Ten at most: each would make attempts longer, also those that wait behind them."""
    app = client.new_app()
    endpoint = client.new_endpoint(app["slug"], receiver.url, signing={"source": source})
    path = path_to(endpoint) if source == "endpoint" else f"/v1/apps/{app['slug']}"
    known = {
        str(number): client.post(f"{path}/rotate-secret", {}).require(200)["signing_secret"]
        for number in range(11)
    }
    signed = deliver(client, endpoint, receiver).signed_by(**known)

    assert "10" == signed[0]
    assert sorted(map(str, range(1, 11))) == sorted(signed)
