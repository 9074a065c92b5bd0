"""Signatures of deliveries, scheme `v1` of Standard Webhooks 1.0 (symmetric, HMAC-SHA256)."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import TYPE_CHECKING

from hookwright_server.domain import instants
from hookwright_server.domain.contract import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PREFIX = "whsec_"
KEY_BYTES = 32
"""Length of the keys that we generate."""
MIN_KEY_BYTES = Limits.signing_secret_min_bytes
MAX_KEY_BYTES = Limits.signing_secret_max_bytes
"""Standard Webhooks 1.0, §Signature scheme: a symmetric key has 24 to 64 bytes."""


class SecretFormatError(Exception):
    """A text is no signing secret; `str()` says which rule it breaks, never what it held."""


def generate_secret(random_bytes: Callable[[int], bytes]) -> str:
    """A fresh secret, `whsec_` and the base64 of 32 bytes drawn from `random_bytes`."""
    return PREFIX + base64.b64encode(random_bytes(KEY_BYTES)).decode("ascii")


def key_bytes(secret: str) -> bytes:
    """The key inside `secret`. Raises SecretFormatError unless it is `whsec_` + base64 of a key.

    The base64 must be the standard alphabet with padding: not every Standard Webhooks library
    reads anything looser, and the receiver's library has to read what we accept.
    """
    if not secret.startswith(PREFIX):
        raise SecretFormatError(f"A signing secret begins with {PREFIX!r}.")
    encoded = secret[len(PREFIX) :]
    try:
        key = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise SecretFormatError(_NOT_BASE64) from None
    if base64.b64encode(key).decode("ascii") != encoded:
        raise SecretFormatError(_NOT_BASE64)
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise SecretFormatError(
            f"The key in a signing secret has {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes, "
            f"this one has {len(key)}."
        )
    return key


def verify_secret_format(secret: str) -> None:
    """Raise SecretFormatError when `secret` is no signing secret."""
    key_bytes(secret)


def sign(message_id: str, timestamp_s: int, body: bytes, keys: Sequence[bytes]) -> str:
    """The value of `webhook-signature`: one `v1,<base64>` per key, separated by spaces.

    `timestamp_s` is the Unix time of this attempt, as sent in `webhook-timestamp`. Raises
    ValueError without a key: an unsigned delivery must never leave.
    """
    if not keys:
        raise ValueError("a delivery is signed with at least one key")
    signed = b"%b.%d.%b" % (message_id.encode("ascii"), timestamp_s, body)
    return " ".join(_v1(key, signed) for key in keys)


def build_body(event_name: str, accepted_at_ms: int, payload: bytes) -> bytes:
    """The body of every attempt: `payload` stands inside byte for byte as it was received.

    `accepted_at_ms` is when the message was accepted, so that all attempts carry equal bytes.
    """
    name = json.dumps(event_name).encode("ascii")
    accepted_at = instants.render(accepted_at_ms).encode("ascii")
    return b'{"type":%b,"timestamp":"%b","data":%b}' % (name, accepted_at, payload)


def _v1(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")


_NOT_BASE64 = f"After {PREFIX!r} a signing secret is padded standard base64."
