"""
Keys of webhook signatures: `whsec_…` signs and verifies by scheme `v1`, `whsk_…` by `v1a`;
`whpk_…` verifies by `v1a`.

Ed25519 comes from the package `cryptography`, imported for the first such key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol

from hookwright.errors import InvalidSecretError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

Scheme = Literal["v1", "v1a"]

_SECRET: Final = "whsec_"  # noqa: S105 - how secrets begin
_PRIVATE: Final = "whsk_"
_PUBLIC: Final = "whpk_"
_ED25519_BYTES: Final = 32


class Key(Protocol):
    """What signs or verifies. `scheme` stands before its signatures."""

    scheme: ClassVar[Scheme]

    def sign(self, content: bytes) -> bytes:
        """The signature of `content`. Raises UsageError when the key can only verify."""
        ...

    def matches(self, content: bytes, signatures: Iterable[bytes]) -> bool:
        """Whether one of `signatures` is this key's signature of `content`."""
        ...


def read_key(secret: object) -> Key:
    """The key that a text of the user's holds. Raises InvalidSecretError and MissingExtraError."""
    # No message shows the secret.
    if not isinstance(secret, str):
        raise InvalidSecretError(f"a secret is a string, not {type(secret).__name__}")
    if secret.startswith(_PUBLIC):
        return _PublicKey(_decoded(secret, _PUBLIC, {_ED25519_BYTES}))
    if secret.startswith(_PRIVATE):
        return _PrivateKey(_decoded(secret, _PRIVATE, {_ED25519_BYTES, 2 * _ED25519_BYTES}))
    return _SymmetricKey(_decoded(secret, _SECRET, range(24, 65)))


class _SymmetricKey:
    scheme: ClassVar[Scheme] = "v1"

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, hashlib.sha256)

    def matches(self, content: bytes, signatures: Iterable[bytes]) -> bool:
        expected = self.sign(content)
        matched = False
        # All are compared, so that the time taken does not tell which one matched.
        for signature in signatures:
            matched |= hmac.compare_digest(expected, signature)
        return matched


class _PublicKey:
    scheme: ClassVar[Scheme] = "v1a"

    def __init__(self, key: bytes | Ed25519PublicKey) -> None:
        self._key = _public(key) if isinstance(key, bytes) else key

    def sign(self, content: bytes) -> bytes:
        del content
        raise UsageError("a whpk_ key verifies only; sign with the whsk_ key that belongs to it")

    def matches(self, content: bytes, signatures: Iterable[bytes]) -> bool:
        return any(self._is_signature(content, signature) for signature in signatures)

    def _is_signature(self, content: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


class _PrivateKey(_PublicKey):
    def __init__(self, both: bytes) -> None:
        self._private = _private(both[:_ED25519_BYTES])
        public = self._private.public_key()
        if both[_ED25519_BYTES:] not in (b"", public.public_bytes_raw()):
            raise InvalidSecretError("the whsk_ secret holds a public key that is not its own")
        super().__init__(public)

    def sign(self, content: bytes) -> bytes:
        return self._private.sign(content)


def _private(key: bytes) -> Ed25519PrivateKey:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise _missing() from error
    return Ed25519PrivateKey.from_private_bytes(key)


def _public(key: bytes) -> Ed25519PublicKey:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise _missing() from error
    return Ed25519PublicKey.from_public_bytes(key)


def _missing() -> MissingExtraError:
    return MissingExtraError(
        "keys whsk_ and whpk_ (scheme v1a, ed25519) need the package cryptography; "
        "install hookwright[ed25519]"
    )


def _decoded(secret: str, prefix: str, lengths: range | set[int]) -> bytes:
    encoded = secret.removeprefix(prefix)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSecretError(f"the secret is not {prefix} followed by base64") from None
    if len(key) not in lengths:
        wanted = f"{min(lengths)} to {max(lengths)}" if prefix == _SECRET else _either(lengths)
        raise InvalidSecretError(f"the secret holds {len(key)} bytes; it must be {wanted}")
    return key


def _either(lengths: Iterable[int]) -> str:
    return " or ".join(str(length) for length in sorted(lengths))
