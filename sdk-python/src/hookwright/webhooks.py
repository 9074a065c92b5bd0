"""
Signatures of webhooks: Standard Webhooks 1.0, scheme `v1` (HMAC-SHA256). No dependencies.

    event = Webhook("whsec_…").verify(request.get_data(), request.headers)

Give `verify` the body exactly as it was received: JSON that was parsed and written again has
other bytes and another signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, Protocol, cast

from hookwright.errors import (
    InvalidHeaderError,
    InvalidPayloadError,
    InvalidSecretError,
    MissingHeaderError,
    SignatureMismatchError,
    TimestampOutOfToleranceError,
    UsageError,
    WebhookVerificationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = [
    "InvalidHeaderError",
    "InvalidPayloadError",
    "InvalidSecretError",
    "MissingHeaderError",
    "SignatureMismatchError",
    "TimestampOutOfToleranceError",
    "Webhook",
    "WebhookVerificationError",
]

_PREFIX: Final = "whsec_"
_NAMES: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
_LONGEST_HEADER: Final = 8192
_LONGEST_TIMESTAMP: Final = 15


class SupportsItems(Protocol):
    """Any collection of headers: a dict, or what Flask, Django, Starlette and httpx have."""

    def items(self) -> Iterable[tuple[Any, Any]]: ...


class Webhook:
    """
    Signs and verifies with one secret or several (during a rotation the old and the new one).

    A secret is `whsec_` and 24 to 64 bytes in base64. `tolerance_seconds` is how far the signed
    time may lie in the past or in the future; `clock` gives Unix seconds. Raises
    InvalidSecretError.
    """

    def __init__(
        self,
        secret: str | Sequence[str],
        tolerance_seconds: float = 300,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        secrets = [secret] if isinstance(secret, str) else list(secret)
        if not secrets:
            raise InvalidSecretError("no secret was given")
        if not tolerance_seconds >= 0:
            raise UsageError(f"tolerance_seconds must be at least 0, not {tolerance_seconds!r}")
        self._keys = [_key_bytes(each) for each in secrets]
        self._tolerance = tolerance_seconds
        self._clock = clock

    def __repr__(self) -> str:
        return f"Webhook(secrets={len(self._keys)}, tolerance_seconds={self._tolerance})"

    def verify(self, body: bytes | bytearray | str, headers: SupportsItems) -> Any:
        """
        The parsed JSON of a webhook that is genuine and recent.

        `body` is the raw request body; `headers` may be written in any case. Raises a subclass of
        WebhookVerificationError for a request that is not to be trusted, and UsageError when
        `body` is something parsed.
        """
        content = _content(body)
        received = _read_headers(headers)
        self._check_time(received.timestamp)
        self._check_signature(received, content)
        return _parse(content)

    def sign(self, message_id: str, timestamp: int, body: bytes | bytearray | str) -> str:
        """
        The value of `webhook-signature`: one `v1,…` per secret, separated by spaces.

        `timestamp` is in Unix seconds and must be sent as `webhook-timestamp`. Raises UsageError
        for an id or a time that no receiver would take.
        """
        if not _is_visible(message_id):
            raise UsageError(f"a message id is visible ASCII, not {message_id!r:.100}")
        if not _is_count(timestamp):
            raise UsageError(f"a timestamp is whole Unix seconds, not {timestamp!r}")
        digests = self._digests(message_id, str(timestamp), _content(body))
        return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)

    def _digests(self, message_id: str, timestamp: str, content: bytes) -> list[bytes]:
        signed = f"{message_id}.{timestamp}.".encode() + content
        return [hmac.digest(key, signed, hashlib.sha256) for key in self._keys]

    def _check_time(self, timestamp: str) -> None:
        age = self._clock() - int(timestamp)
        if abs(age) > self._tolerance:
            where = "in the past" if age > 0 else "in the future"
            raise TimestampOutOfToleranceError(
                f"the webhook was signed {abs(age):.0f} s {where}; "
                f"{self._tolerance} s are tolerated (is this machine's clock right?)"
            )

    def _check_signature(self, received: _Received, content: bytes) -> None:
        expected = self._digests(received.message_id, received.timestamp, content)
        matched = False
        # All are compared, so that the time taken does not tell which one matched.
        for signature in received.signatures:
            for digest in expected:
                matched |= hmac.compare_digest(digest, signature)
        if matched:
            return
        if received.malformed:
            raise InvalidHeaderError("webhook-signature holds a v1 signature that is not base64")
        raise SignatureMismatchError(
            "no v1 signature matches; is this the endpoint's secret, and the raw body?"
        )


class _Received(NamedTuple):
    message_id: str
    timestamp: str
    signatures: list[bytes]
    malformed: bool


def _key_bytes(secret: object) -> bytes:
    # No message shows the secret.
    if not isinstance(secret, str):
        raise InvalidSecretError(f"a secret is a string, not {type(secret).__name__}")
    encoded = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSecretError("the secret is not whsec_ followed by base64") from None
    if not 24 <= len(key) <= 64:
        raise InvalidSecretError(f"the secret holds {len(key)} bytes; it must be 24 to 64")
    return key


def _content(body: object) -> bytes:
    if isinstance(body, str):
        try:
            return body.encode()
        except UnicodeEncodeError:
            raise InvalidPayloadError("the body holds lone surrogates") from None
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    raise UsageError(f"pass the raw request body as bytes or str, not a {type(body).__name__}")


def _read_headers(headers: SupportsItems) -> _Received:
    found: dict[str, str] = {}
    for raw_name, value in headers.items():
        name = _text("a header name", raw_name).lower()
        if name in _NAMES:
            if name in found:
                raise InvalidHeaderError(f"{name} is given more than once")
            found[name] = _single(name, value)
    for name in _NAMES:
        if not found.get(name):
            raise MissingHeaderError(f"the header {name} is missing or empty")
    message_id, timestamp, signature = (found[name] for name in _NAMES)
    _check_form(message_id, timestamp, signature)
    return _Received(message_id, timestamp, *_signatures(signature))


def _single(name: str, value: object) -> str:
    if isinstance(value, (list, tuple)):
        values = cast("Sequence[object]", value)
        if len(values) > 1:
            raise InvalidHeaderError(f"{name} is given more than once")
        return _text(name, values[0]) if values else ""
    return _text(name, value)


def _text(name: str, value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        raise InvalidHeaderError(f"{name} is not text, but {type(value).__name__}")
    return value.strip(" \t")


def _check_form(message_id: str, timestamp: str, signature: str) -> None:
    for name, value in zip(_NAMES, (message_id, timestamp, signature), strict=True):
        if len(value) > _LONGEST_HEADER:
            raise InvalidHeaderError(f"{name} is longer than {_LONGEST_HEADER} characters")
    if not _is_visible(message_id):
        raise InvalidHeaderError("webhook-id holds characters other than visible ASCII")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIMESTAMP):
        raise InvalidHeaderError(f"webhook-timestamp is not whole Unix seconds: {timestamp!r:.50}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_visible(value: object) -> bool:
    if not isinstance(value, str) or not value:
        return False
    return value.isascii() and value.isprintable() and " " not in value


def _signatures(header: str) -> tuple[list[bytes], bool]:
    """The `v1` signatures, and whether some part is malformed; other schemes are passed over."""
    signatures: list[bytes] = []
    malformed = False
    for part in header.split():
        scheme, comma, encoded = part.partition(",")
        if not comma:
            malformed = True
        elif scheme == "v1":
            try:
                signatures.append(base64.b64decode(encoded, validate=True))
            except (binascii.Error, ValueError):
                malformed = True
    return signatures, malformed


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidPayloadError(f"the body is signed, but not JSON in UTF-8: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
