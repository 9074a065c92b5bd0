"""The libraries that receivers already have verify our requests unchanged."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import standardwebhooks
import svix
from http_lab import Client
from http_payloads import PAYLOADS, publish
from http_sink import Open, Sink, path_to

from hookwright.webhooks import Webhook

Library = Callable[[str], Any]
LIBRARIES = pytest.mark.parametrize(
    "library", [standardwebhooks.Webhook, svix.Webhook, Webhook], ids=["standard", "svix", "ours"]
)


@pytest.fixture
def receiver(sink: Open) -> Sink:
    """Answers 200 always."""
    return sink()


@LIBRARIES
def test_libraries_verify_every_payload(client: Client, receiver: Sink, library: Library) -> None:
    """Unicode, large and key-order-sensitive payloads verify, and arrive byte for byte."""
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url)
    verifier = library(endpoint["signing_secret"])
    for payload in PAYLOADS.values():
        publish(client, endpoint["app_slug"], payload)
        got = receiver.last
        verifier.verify(got.body, dict(got.headers))

        assert got.body.endswith(b'"data":' + payload + b"}")
        with pytest.raises(Exception, match="ignature"):
            verifier.verify(got.body.replace(b"order.paid", b"order.none"), dict(got.headers))


@LIBRARIES
@pytest.mark.parametrize("source", ["endpoint", "app"])
def test_libraries_verify_during_a_rotation(
    client: Client, receiver: Sink, library: Library, source: str
) -> None:
    """During the overlap the holders of the old and of the new secret verify the same request."""
    app = client.new_app()
    endpoint = client.new_endpoint(app["slug"], receiver.url, signing={"source": source})
    owner, path = (
        (app, f"/v1/apps/{app['slug']}") if source == "app" else (endpoint, path_to(endpoint))
    )
    rotated = client.post(f"{path}/rotate-secret", {"overlap_seconds": 600}).require(200)
    publish(client, app["slug"], PAYLOADS["unicode"])
    got = receiver.last

    assert 2 == len(got.signatures)
    for secret in (owner["signing_secret"], rotated["signing_secret"]):
        library(secret).verify(got.body, dict(got.headers))


@LIBRARIES
def test_libraries_pass_over_ed25519(client: Client, receiver: Sink, library: Library) -> None:
    """While a switch to v1a lasts, a library that knows v1 alone goes on verifying."""
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url)
    client.patch(path_to(endpoint), {"signing": {"scheme": "v1a"}}).require(200)
    publish(client, endpoint["app_slug"], PAYLOADS["unicode"])
    got = receiver.last

    assert ["v1a", "v1"] == [each.partition(",")[0] for each in got.signatures]
    library(endpoint["signing_secret"]).verify(got.body, dict(got.headers))


def test_our_library_verifies_ed25519(client: Client, receiver: Sink) -> None:
    """The SDK needs the public key alone, which the API shows."""
    endpoint = client.new_endpoint(
        client.new_app()["slug"], receiver.url, signing={"scheme": "v1a"}
    )
    public = client.get(f"{path_to(endpoint)}/public-key").require(200)["public_key"]
    for payload in PAYLOADS.values():
        publish(client, endpoint["app_slug"], payload)
        got = receiver.last

        assert json.loads(got.body) == Webhook(public).verify(got.body, got.headers)
    assert 64 == len(base64.b64decode(endpoint["signing_secret"].removeprefix("whsk_")))
