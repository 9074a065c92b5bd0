"""Signing secrets as texts and as keys: `whsec_` (scheme `v1`), `whsk_` and `whpk_` (`v1a`).

Standard Webhooks 1.0, §Signature scheme, says how secrets are written. An ed25519 private key is
written as most libraries do it: the 32 bytes of the key, then the 32 of its public key.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hookwright_server.domain.contract import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

Scheme = Literal["v1", "v1a"]
"""How a secret signs: HMAC-SHA256 or ed25519."""
SigningKey = bytes | Ed25519PrivateKey
"""A key of scheme `v1`, or of `v1a`."""

PREFIX = "whsec_"
PRIVATE_PREFIX = "whsk_"
PUBLIC_PREFIX = "whpk_"
KEY_BYTES = 32
"""Length of the keys that we generate, and of every ed25519 key."""
MIN_KEY_BYTES = Limits.signing_secret_min_bytes
MAX_KEY_BYTES = Limits.signing_secret_max_bytes
"""Standard Webhooks 1.0, §Signature scheme: a symmetric key has 24 to 64 bytes."""


class SecretFormatError(Exception):
    """A text is no signing secret; `str()` says which rule it breaks, never what it held."""


def generate_secret(random_bytes: Callable[[int], bytes], scheme: Scheme = "v1") -> str:
    """A fresh secret for `scheme`, made of 32 bytes drawn from `random_bytes`."""
    drawn = random_bytes(KEY_BYTES)
    if scheme == "v1":
        return PREFIX + _written(drawn)
    public = Ed25519PrivateKey.from_private_bytes(drawn).public_key().public_bytes_raw()
    return PRIVATE_PREFIX + _written(drawn + public)


def scheme_of(secret: str) -> Scheme:
    """The scheme that a secret of ours signs by, from its prefix."""
    return "v1a" if secret.startswith(PRIVATE_PREFIX) else "v1"


def signing_key(secret: str) -> SigningKey:
    """The key inside `secret`, whatever its scheme. Raises SecretFormatError."""
    return private_key(secret) if scheme_of(secret) == "v1a" else key_bytes(secret)


def key_bytes(secret: str) -> bytes:
    """The key inside `secret`. Raises SecretFormatError unless it is `whsec_` + base64 of a key.

    The base64 must be the standard alphabet with padding: not every Standard Webhooks library
    reads anything looser, and the receiver's library has to read what we accept.
    """
    key = _read(secret, PREFIX)
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise SecretFormatError(
            f"The key in a signing secret has {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes, "
            f"this one has {len(key)}."
        )
    return key


def private_key(secret: str) -> Ed25519PrivateKey:
    """The key inside `secret`. Raises SecretFormatError unless it is `whsk_` + base64 of a key.

    A public key that follows the private one must be its own.
    """
    both = _read(secret, PRIVATE_PREFIX)
    if len(both) not in (KEY_BYTES, 2 * KEY_BYTES):
        raise SecretFormatError(
            f"An ed25519 private key has {KEY_BYTES} bytes, or {2 * KEY_BYTES} with its public "
            f"key; this one has {len(both)}."
        )
    key = Ed25519PrivateKey.from_private_bytes(both[:KEY_BYTES])
    if both[KEY_BYTES:] not in (b"", key.public_key().public_bytes_raw()):
        raise SecretFormatError("The public key in the secret is not that of its private key.")
    return key


def public_key(secret: str) -> str:
    """`whpk_…`: what verifies the signatures of `secret`. Raises SecretFormatError."""
    return PUBLIC_PREFIX + _written(private_key(secret).public_key().public_bytes_raw())


def verify_secret_format(secret: str, scheme: Scheme = "v1") -> None:
    """Raise SecretFormatError when `secret` is no signing secret of `scheme`."""
    if scheme == "v1a":
        private_key(secret)
    else:
        key_bytes(secret)


def _read(secret: str, prefix: str) -> bytes:
    if not secret.startswith(prefix):
        raise SecretFormatError(f"A signing secret of this scheme begins with {prefix!r}.")
    encoded = secret[len(prefix) :]
    try:
        key = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _not_base64(prefix) from None
    if _written(key) != encoded:
        raise _not_base64(prefix)
    return key


def _written(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii")


def _not_base64(prefix: str) -> SecretFormatError:
    return SecretFormatError(f"After {prefix!r} a signing secret is padded standard base64.")
