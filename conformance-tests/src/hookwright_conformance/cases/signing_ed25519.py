"""Signatures of scheme v1a: ed25519 keys, their rotation, switches between the schemes."""

from __future__ import annotations

from hookwright_conformance.answers import status
from hookwright_conformance.case import case
from hookwright_conformance.cases.signing import BODIES, judge, require_genuine
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.receiver import Received
from hookwright_conformance.world import Document, World

ED25519: Document = {"scheme": "v1a"}
# The private key of RFC 8032, section 7.1, test 1, and its public key.
PRIVATE = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
PUBLIC = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def schemes(request: Received) -> list[str]:
    """The schemes of a request's signatures, in their order."""
    parts = (request.header("webhook-signature") or "").split(" ")
    return [part.partition(",")[0] for part in parts]


def public_key(world: World, app: str, endpoint: Document) -> Document:
    """What the API shows of the endpoint's keys."""
    shown = world.api.call("endpoints.get_secret_public_key", app, endpoint["id"], expect=200)
    return dict(shown.json())


@case(
    id="signing.ed25519-verifies-with-the-public-key",
    requirement="SIGN-11",
    profile="ed25519",
    kills=["signs-an-empty-body", "signs-v1-whatever-the-scheme"],
)
def ed25519_verifies_with_the_public_key(world: World) -> None:
    """Every kind of payload, and a retry, verifies with the public key that the API shows."""
    app, hook = world.app(), world.hook(status(500), status(200))
    endpoint = world.endpoint(app, hook, signing=ED25519)
    shown = public_key(world, app, endpoint)
    require_equal("v1a", endpoint["signing"]["scheme"], "signing.scheme")
    require(endpoint["signing_secret"].startswith("whsk_"), "signing_secret", "whsk_…", "another")
    require_equal([], shown["retiring"], "retiring")
    for payload in BODIES:
        world.publish_raw(app, payload)

    for request in hook.wait_for(len(BODIES) + 1, world.patience):
        require_genuine(request, shown["public_key"])
        require_equal(["v1a"], schemes(request), "schemes")


@case(
    id="signing.ed25519-secret-is-shown-once",
    requirement="SIGN-4",
    profile="ed25519",
    kills=["shows-secrets-again"],
)
def ed25519_secret_is_shown_once(world: World) -> None:
    """No later response holds the private key; the public one belongs to it alone."""
    app, hook = world.app(), world.hook()
    first, second = (world.endpoint(app, hook, signing=ED25519) for _ in range(2))
    private = first["signing_secret"].removeprefix("whsk_").encode()
    path = (app, first["id"])
    responses = [
        world.api.call("endpoints.get", *path, expect=200),
        world.api.call("endpoints.list", app, expect=200),
        world.api.call("endpoints.get_secret_public_key", *path, expect=200),
        world.api.call("endpoints.test", *path, expect=200),
    ]

    for response in responses:
        require(private not in response.body, "later responses", "no secret", "the secret")
    keys = {public_key(world, app, each)["public_key"] for each in (first, second)}
    require_equal(2, len(keys), "number of different keys")


@case(
    id="signing.ed25519-rotation-keeps-both-keys",
    requirement="SIGN-5",
    profile="ed25519",
    kills=["signs-an-empty-body", "signs-v1-whatever-the-scheme"],
)
def ed25519_rotation_keeps_both_keys(world: World) -> None:
    """During the overlap the old and the new public key verify; without one the new key alone."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook, signing=ED25519)
    old = public_key(world, app, endpoint)["public_key"]
    path = (app, endpoint["id"])
    world.api.call("endpoints.rotate_secret", *path, expect=200, body={"overlap_seconds": 3600})
    during = public_key(world, app, endpoint)
    world.publish(app)
    (both,) = hook.wait_for(1, world.patience)
    world.api.call("endpoints.rotate_secret", *path, expect=200, body={"overlap_seconds": 0})
    last = public_key(world, app, endpoint)
    world.publish(app)
    _, alone = hook.wait_for(2, world.patience)

    require_equal([old], [key["public_key"] for key in during["retiring"]], "retiring keys")
    for key in (old, during["public_key"]):
        require_genuine(both, key)
    require_equal(["v1a", "v1a"], schemes(both), "schemes during the overlap")
    require_equal([], last["retiring"], "retiring keys after a rotation without overlap")
    require_genuine(alone, last["public_key"])
    require_equal(["v1a"], schemes(alone), "schemes after a rotation without overlap")


@case(
    id="signing.ed25519-of-the-app",
    requirement="SIGN-13",
    profile="ed25519",
    kills=["signs-an-empty-body", "signs-v1-whatever-the-scheme"],
)
def ed25519_of_the_app(world: World) -> None:
    """An app's ed25519 key signs for its endpoints; rotating it leaves the app's v1 secret."""
    created = world.create_app()
    app, hook, other = created["slug"], world.hook(), world.hook()
    endpoint = world.endpoint(app, hook, signing={"source": "app", "scheme": "v1a"})
    world.endpoint(app, other, signing={"source": "app"})
    old = public_key(world, app, endpoint)["public_key"]
    body = {"scheme": "v1a", "overlap_seconds": 0}
    world.api.call("apps.rotate_secret", app, expect=200, body=body)
    new = public_key(world, app, endpoint)["public_key"]
    world.publish(app)
    (request,) = hook.wait_for(1, world.patience)
    (symmetric,) = other.wait_for(1, world.patience)

    require(old != new, "public key after a rotation", "another", "the same")
    require_genuine(request, new)
    require(not judge(request, old).valid, "verification with the old key", "refused", "valid")
    require_genuine(symmetric, created["signing_secret"])


@case(
    id="signing.switching-the-scheme-keeps-both",
    requirement="SIGN-12",
    profile="ed25519",
    kills=["signs-an-empty-body", "signs-v1-whatever-the-scheme"],
)
def switching_the_scheme_keeps_both(world: World) -> None:
    """After a switch to v1a the old secret and the new public key both verify."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)
    refused = world.api.call("endpoints.get_secret_public_key", app, endpoint["id"], expect=404)
    require_equal("not_found", refused.code, "code while the scheme is v1")
    switch = {"signing": {"scheme": "v1a"}}
    world.api.call("endpoints.update", app, endpoint["id"], expect=200, body=switch)
    world.publish(app)
    (request,) = hook.wait_for(1, world.patience)

    require_genuine(request, endpoint["signing_secret"])
    require_genuine(request, public_key(world, app, endpoint)["public_key"])
    require_equal(["v1a", "v1"], schemes(request), "schemes")


@case(
    id="signing.callers-own-ed25519-key-signs",
    requirement="SIGN-14",
    profile="ed25519",
    kills=["signs-an-empty-body", "signs-v1-whatever-the-scheme"],
)
def callers_own_ed25519_key_signs(world: World) -> None:
    """A private key of the caller is used; one of another length, kind or pair is refused."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook, signing={"scheme": "v1a", "secret": PRIVATE})
    world.publish(app)
    (request,) = hook.wait_for(1, world.patience)

    require_equal(PUBLIC, public_key(world, app, endpoint)["public_key"], "public key")
    require_genuine(request, PUBLIC)
    for secret in (PUBLIC, "whsec_" + "QUJD" * 10, "whsk_QUJD", PRIVATE[:-1]):
        body = {"url": hook.url, "signing": {"scheme": "v1a", "secret": secret}}
        response = world.api.call("endpoints.create", app, expect=422, body=body)
        require_equal("secret_not_valid", response.code, f"code for the secret {secret!r}")
