"""Signatures of scheme `v1a` on real requests: keys, rotation, switches, at both levels."""

from __future__ import annotations

import base64

import pytest
from http_lab import Client, Document, Lab
from http_sink import Got, Open, Sink, path_to

from hookwright.errors import SignatureMismatchError
from hookwright.webhooks import Webhook

_SEED = "whsk_" + base64.b64encode(b"an ed25519 key of our own choice").decode()
_LEVELS = pytest.mark.parametrize("source", ["endpoint", "app"])


def deliver(client: Client, endpoint: Document, sink: Sink) -> Got:
    """Publish an event and wait for it; the request."""
    sent = client.trigger(endpoint["app_slug"], {"n": 1}, endpoint_ids=[endpoint["id"]])
    client.finished(sent["delivery_ids"][0], "delivered")
    return sink.last


def signed_by(got: Got, **keys: str) -> list[str]:
    """The names of those keys that verify, each for one of the signatures, in their order."""
    at = int(got.headers["webhook-timestamp"])

    def name_of(signature: str) -> str:
        headers = {**got.headers, "webhook-signature": signature}
        for name, key in keys.items():
            try:
                Webhook(key, clock=lambda: at).verify(got.body, headers)
            except SignatureMismatchError:
                continue
            return name
        return "somebody else"

    return [name_of(signature) for signature in got.signatures]


def public_keys(client: Client, endpoint: Document) -> list[str]:
    """What the API shows of the endpoint: the current key, then the retiring ones."""
    shown = client.get(f"{path_to(endpoint)}/public-key").require(200)
    return [shown["public_key"], *(key["public_key"] for key in shown["retiring"])]


def rotate(client: Client, endpoint: Document, source: str, overlap_seconds: int) -> Document:
    """Rotate the ed25519 key at the level that signs."""
    if source == "endpoint":
        path = path_to(endpoint)
        body: Document = {"overlap_seconds": overlap_seconds}
    else:
        path = f"/v1/apps/{endpoint['app_slug']}"
        body = {"overlap_seconds": overlap_seconds, "scheme": "v1a"}
    document: Document = client.post(f"{path}/rotate-secret", body).require(200)
    return document


@pytest.fixture
def receiver(sink: Open) -> Sink:
    """Answers 200 always."""
    return sink()


@_LEVELS
def test_the_public_key_verifies(client: Client, receiver: Sink, source: str) -> None:
    """One v1a signature, which the readable public key verifies; the key differs by owner."""
    app = client.new_app()
    signing = {"source": source, "scheme": "v1a"}
    endpoint = client.new_endpoint(app["slug"], receiver.url, signing=signing)
    other = client.new_endpoint(app["slug"], receiver.url, signing=signing)
    (key,) = public_keys(client, endpoint)

    assert signing == endpoint["signing"]
    assert ["key"] == signed_by(deliver(client, endpoint, receiver), key=key)
    assert (source == "app") == ([key] == public_keys(client, other))
    assert endpoint["signing_secret"].startswith("whsk_")


def test_a_private_key_of_the_callers_own_signs(client: Client, receiver: Sink) -> None:
    """A given key is used as it is, and its public key is shown."""
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(slug, receiver.url, signing={"scheme": "v1a", "secret": _SEED})

    assert _SEED == endpoint["signing_secret"]
    assert ["own"] == signed_by(deliver(client, endpoint, receiver), own=_SEED)


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        ("v1a", "whsec_" + base64.b64encode(b"x" * 32).decode()),
        ("v1a", "whpk_" + base64.b64encode(b"x" * 32).decode()),
        ("v1a", "whsk_" + base64.b64encode(b"x" * 64).decode()),
        ("v1", _SEED),
    ],
)
def test_a_secret_of_another_scheme_is_refused(
    client: Client, receiver: Sink, scheme: str, secret: str
) -> None:
    """A secret that the scheme cannot sign with is 422, and nothing is made."""
    slug = client.new_app()["slug"]
    body = {"url": receiver.url, "signing": {"scheme": scheme, "secret": secret}}
    answer = client.post(f"/v1/apps/{slug}/endpoints", body)

    assert (422, "secret_not_valid") == (answer.status, answer.code)
    assert [] == client.get(f"/v1/apps/{slug}/endpoints").json["data"]


@_LEVELS
def test_both_keys_sign_until_the_overlap_ends(lab: Lab, receiver: Sink, source: str) -> None:
    """Rotation with an overlap: both public keys are shown and verify; then the new one alone."""
    client = lab.client
    endpoint = client.new_endpoint(
        client.new_app()["slug"], receiver.url, signing={"source": source, "scheme": "v1a"}
    )
    (old,) = public_keys(client, endpoint)
    rotated = rotate(client, endpoint, source, 600)
    new, *retiring = public_keys(client, endpoint)

    assert [old] == retiring
    assert ["new", "old"] == signed_by(deliver(client, endpoint, receiver), new=new, old=old)
    assert ["new"] == signed_by(receiver.last, new=rotated["signing_secret"])[:1]
    client.advance("PT600S")
    assert ["new"] == signed_by(deliver(client, endpoint, receiver), new=new, old=old)
    assert [new] == public_keys(client, endpoint)


@_LEVELS
def test_a_rotation_without_overlap_ends_the_old_key(lab: Lab, receiver: Sink, source: str) -> None:
    """With `overlap_seconds: 0` the next attempt is signed with the new key alone."""
    client = lab.client
    endpoint = client.new_endpoint(
        client.new_app()["slug"], receiver.url, signing={"source": source, "scheme": "v1a"}
    )
    (old,) = public_keys(client, endpoint)
    rotated = rotate(client, endpoint, source, 0)
    (new,) = public_keys(client, endpoint)

    assert rotated["previous_valid_until"] is None
    assert ["new"] == signed_by(deliver(client, endpoint, receiver), new=new, old=old)


def test_an_apps_schemes_are_rotated_apart(client: Client, receiver: Sink) -> None:
    """Rotating an app's v1 secret leaves its ed25519 key, and the other way round."""
    app = client.new_app()
    v1, v1a = (
        client.new_endpoint(app["slug"], receiver.url, signing={"source": "app", "scheme": scheme})
        for scheme in ("v1", "v1a")
    )
    (key,) = public_keys(client, v1a)
    new = rotate(client, v1a, "app", 0)["signing_secret"]
    assert ["symmetric"] == deliver(client, v1, receiver).signed_by(symmetric=app["signing_secret"])
    client.post(f"/v1/apps/{app['slug']}/rotate-secret", {"overlap_seconds": 0}).require(200)

    assert ["new"] == signed_by(deliver(client, v1a, receiver), old=key, new=new)


@pytest.mark.parametrize(("first", "second"), [("v1", "v1a"), ("v1a", "v1")])
@_LEVELS
def test_a_switch_of_the_scheme_keeps_both_for_a_day(
    lab: Lab, receiver: Sink, source: str, first: str, second: str
) -> None:
    """After a switch both schemes sign for 24 hours, the new one first; then it alone."""
    client = lab.client
    endpoint = client.new_endpoint(
        client.new_app()["slug"], receiver.url, signing={"source": source, "scheme": first}
    )
    switched = client.patch(path_to(endpoint), {"signing": {"scheme": second}}).require(200)

    def schemes() -> list[str]:
        return [each.split(",")[0] for each in deliver(client, endpoint, receiver).signatures]

    assert {"source": source, "scheme": second} == switched["signing"]
    assert [second, first] == schemes()
    client.advance("PT86390S")
    assert [second, first] == schemes()
    client.advance("PT20S")
    assert [second] == schemes()


def test_an_endpoints_rotation_ends_what_its_other_scheme_left(
    client: Client, receiver: Sink
) -> None:
    """After a switch `overlap_seconds: 0` leaves nothing but the new key."""
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url)
    client.patch(path_to(endpoint), {"signing": {"scheme": "v1a"}}).require(200)
    new = rotate(client, endpoint, "endpoint", 0)["signing_secret"]

    assert ["new"] == signed_by(deliver(client, endpoint, receiver), new=new)


def test_v1_has_no_public_key(client: Client, receiver: Sink) -> None:
    """While the scheme is v1 there is nothing to show: 404."""
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url)
    answer = client.get(f"{path_to(endpoint)}/public-key")

    assert (404, "not_found") == (answer.status, answer.code)


@pytest.mark.parametrize("signing", [{}, {"scheme": "v2"}, {"scheme": None}])
def test_an_update_says_what_changes(client: Client, receiver: Sink, signing: Document) -> None:
    """An empty change of the signing, or an unknown scheme, is 400."""
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url)
    answer = client.patch(path_to(endpoint), {"signing": signing})

    assert (400, "validation_error") == (answer.status, answer.code)
