"""Secrets at rest: AES-256-GCM under named key-encryption keys that can be rotated online.

A sealed blob is `version (1 byte) | length of the key id (1 byte) | key id | nonce (12 bytes) |
ciphertext and tag`. Everything before the nonce is authenticated together with the `aad`.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEY_BYTES = 32

_VERSION = 1
_NONCE_BYTES = 12
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class VaultError(Exception):
    """A blob cannot be opened or a key cannot be used; `str()` never holds secret material."""


class Vault:
    """Seals under the key named `current`, opens under every key it was given.

    Raises VaultError when `current` is unknown or a key or its id is malformed. A key must
    not seal more than 2**32 blobs (NIST SP 800-38D, random nonces); rotate long before.
    """

    def __init__(
        self,
        keys: Mapping[str, bytes],
        current: str,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if current not in keys:
            raise VaultError(f"The current key {current!r} is not among the vault's keys.")
        for key_id, key in keys.items():
            _check_key(key_id, key)
        self.current = current
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._header = _header(current)
        self._random_bytes = random_bytes

    @property
    def header(self) -> bytes:
        """What every blob under the current key begins with."""
        return self._header

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys, in the order in which they were given."""
        return tuple(self._ciphers)

    def seal(self, plaintext: bytes, aad: str) -> bytes:
        """`plaintext` encrypted under the current key, bound to `aad` (table, column, row id)."""
        nonce = self._random_bytes(_NONCE_BYTES)
        bound = self._header + aad.encode()
        return self._header + nonce + self._ciphers[self.current].encrypt(nonce, plaintext, bound)

    def open(self, blob: bytes, aad: str) -> bytes:
        """What was sealed. VaultError: unknown key, wrong key, wrong `aad`, damaged blob."""
        key_id = key_id_of(blob)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise VaultError(f"The blob of {aad!r} is sealed under the unknown key {key_id!r}.")
        header, sealed = _header(key_id), blob[2 + len(key_id) :]
        try:
            return cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], header + aad.encode()
            )
        except (InvalidTag, ValueError):
            raise VaultError(
                f"The blob of {aad!r} does not open under key {key_id!r}: "
                "the key differs, the blob was moved, or it is damaged."
            ) from None

    def rotate(self, blob: bytes, aad: str) -> bytes:
        """`blob` sealed under the current key; unchanged when it already is."""
        if key_id_of(blob) == self.current:
            return blob
        return self.seal(self.open(blob, aad), aad)


def key_id_of(blob: bytes) -> str:
    """The id of the key that `blob` names. Raises VaultError when `blob` is no sealed blob."""
    if len(blob) < 2 or blob[0] != _VERSION:
        raise VaultError("This is no sealed blob.")
    key_id = blob[2 : 2 + blob[1]].decode("ascii", "replace")
    if len(key_id) != blob[1] or not _KEY_ID.fullmatch(key_id):
        raise VaultError("This sealed blob is cut off or damaged.")
    return key_id


def parse_keys(text: str) -> dict[str, bytes]:
    """Keys from `id:base64[,id:base64…]`; by convention the first is the current one.

    Raises VaultError, which names the entry's place and never its key.
    """
    keys: dict[str, bytes] = {}
    for place, entry in enumerate(text.split(","), start=1):
        key_id, colon, encoded = entry.strip().partition(":")
        if not colon or key_id in keys:
            raise VaultError(f"Key {place} must be written id:base64, with an id of its own.")
        keys[key_id] = _decode(place, encoded)
        _check_key(key_id, keys[key_id])
    return keys


def vault_from_text(text: str, random_bytes: Callable[[int], bytes] = os.urandom) -> Vault:
    """A vault of the keys in `text` (see `parse_keys`), of which the first is current."""
    keys = parse_keys(text)
    return Vault(keys, next(iter(keys)), random_bytes)


def generate_key(key_id: str, random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """A fresh key in the text form `id:base64`. Raises VaultError for a malformed id."""
    key = random_bytes(KEY_BYTES)
    _check_key(key_id, key)
    return f"{key_id}:{base64.b64encode(key).decode('ascii')}"


def _header(key_id: str) -> bytes:
    return bytes((_VERSION, len(key_id))) + key_id.encode("ascii")


def _decode(place: int, encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise VaultError(f"Key {place} is not padded standard base64.") from None


def _check_key(key_id: str, key: bytes) -> None:
    if not _KEY_ID.fullmatch(key_id):
        raise VaultError(f"A key id has 1 to 64 letters, digits, '_' or '-': {key_id!r}.")
    if len(key) != KEY_BYTES:
        raise VaultError(f"Key {key_id!r} has {len(key)} bytes; AES-256 needs {KEY_BYTES}.")
