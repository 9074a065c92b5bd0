"""Signed requests, good and broken ones, for tests of a handler without any server."""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from hookwright.errors import UsageError
from hookwright.webhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Mapping

Broken = Literal[
    "signature",
    "secret",
    "body",
    "scheme",
    "expired",
    "future",
    "no_id",
    "no_timestamp",
    "no_signature",
    "bad_timestamp",
    "bad_signature",
    "bad_json",
]
"""
What may be wrong with a request:

* `signature`, `secret`, `body`: other than what was signed, or signed with another secret
* `scheme`: signed only by a scheme that nobody knows
* `expired`, `future`: signed a day ago, or for tomorrow
* `no_id`, `no_timestamp`, `no_signature`: the header is absent
* `bad_timestamp`, `bad_signature`: the header cannot be read
* `bad_json`: well signed, but the body is no JSON
"""

BROKEN: Final[tuple[Broken, ...]] = get_args(Broken)
"""All of them, for `pytest.mark.parametrize`."""

SECRET: Final = "whsec_aG9va3dyaWdodC10ZXN0aW5nLW5vLXJlYWwtc2VjcmV0"  # noqa: S105 - signs nothing real
"""The secret of requests that are given none."""

_OTHER: Final = "whsec_YW5vdGhlci1zZWNyZXQtdGhhdC1zaWducy1ub3RoaW5n"
_DAY_S: Final = 86_400.0
_ABSENT: Final = {
    "no_id": "webhook-id",
    "no_timestamp": "webhook-timestamp",
    "no_signature": "webhook-signature",
}


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What to post to a handler, and the secret that the handler must know."""

    body: bytes
    headers: dict[str, str]
    secret: str


def sign_request(
    event_name: str = "order.created",
    data: Mapping[str, Any] | None = None,
    *,
    secret: str = SECRET,
    message_id: str | None = None,
    skew_seconds: float = 0.0,
    broken: Broken | None = None,
    now: float | None = None,
) -> SignedRequest:
    """
    A request as a server would send it: `{"type", "timestamp", "data"}` and its signature.

    `skew_seconds` moves the signed time (below 0: the past) from `now`, which is in Unix seconds
    and this machine's time when left out. Of `broken` requests a handler must take none. Raises
    UsageError for an unknown kind of `broken` and InvalidSecretError for a secret that is none.
    """
    if broken is not None and broken not in BROKEN:
        raise UsageError(f"broken={broken!r} is unknown; there are {', '.join(BROKEN)}")
    at = (time.time() if now is None else now) + skew_seconds
    at += {"expired": -_DAY_S, "future": _DAY_S}.get(broken or "", 0.0)
    content = _content(event_name, {} if data is None else data, at)
    if broken == "bad_json":
        content = content[:-1]
    identity = message_id or f"msg_{uuid.uuid4().hex}"
    signature = Webhook(_OTHER if broken == "secret" else secret).sign(identity, int(at), content)
    headers = {
        "content-type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": "yesterday" if broken == "bad_timestamp" else str(int(at)),
        "webhook-signature": _spoilt(signature, broken),
    }
    headers.pop(_ABSENT.get(broken or "", ""), None)
    body = content.replace(b'"data"', b'"data" ') if broken == "body" else content
    return SignedRequest(body, headers, secret)


def _content(event_name: str, data: Mapping[str, Any], at: float) -> bytes:
    accepted = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    document = {"type": event_name, "timestamp": accepted.replace("+00:00", "Z"), "data": data}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _spoilt(signature: str, broken: Broken | None) -> str:
    scheme, _, encoded = signature.partition(",")
    if broken == "scheme":
        return f"v9,{encoded}"
    if broken == "bad_signature":
        return f"{scheme},not*base64"
    if broken == "signature":
        flipped = bytes(byte ^ 1 for byte in base64.b64decode(encoded))
        return f"{scheme},{base64.b64encode(flipped).decode()}"
    return signature
