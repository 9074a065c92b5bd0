"""Signatures, secrets and their rotation."""

from __future__ import annotations

from hookwright_conformance import oracle
from hookwright_conformance.answers import status
from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.receiver import Received
from hookwright_conformance.world import World

CALLERS_SECRET = "whsec_" + "QUJD" * 10
BODIES = (
    b"{}",
    '{"name":"Zoë 🪝","escaped":"\\u00e9"}'.encode(),
    b'{"b":1.0,"a":12345678901234567890.10}',
    b'{"long":"' + b"x" * 200_000 + b'"}',
)


def judge(request: Received, *secrets: str) -> oracle.Verdict:
    """The oracle's verdict on a request at the moment it arrived."""
    return oracle.verify(secrets, dict(request.headers), request.body, request.wall)


def require_genuine(request: Received, *secrets: str) -> None:
    """Raise Unmet unless the request verifies with one of the secrets. What signs is there once: of
    two headers of a name receivers take the first, the last, or none."""
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        require_equal(1, len(request.values(name)), f"headers {name} of request {request.number}")
    verdict = judge(request, *secrets)
    require(verdict.valid, f"signature of request {request.number}", "valid", verdict.reason)


@case(
    id="signing.every-delivery-verifies",
    requirement="SIGN-1",
    profile="signing",
    kills=["signs-an-empty-body"],
)
def every_delivery_verifies(world: World) -> None:
    """Empty, non-ASCII, precise and large payloads all arrive with a valid signature."""
    app, hook = world.app(), world.hook()
    secret = world.endpoint(app, hook)["signing_secret"]
    for payload in BODIES:
        world.publish_raw(app, payload)

    for request in hook.wait_for(len(BODIES), world.patience):
        require_genuine(request, secret)
        signatures = (request.header("webhook-signature") or "").split(" ")
        require_equal(1, len(signatures), "number of signatures")


@case(
    id="signing.each-attempt-is-signed-afresh",
    requirement="SIGN-2",
    profile="signing",
    kills=["never-retries-5xx", "stale-timestamp-on-retries", "signs-an-empty-body"],
)
def each_attempt_is_signed_afresh(world: World) -> None:
    """A later attempt has a later timestamp and a signature of its own, and verifies."""
    app, hook = world.app(), world.hook(status(500), status(200))
    policy = {"delays_seconds": [1.1], "jitter": 0}
    secret = world.endpoint(app, hook, retry_policy=policy)["signing_secret"]
    world.publish(app, {"n": 1})
    first, second = hook.wait_for(2, 1.1 + world.patience)

    require_genuine(first, secret)
    require_genuine(second, secret)
    for name in ("webhook-timestamp", "webhook-signature"):
        before, after = first.header(name), second.header(name)
        require(before != after, name, "another value than on attempt 1", after)


@case(
    id="signing.secrets-are-standard-and-distinct",
    requirement="SIGN-3",
    profile="signing",
    kills=["makes-one-secret-for-all"],
)
def secrets_are_standard_and_distinct(world: World) -> None:
    """Each endpoint and app gets 32 random bytes of its own."""
    created = world.create_app()
    app, hook = created["slug"], world.hook()
    secrets = [created["signing_secret"]]
    secrets += [world.endpoint(app, hook)["signing_secret"] for _ in range(3)]

    require_equal(len(secrets), len(set(secrets)), "number of different secrets")
    for secret in secrets:
        require(secret.startswith("whsec_"), "secret", "whsec_…", secret[:6])
        require_equal(32, len(oracle.key_of(secret)), "bytes of a secret")


@case(
    id="signing.secret-is-shown-once",
    requirement="SIGN-4",
    profile="signing",
    kills=["shows-secrets-again"],
)
def secret_is_shown_once(world: World) -> None:
    """No response after the creating one contains the secret."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)
    key = endpoint["signing_secret"].removeprefix("whsec_").encode()
    path = (app, endpoint["id"])
    responses = [
        world.api.call("endpoints.get", *path, expect=200),
        world.api.call("endpoints.list", app, expect=200),
        world.api.call("endpoints.update", *path, expect=200, body={"description": "changed"}),
        world.api.call("endpoints.disable", *path, expect=200),
        world.api.call("endpoints.enable", *path, expect=200),
        world.api.call("endpoints.test", *path, expect=200),
    ]

    for response in responses:
        require(key not in response.body, "later responses", "no secret", "the secret")


@case(
    id="signing.rotation-keeps-both-secrets",
    requirement="SIGN-5",
    profile="signing",
    kills=["signs-an-empty-body", "forgets-the-old-secret"],
)
def rotation_keeps_both_secrets(world: World) -> None:
    """During the overlap a request carries two signatures: old and new secret verify."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)
    rotated = world.api.call(
        "endpoints.rotate_secret", app, endpoint["id"], expect=200, body={"overlap_seconds": 3600}
    ).json()
    world.publish(app)
    (request,) = hook.wait_for(1, world.patience)

    require_genuine(request, endpoint["signing_secret"])
    require_genuine(request, rotated["signing_secret"])
    signatures = (request.header("webhook-signature") or "").split(" ")
    require_equal(2, len(signatures), "number of signatures")


@case(
    id="signing.rotation-without-overlap-ends-the-old-secret",
    requirement="SIGN-6",
    profile="signing",
    kills=["signs-an-empty-body", "old-secrets-sign-for-an-hour"],
)
def rotation_without_overlap_ends_the_old_secret(world: World) -> None:
    """With overlap 0 only the new secret verifies."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)
    rotated = world.api.call(
        "endpoints.rotate_secret", app, endpoint["id"], expect=200, body={"overlap_seconds": 0}
    ).json()
    world.publish(app)
    (request,) = hook.wait_for(1, world.patience)

    require_genuine(request, rotated["signing_secret"])
    verdict = judge(request, endpoint["signing_secret"])
    require(not verdict.valid, "verification with the old secret", "refused", "valid")
    require_equal(None, rotated["previous_valid_until"], "previous_valid_until")


@case(
    id="signing.app-secret-signs-for-its-endpoints",
    requirement="SIGN-7",
    profile="signing",
    kills=["signs-an-empty-body", "rotates-no-app-secret"],
)
def app_secret_signs_for_its_endpoints(world: World) -> None:
    """With signing.source app the app's secret verifies, also after it was rotated."""
    created = world.create_app()
    app, hook = created["slug"], world.hook()
    world.endpoint(app, hook, signing={"source": "app"})
    world.publish(app)
    (first,) = hook.wait_for(1, world.patience)
    rotated = world.api.call("apps.rotate_secret", app, expect=200, body={"overlap_seconds": 0})
    world.publish(app)
    _, second = hook.wait_for(2, world.patience)

    require_genuine(first, created["signing_secret"])
    require_genuine(second, rotated.json()["signing_secret"])


@case(
    id="signing.callers-own-secret-signs",
    requirement="SIGN-9",
    profile="signing",
    kills=["signs-an-empty-body", "ignores-given-secrets"],
)
def callers_own_secret_signs(world: World) -> None:
    """A valid secret of the caller is used; a short or broken one is refused."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook, signing={"secret": CALLERS_SECRET})
    world.publish(app)
    (request,) = hook.wait_for(1, world.patience)

    require_genuine(request, CALLERS_SECRET)
    for secret in ("whsec_QUJD", "whsec_not base64", "QUJD" * 10, "whsec_" + "QUJD" * 22):
        body = {"url": hook.url, "signing": {"secret": secret}}
        response = world.api.call("endpoints.create", app, expect=422, body=body)
        require_equal("secret_not_valid", response.code, f"code for the secret {secret!r}")
