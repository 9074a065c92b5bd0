"""Signatures of deliveries by Standard Webhooks 1.0: `v1` (HMAC-SHA256) and `v1a` (ed25519)."""

from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING

from hookwright_server.domain import instants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookwright_server.domain.signing_keys import SigningKey


def sign(message_id: str, timestamp_s: int, body: bytes, keys: Sequence[SigningKey]) -> str:
    """The value of `webhook-signature`: `v1,<base64>` or `v1a,<base64>` per key, with spaces.

    `timestamp_s` is the Unix time of this attempt, as sent in `webhook-timestamp`. Raises
    ValueError without a key: an unsigned delivery must never leave.
    """
    if not keys:
        raise ValueError("a delivery is signed with at least one key")
    signed = b"%b.%d.%b" % (message_id.encode("ascii"), timestamp_s, body)
    return " ".join(_signature(key, signed) for key in keys)


def build_body(event_name: str, accepted_at_ms: int, payload: bytes) -> bytes:
    """The body of every attempt: `payload` stands inside byte for byte as it was received.

    `accepted_at_ms` is when the message was accepted, so that all attempts carry equal bytes.
    """
    name = json.dumps(event_name).encode("ascii")
    accepted_at = instants.render(accepted_at_ms).encode("ascii")
    return b'{"type":%b,"timestamp":"%b","data":%b}' % (name, accepted_at, payload)


def _signature(key: SigningKey, signed: bytes) -> str:
    if isinstance(key, bytes):
        return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")
    return "v1a," + base64.b64encode(key.sign(signed)).decode("ascii")
