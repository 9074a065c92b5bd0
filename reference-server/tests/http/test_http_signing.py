"""Signatures, verified by the Standard Webhooks library on what came over the wire."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from http_lab import Client, Lab
from http_receivers import Mailbox, Received
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

Box = tuple[Mailbox, str]


def _verifies(secret: str, got: Received) -> bool:
    # The library looks at the clock of the machine, which a test clock leaves behind.
    webhook = Webhook(secret)
    signed = Webhook(secret).sign(
        got.headers["webhook-id"],
        datetime.fromtimestamp(int(got.headers["webhook-timestamp"]), tz=UTC),
        got.body.decode(),
    )
    if signed not in got.headers["webhook-signature"].split(" "):
        return False
    try:
        webhook.verify(got.body, got.headers)
    except WebhookVerificationError as error:
        assert "timestamp" in str(error).lower()  # the signature above is right
    except ValueError as error:  # verified, but Python refuses to read its numbers
        assert "digits" in str(error)
    return True


def _signed_by(box: Mailbox, client: Client, slug: str, secrets: list[str]) -> list[bool]:
    """Which of `secrets` sign a fresh delivery; nothing else does."""
    count = len(box.received) + 1
    client.finished(client.trigger(slug)["delivery_ids"][0], "delivered")
    got = box.last(count)
    verdict = [_verifies(secret, got) for secret in secrets]
    assert sum(verdict) == len(got.headers["webhook-signature"].split(" "))
    return verdict


def test_a_delivery_verifies(client: Client, mailbox: Box) -> None:
    """Everything the standard asks for, and the body as documented."""
    box, url = mailbox
    slug = client.new_app()["slug"]
    secret = client.new_endpoint(slug, url)["signing_secret"]
    sent = client.trigger(slug, {"b": 1, "a": [1.50, "\u00fc"]})
    client.finished(sent["delivery_ids"][0], "delivered")
    got = box.one()
    document = Webhook(secret).verify(got.body, got.headers)
    message = client.get(f"/v1/apps/{slug}/messages/{sent['message_id']}").json

    assert 32 == len(base64.b64decode(secret.removeprefix("whsec_")))
    assert sent["message_id"] == got.headers["webhook-id"]
    assert ["type", "timestamp", "data"] == list(document)
    assert ("order.paid", message["created_at"]) == (document["type"], document["timestamp"])
    assert {"b": 1, "a": [1.5, "\u00fc"]} == document["data"]
    assert "application/json" == got.headers["content-type"]
    assert got.headers["user-agent"].startswith("Hookwright/")


@pytest.mark.parametrize("owner", ["endpoint", "app"])
def test_rotation_overlaps(lab: Lab, mailbox: Box, owner: str) -> None:
    """Both secrets sign until the overlap ends; then the new one alone."""
    box, url = mailbox
    client = lab.client
    app = client.new_app()
    slug = app["slug"]
    endpoint = client.new_endpoint(slug, url, signing={"source": owner})
    old = (endpoint if owner == "endpoint" else app)["signing_secret"]
    base = f"/v1/apps/{slug}"
    path = f"{base}/endpoints/{endpoint['id']}" if owner == "endpoint" else base
    before = _signed_by(box, client, slug, [old])
    rotated = client.post(f"{path}/rotate-secret", {"overlap_seconds": 3600}).require(200)
    secrets = [old, rotated["signing_secret"]]
    during = _signed_by(box, client, slug, secrets)
    client.advance("PT59M50S")
    still = _signed_by(box, client, slug, secrets)
    client.advance("PT20S")
    after = _signed_by(box, client, slug, secrets)

    assert [True] == before
    assert ([True, True], [True, True], [False, True]) == (during, still, after)
    assert rotated["previous_valid_until"] is not None


def test_rotation_without_overlap_ends_the_old_secret_at_once(
    client: Client, mailbox: Box
) -> None:
    """`overlap_seconds: 0` after a leak: the next delivery is signed by the new secret alone."""
    box, url = mailbox
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(slug, url)
    path = f"/v1/apps/{slug}/endpoints/{endpoint['id']}/rotate-secret"
    first = client.post(path, {}).require(200)  # the default overlap is a day
    second = client.post(path, {"overlap_seconds": 0}).require(200)
    secrets = [endpoint["signing_secret"], first["signing_secret"], second["signing_secret"]]

    assert (True, None) == (
        first["previous_valid_until"] is not None,
        second["previous_valid_until"],
    )
    assert [False, False, True] == _signed_by(box, client, slug, secrets)


def test_a_later_rotation_never_lengthens_an_overlap(lab: Lab, mailbox: Box) -> None:
    """What was said to end in a minute ends in a minute."""
    box, url = mailbox
    client = lab.client
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(slug, url)
    path = f"/v1/apps/{slug}/endpoints/{endpoint['id']}/rotate-secret"
    first = client.post(path, {"overlap_seconds": 60}).require(200)["signing_secret"]
    second = client.post(path, {"overlap_seconds": 604_800}).require(200)["signing_secret"]
    secrets = [endpoint["signing_secret"], first, second]
    during = _signed_by(box, client, slug, secrets)
    client.advance("PT61S")

    assert [True, True, True] == during
    assert [False, True, True] == _signed_by(box, client, slug, secrets)


def test_switching_the_source_keeps_both_for_a_day(lab: Lab, mailbox: Box) -> None:
    """From the endpoint's secret to the app's: both sign for 24 hours, then the new source."""
    box, url = mailbox
    client = lab.client
    app = client.new_app()
    slug = app["slug"]
    endpoint = client.new_endpoint(slug, url)
    secrets = [endpoint["signing_secret"], app["signing_secret"]]
    path = f"/v1/apps/{slug}/endpoints/{endpoint['id']}"
    before = _signed_by(box, client, slug, secrets)
    switched = client.patch(path, {"signing": {"source": "app"}}).require(200)
    during = _signed_by(box, client, slug, secrets)
    client.advance("PT23H59M")
    still = _signed_by(box, client, slug, secrets)
    client.advance("PT2M")
    after = _signed_by(box, client, slug, secrets)

    assert {"source": "app"} == switched["signing"]
    assert [True, False] == before
    assert ([True, True], [True, True], [False, True]) == (during, still, after)


def test_an_own_secret_signs(client: Client, mailbox: Box) -> None:
    """A secret that the receiver has already is taken, shown once and used."""
    box, url = mailbox
    slug = client.new_app()["slug"]
    secret = "whsec_" + base64.b64encode(bytes(range(40))).decode()
    endpoint = client.new_endpoint(slug, url, signing={"secret": secret})
    path = f"/v1/apps/{slug}/endpoints/{endpoint['id']}"

    assert secret == endpoint["signing_secret"]
    assert [True] == _signed_by(box, client, slug, [secret])
    assert secret not in client.get(path).body.decode()


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_not base64!" + "A" * 32,
        base64.b64encode(bytes(32)).decode(),
        "whsk_" + base64.b64encode(bytes(32)).decode(),
        "",
    ],
)
def test_other_secrets_are_refused_unseen(client: Client, secret: str) -> None:
    """24 to 64 bytes in base64; the refusal does not repeat the text."""
    slug = client.new_app()["slug"]
    body = {"url": "http://127.0.0.1:1/", "signing": {"secret": secret}}
    answer = client.post(f"/v1/apps/{slug}/endpoints", body)

    assert (422, "secret_not_valid") == (answer.status, answer.code)
    assert len(secret) < 8 or secret not in answer.body.decode()


def test_payloads_go_out_byte_for_byte(client: Client, mailbox: Box) -> None:
    """Numbers beyond every float and integer, odd spacing, escapes: nothing is rewritten."""
    box, url = mailbox
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(slug, url)
    payload = (
        b'{ "big":1e400,"neg":-0,"long":%b,"precise":0.10000000000000000000000000001,'
        b'"escape":"\\u00fc\\/\\u2028","raw":"\xc3\xbc","deep":{"z":1,"a":[ ]} }' % (b"9" * 5000)
    )
    body = b'{"event_name":"a.b", "payload": %b}' % payload
    path = f"/v1/apps/{slug}/trigger"
    sent = client.send("POST", path, {"Content-Type": "application/json"}, body).require(202)
    client.finished(sent["delivery_ids"][0], "delivered")
    got = box.one()
    shown = client.get(f"/v1/apps/{slug}/messages/{sent['message_id']}")

    assert got.body.endswith(b'"data":%b}' % payload)
    assert payload in shown.body
    assert _verifies(endpoint["signing_secret"], got)
    assert b'{"type":"a.b","timestamp":' == got.body[:26]
