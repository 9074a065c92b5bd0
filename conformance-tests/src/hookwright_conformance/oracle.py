"""An independent check of Standard Webhooks `v1` and `v1a` signatures (1.0, "Signature scheme").

Written from the specification alone: it shares no code with any server or SDK, so that a common
mistake cannot hide. `vectors/signature.json` holds its expectations, computed with openssl.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Reason = Literal[
    "missing_header",
    "invalid_timestamp",
    "too_old",
    "too_new",
    "no_matching_signature",
    "invalid_secret",
]

TOLERANCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a delivery is genuine, and if not, the first rule that it breaks."""

    valid: bool
    reason: Reason | None = None


VALID = Verdict(True)


class InvalidSecret(ValueError):
    """The secret is neither `whsec_` and base64 nor `whpk_` and an ed25519 public key."""


def key_of(secret: str) -> bytes:
    """The key bytes of `whsec_…` (the prefix may be absent). Raises InvalidSecret."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSecret("a secret is whsec_ and base64") from error


def public_key_of(key: str) -> Ed25519PublicKey:
    """The ed25519 key of `whpk_…`. Raises InvalidSecret."""
    try:
        raw = base64.b64decode(key.removeprefix("whpk_"), validate=True)
        return Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError) as error:
        raise InvalidSecret("a public key is whpk_ and the base64 of 32 bytes") from error


def signature(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The `v1,…` signature of one secret. Raises InvalidSecret."""
    signed = b".".join([webhook_id.encode(), str(timestamp).encode(), body])
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> Verdict:
    """Judge a delivery as of Unix time `now`; header names in any case, any secret may match.

    A secret is `whsec_…` for signatures `v1`, or the public key `whpk_…` for `v1a`.
    """
    fields = {name.lower(): value for name, value in headers.items()}
    required = ("webhook-id", "webhook-timestamp", "webhook-signature")
    if any(not fields.get(name) for name in required):
        return Verdict(False, "missing_header")
    webhook_id, stamp, given = (fields[name] for name in required)
    if not (stamp.isascii() and stamp.isdigit()):
        return Verdict(False, "invalid_timestamp")
    timestamp = int(stamp)
    if timestamp < now - TOLERANCE_SECONDS:
        return Verdict(False, "too_old")
    if timestamp > now + TOLERANCE_SECONDS:
        return Verdict(False, "too_new")
    parts = given.split(" ")
    try:
        matching = [_signed_by(secret, webhook_id, timestamp, body, parts) for secret in secrets]
    except InvalidSecret:
        return Verdict(False, "invalid_secret")
    return VALID if any(matching) else Verdict(False, "no_matching_signature")


def _signed_by(
    secret: str, webhook_id: str, timestamp: int, body: bytes, parts: Sequence[str]
) -> bool:
    if not secret.startswith("whpk_"):
        expected = signature(secret, webhook_id, timestamp, body)
        return any(hmac.compare_digest(expected.encode(), part.encode()) for part in parts)
    key = public_key_of(secret)
    signed = b".".join([webhook_id.encode(), str(timestamp).encode(), body])
    return any(_verifies(key, part[4:], signed) for part in parts if part.startswith("v1a,"))


def _verifies(key: Ed25519PublicKey, encoded: str, signed: bytes) -> bool:
    try:
        key.verify(base64.b64decode(encoded, validate=True), signed)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
