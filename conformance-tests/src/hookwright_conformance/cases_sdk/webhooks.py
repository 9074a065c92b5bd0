"""Whether webhooks are verified as Standard Webhooks 1.0 says."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from hookwright_conformance import oracle
from hookwright_conformance.errors import Unmet
from hookwright_conformance.sdk.case import case
from hookwright_conformance.sdk.world import SdkWorld

Vector = dict[str, Any]

_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105 - a vector's
_OLD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw0000000000A="  # noqa: S105 - nobody's
_NOW = 1_767_225_600
_ID = "msg_01K9ZQ6A8C0E2G4J6M8P0R2T4V"
_BODY = b'{"type":"invoice.paid","timestamp":"2026-01-01T00:00:00.000Z","data":{"total":4200}}'


@cache
def _vectors() -> list[Vector]:
    source = files("hookwright_conformance") / "vectors" / "signature.json"
    found: list[Vector] = json.loads(source.read_text(encoding="utf-8"))["vectors"]
    return found


def _of(*reasons: str | None, ed25519: bool = False) -> Iterator[Vector]:
    """The vectors with these reasons for refusal; None stands for those that are genuine."""
    for vector in _vectors():
        if vector["reason"] in reasons and vector["name"].startswith("ed25519") is ed25519:
            yield vector


def _judge(world: SdkWorld, kind: str | None, vector: Vector) -> None:
    """Have a vector verified: it is genuine, or an error of this kind."""
    members = {name: vector[name] for name in ("secrets", "now", "headers", "body_base64")}
    tolerance = vector.get("tolerance_seconds")
    if tolerance is not None:
        members["tolerance_seconds"] = tolerance
    answer = world.ask("verify", **members)
    if kind is not None:
        world.error_of(kind, f"`{vector['name']}`", answer)
    elif answer.error is not None:
        said = f"{answer.error['kind']}: {answer.error['message']}"
        raise Unmet(f"verdict on `{vector['name']}`", "genuine", said)


def _signed(
    name: str,
    signatures: str,
    secrets: list[str],
    age: int = 0,
    tolerance: int | None = None,
) -> Vector:
    """A vector of our own, with the usual id and body."""
    headers = {
        "webhook-id": _ID,
        "webhook-timestamp": str(_NOW - age),
        "webhook-signature": signatures,
    }
    return {
        "name": name,
        "secrets": secrets,
        "now": _NOW,
        "headers": headers,
        "body_base64": base64.b64encode(_BODY).decode(),
        "tolerance_seconds": tolerance,
    }


def _by(secret: str, age: int = 0) -> str:
    return oracle.signature(secret, _ID, _NOW - age, _BODY)


@case(
    id="sdk-webhooks.genuine",
    requirement="SDK-80",
    profile="sdk-webhooks",
    kills=["verifies-what-it-parsed"],
)
def genuine(world: SdkWorld) -> None:
    """What openssl signed with HMAC-SHA256 is accepted: any body, any length of secret."""
    for vector in _of(None):
        _judge(world, None, vector)


@case(
    id="sdk-webhooks.genuine-ed25519",
    requirement="SDK-80",
    profile="sdk-webhooks",
    kills=["knows-v1-alone"],
)
def genuine_ed25519(world: SdkWorld) -> None:
    """What openssl signed with ed25519 is accepted by the public key."""
    for vector in _of(None, ed25519=True):
        _judge(world, None, vector)


@case(
    id="sdk-webhooks.forged",
    requirement="SDK-81",
    profile="sdk-webhooks",
    kills=["trusts-every-webhook"],
)
def forged(world: SdkWorld) -> None:
    """Another secret, body, moment or scheme, and signatures cut or joined wrongly are refused."""
    for vector in _of("no_matching_signature"):
        _judge(world, "verification", vector)
    for vector in _of("no_matching_signature", ed25519=True):
        _judge(world, "verification", vector)


@case(
    id="sdk-webhooks.anything-changed",
    requirement="SDK-81",
    profile="sdk-webhooks",
    kills=["trusts-every-webhook", "verifies-what-it-parsed"],
)
def anything_changed(world: SdkWorld) -> None:
    """A genuine webhook whose id, time or body is changed is refused."""
    for name, value in (("webhook-id", f"{_ID}x"), ("webhook-timestamp", str(_NOW - 1))):
        vector = _signed(f"another {name}", _by(_SECRET), [_SECRET])
        vector["headers"][name] = value
        _judge(world, "verification", vector)
    vector = _signed("one more space in the body", _by(_SECRET), [_SECRET])
    vector["body_base64"] = base64.b64encode(_BODY + b" ").decode()
    _judge(world, "verification", vector)


@case(
    id="sdk-webhooks.malformed-headers",
    requirement="SDK-81",
    profile="sdk-webhooks",
    kills=["stumbles-over-headers"],
)
def malformed(world: SdkWorld) -> None:
    """Headers that are missing, empty or unreadable are a refusal like any other."""
    for vector in _of("missing_header", "invalid_timestamp"):
        _judge(world, "verification", vector)
    for signatures in ("v1", "v1,", ",", "v1,*", "v1,é", " ", "v1," + "A" * 7000):
        _judge(world, "verification", _signed(f"signature {signatures:.9}", signatures, [_SECRET]))
    for stamp in (
        "",
        " ",
        "-1",
        "+1767225600",
        "1e9",
        "0x10",
        "1_767_225_600",
        "\u0661",
        "9" * 400,
    ):
        vector = _signed(f"timestamp {stamp:.20}", _by(_SECRET), [_SECRET])
        vector["headers"]["webhook-timestamp"] = stamp
        _judge(world, "verification", vector)
    vector = _signed("no headers", "", [_SECRET])
    _judge(world, "verification", {**vector, "headers": {}})


@case(
    id="sdk-webhooks.too-old",
    requirement="SDK-82",
    profile="sdk-webhooks",
    kills=["takes-old-webhooks", "has-one-tolerance"],
)
def too_old(world: SdkWorld) -> None:
    """What was signed longer ago than the tolerance is refused."""
    for vector in _of("too_old"):
        _judge(world, "verification", vector)
    _judge(world, None, _signed("10 s old of 10", _by(_SECRET, 10), [_SECRET], 10, 10))
    _judge(world, "verification", _signed("11 s old of 10", _by(_SECRET, 11), [_SECRET], 11, 10))
    _judge(world, None, _signed("900 s old of 1000", _by(_SECRET, 900), [_SECRET], 900, 1000))


@case(
    id="sdk-webhooks.too-new",
    requirement="SDK-82",
    profile="sdk-webhooks",
    kills=["takes-webhooks-of-the-future", "has-one-tolerance"],
)
def too_new(world: SdkWorld) -> None:
    """What is signed further in the future than the tolerance is refused."""
    for vector in _of("too_new"):
        _judge(world, "verification", vector)
    _judge(world, None, _signed("10 s ahead of 10", _by(_SECRET, -10), [_SECRET], -10, 10))
    _judge(
        world, "verification", _signed("11 s ahead of 10", _by(_SECRET, -11), [_SECRET], -11, 10)
    )


@case(
    id="sdk-webhooks.rotation-of-secrets",
    requirement="SDK-83",
    profile="sdk-webhooks",
    kills=["tries-one-secret"],
)
def rotation_of_secrets(world: SdkWorld) -> None:
    """Each of several secrets counts, wherever it stands."""
    for secrets in ([_OLD_SECRET, _SECRET], [_SECRET, _OLD_SECRET]):
        for signer in (_OLD_SECRET, _SECRET):
            _judge(world, None, _signed("one signature of two secrets", _by(signer), secrets))


@case(
    id="sdk-webhooks.rotation-of-signatures",
    requirement="SDK-83",
    profile="sdk-webhooks",
    kills=["tries-one-signature"],
)
def rotation_of_signatures(world: SdkWorld) -> None:
    """Each of several signatures counts, wherever it stands and whatever stands beside."""
    old, new = _by(_OLD_SECRET), _by(_SECRET)
    for signatures in (f"{old} {new}", f"{new} {old}", f"v9,AAAA {old} v1a,AAAA {new}"):
        for secret in (_OLD_SECRET, _SECRET):
            _judge(world, None, _signed("two signatures", signatures, [secret]))


@case(
    id="sdk-webhooks.unusable-secrets",
    requirement="SDK-84",
    profile="sdk-webhooks",
    kills=["takes-any-secret"],
)
def unusable_secrets(world: SdkWorld) -> None:
    """What is no secret is the receiver's mistake, not the sender's."""
    for vector in (*_of("invalid_secret"), *_of("invalid_secret", ed25519=True)):
        _judge(world, "usage", vector)
    for secret in ("", "whsec_", "whpk_", "whsec_AAEC"):
        _judge(world, "usage", _signed(f"the secret {secret!r}", _by(_SECRET), [secret]))


@case(
    id="sdk-webhooks.headers-in-any-case",
    requirement="SDK-85",
    profile="sdk-webhooks",
    kills=["reads-lower-case-alone"],
)
def any_case(world: SdkWorld) -> None:
    """Frameworks write the names of headers as they like."""
    for change in (str.upper, str.title, str.lower):
        vector = _signed("headers in another case", _by(_SECRET), [_SECRET])
        named = {change(name): value for name, value in vector["headers"].items()}
        _judge(world, None, {**vector, "headers": {**named, "Content-Type": "application/json"}})
