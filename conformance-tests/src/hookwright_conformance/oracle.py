"""An independent check of Standard Webhooks `v1` signatures (1.0, "Signature scheme").

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
    """The secret is not `whsec_` and base64."""


def key_of(secret: str) -> bytes:
    """The key bytes of `whsec_…` (the prefix may be absent). Raises InvalidSecret."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSecret("a secret is whsec_ and base64") from error


def signature(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The `v1,…` signature of one secret. Raises InvalidSecret."""
    signed = b".".join([webhook_id.encode(), str(timestamp).encode(), body])
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> Verdict:
    """Judge a delivery as of Unix time `now`; header names in any case, any secret may match."""
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
    try:
        expected = [signature(secret, webhook_id, timestamp, body) for secret in secrets]
    except InvalidSecret:
        return Verdict(False, "invalid_secret")
    matching = any(
        hmac.compare_digest(one.encode(), other.encode())
        for one in expected
        for other in given.split(" ")
    )
    return VALID if matching else Verdict(False, "no_matching_signature")
