"""Page cursors: a position in a list, sealed and tied to the query that produced it.

Sealed, not only signed: a page that ends where it has looked at enough may end at the id of a row
that its reader may not see. AES-SIV (RFC 5297) needs no nonce: a position has one cursor.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_CHARACTERS = 1024
_FORM = re.compile(rf"[A-Za-z0-9_-]{{22,{_MAX_CHARACTERS}}}")


class CursorError(Exception):
    """A text is no cursor of ours, or one of another query."""


def binding(
    account_id: str, environment: str, operation: str, filters: Mapping[str, object]
) -> bytes:
    """The fingerprint of a query; `filters` holds JSON values, in any order of its keys."""
    query = json.dumps([account_id, environment, operation, filters], sort_keys=True)
    return hashlib.sha256(query.encode("ascii")).digest()


def seal(position: str, binding: bytes, key: bytes) -> str:
    """A URL-safe cursor for `position`, valid for the query `binding` under the server's `key`."""
    encoded = base64.urlsafe_b64encode(_cipher(key).encrypt(position.encode(), [binding]))
    return encoded.rstrip(b"=").decode("ascii")


def unseal(text: str, binding: bytes, key: bytes) -> str:
    """The position inside `text`. Raises CursorError unless `seal` made it for this query."""
    if not _FORM.fullmatch(text) or len(text) % 4 == 1:
        raise CursorError(_REFUSAL)
    sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The last character may hold unused bits, which the decoder ignores and the cipher cannot see.
    if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii") != text:
        raise CursorError(_REFUSAL)
    try:
        return _cipher(key).decrypt(sealed, [binding]).decode()
    except InvalidTag:
        raise CursorError(_REFUSAL) from None


def _cipher(key: bytes) -> AESSIV:
    return AESSIV(hmac.digest(key, b"positions", "sha512"))


_REFUSAL = (
    "This cursor was not issued for this query. Pass next_cursor unchanged, "
    "with the same filters, or start again without a cursor."
)
