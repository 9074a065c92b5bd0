"""API keys: `hw_live_` or `hw_test_`, the key's id, 256 random bits, and a checksum.

After the prefix a key is 75 letters and digits: the ULID of its id (26), the secret in
base62 (43) and the CRC-32 of all before it in base62 (6), so that a mistyped key is refused
without asking the database. Only a hash of the whole text is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Environment = Literal["live", "test"]

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_PREFIX = "key_"
_SECRET_BYTES = 32
_SECRET_DIGITS = 43
_CHECKSUM_DIGITS = 6
_ULID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
_KEY_ID = re.compile(_ID_PREFIX + _ULID)
_TEXT = re.compile(rf"hw_(live|test)_({_ULID})[0-9A-Za-z]{{43}}([0-9A-Za-z]{{6}})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A fresh key: `text` is shown once, `secret_hash` is stored."""

    text: str = field(repr=False)
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A well-formed key: the row to look up and the hash that this row must hold."""

    environment: Environment
    key_id: str
    secret_hash: bytes = field(repr=False)


def generate(
    key_id: str,
    environment: Environment,
    random_bytes: Callable[[int], bytes],
) -> ApiKey:
    """A key for the row `key_id` (`key_<ULID>`); ValueError when it is no such id."""
    if not _KEY_ID.fullmatch(key_id):
        raise ValueError(f"not the id of an API key: {key_id!r}")
    secret = _base62(int.from_bytes(random_bytes(_SECRET_BYTES), "big"), _SECRET_DIGITS)
    body = f"hw_{environment}_{key_id.removeprefix(_ID_PREFIX)}{secret}"
    text = body + _checksum(body)
    return ApiKey(text, _hash(text))


def parse(text: str) -> ParsedKey | None:
    """What `text` claims to be; None when its form or its checksum is wrong."""
    found = _TEXT.fullmatch(text)
    if found is None or _checksum(text[:-_CHECKSUM_DIGITS]) != found[3]:
        return None
    environment: Environment = "live" if found[1] == "live" else "test"
    return ParsedKey(environment, _ID_PREFIX + found[2], _hash(text))


def matches(parsed: ParsedKey, stored_hash: bytes) -> bool:
    """Whether `parsed` is the key whose hash is stored; in constant time."""
    return hmac.compare_digest(parsed.secret_hash, stored_hash)


def _hash(text: str) -> bytes:
    # No salt and no slow hash: nobody guesses 256 random bits.
    return hashlib.sha256(text.encode("ascii")).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CHECKSUM_DIGITS)


def _base62(number: int, digits: int) -> str:
    written: list[str] = []
    for _ in range(digits):
        number, digit = divmod(number, 62)
        written.append(_DIGITS[digit])
    return "".join(reversed(written))
