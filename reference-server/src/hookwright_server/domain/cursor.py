"""Page cursors: a position in a list, signed and tied to the query that produced it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAC_BYTES = 16
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
    raw = position.encode()
    encoded = base64.urlsafe_b64encode(_mac(raw, binding, key) + raw)
    return encoded.rstrip(b"=").decode("ascii")


def unseal(text: str, binding: bytes, key: bytes) -> str:
    """The position inside `text`. Raises CursorError unless `seal` made it for this query."""
    if not _FORM.fullmatch(text) or len(text) % 4 == 1:
        raise CursorError(_REFUSAL)
    sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    mac, raw = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
    # The last character may hold unused bits, which the decoder ignores and the MAC cannot see.
    canonical = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii") == text
    if not canonical or not hmac.compare_digest(mac, _mac(raw, binding, key)):
        raise CursorError(_REFUSAL)
    return raw.decode()


def _mac(raw: bytes, binding: bytes, key: bytes) -> bytes:
    bound = len(binding).to_bytes(4, "big") + binding + raw
    return hmac.digest(key, bound, "sha256")[:_MAC_BYTES]


_REFUSAL = (
    "This cursor was not issued for this query. Pass next_cursor unchanged, "
    "with the same filters, or start again without a cursor."
)
