"""
Signatures of webhooks: Standard Webhooks 1.0, schemes `v1` (HMAC-SHA256; no dependencies) and
`v1a` (ed25519; the extra `hookwright[ed25519]`).

    >>> from hookwright.webhooks import Webhook
    >>> event = Webhook(secret).unwrap(request_body, request_headers)  # secret: "whsec_…"
    >>> print(event.type)
    order.created

Give it the body exactly as it was received: JSON that was parsed and written again has other
bytes and another signature.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

from hookwright._webhook_body import content, parse
from hookwright._webhook_headers import Received, is_visible, read_headers
from hookwright._webhook_keys import read_key
from hookwright.errors import (
    InvalidHeaderError,
    InvalidPayloadError,
    InvalidSecretError,
    MissingExtraError,
    MissingHeaderError,
    SignatureMismatchError,
    TimestampOutOfToleranceError,
    UsageError,
    WebhookVerificationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hookwright._generated.operational import OPERATIONAL_EVENTS, OperationalData
    from hookwright._webhook_body import RawBody
    from hookwright._webhook_events import Converter, WebhookEvent
    from hookwright._webhook_headers import Headers

__all__ = [
    "OPERATIONAL_EVENTS",
    "InvalidHeaderError",
    "InvalidPayloadError",
    "InvalidSecretError",
    "MissingExtraError",
    "MissingHeaderError",
    "OperationalData",
    "SignatureMismatchError",
    "TimestampOutOfToleranceError",
    "Webhook",
    "WebhookEvent",
    "WebhookVerificationError",
    "unwrap",
]

SECRET_VARIABLE: Final = "HOOKWRIGHT_WEBHOOK_SECRET"  # noqa: S105 - where the secret is

P = TypeVar("P")


_LATE: Final = {
    "OPERATIONAL_EVENTS": "_generated.operational",  # the models need attrs
    "OperationalData": "_generated.operational",
    "WebhookEvent": "_webhook_events",  # needs dataclasses
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"hookwright.{_LATE[name]}"), name)


class Webhook:
    """
    Signs and verifies with one secret or several (during a rotation the old and the new one).

    A secret is `whsec_` and 24 to 64 bytes in base64 (scheme `v1`), or an ed25519 key (scheme
    `v1a`): the public key `whpk_…` verifies, the private key `whsk_…` signs too.
    `tolerance_seconds` is how far the signed time may lie in the past or in the future; `clock`
    gives Unix seconds. Raises InvalidSecretError, and MissingExtraError for an ed25519 key
    without the package `cryptography`.
    """

    def __init__(
        self,
        secret: str | Sequence[str],
        tolerance_seconds: float = 300,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        secrets = [secret] if isinstance(secret, str) else _listed(secret)
        if not secrets:
            raise InvalidSecretError("no secret was given")
        if not _is_seconds(tolerance_seconds):
            raise UsageError(
                f"tolerance_seconds is a number of at least 0, not {tolerance_seconds!r:.100}"
            )
        self._keys = [read_key(each) for each in secrets]
        self._schemes = {key.scheme for key in self._keys}
        self._tolerance = tolerance_seconds
        self._clock = clock

    def __repr__(self) -> str:
        return f"Webhook(secrets={len(self._keys)}, tolerance_seconds={self._tolerance})"

    def verify(self, body: RawBody, headers: Headers) -> Any:
        """
        The parsed JSON of a webhook that is genuine and recent.

        `body` is the raw request body; `headers` may be written in any case. Raises a subclass of
        WebhookVerificationError for a request that is not to be trusted, and UsageError when
        `body` is something parsed.
        """
        received = content(body)
        self._checked(received, headers)
        return parse(received)

    @overload
    def unwrap(
        self, body: RawBody, headers: Headers, into: None = None
    ) -> WebhookEvent[dict[str, Any]]: ...
    @overload
    def unwrap(
        self,
        body: RawBody,
        headers: Headers,
        into: Mapping[str, Converter[P]],
    ) -> WebhookEvent[P | dict[str, Any]]: ...
    @overload
    def unwrap(self, body: RawBody, headers: Headers, into: Converter[P]) -> WebhookEvent[P]: ...
    def unwrap(self, body: RawBody, headers: Headers, into: object = None) -> WebhookEvent[Any]:
        """
        The event of a webhook that is genuine and recent.

        `into` is what `data` becomes: a class (pydantic, attrs, dataclass, TypedDict), a function
        of the parsed object, or a mapping from event types to these; types that the mapping lacks
        stay dicts. `OPERATIONAL_EVENTS` is such a mapping, for the endpoints of the app
        `_system`.

        Raises as `verify` does, UsageError where `into` is nothing of these, and
        InvalidPayloadError when `data` does not fit `into`: when a class refuses it or a function
        raises a ValueError. What else `into` raises passes through.
        """
        from hookwright._webhook_events import check_converter, read_event

        check_converter(into)
        received = content(body)
        told = self._checked(received, headers)
        return read_event(told.message_id, told.timestamp, received, into)

    def sign(self, message_id: str, timestamp: int, body: RawBody) -> str:
        """
        The value of `webhook-signature`: a `v1,…` or `v1a,…` per secret, separated by spaces.

        `timestamp` is in Unix seconds and must be sent as `webhook-timestamp`. Raises UsageError
        for an id or a time that no receiver would take, and for a public key.
        """
        if not is_visible(message_id):
            raise UsageError(f"a message id is visible ASCII, not {message_id!r:.100}")
        if not _is_count(timestamp):
            raise UsageError(f"a timestamp is whole Unix seconds, not {timestamp!r}")
        signed = _signed(message_id, str(timestamp), content(body))
        return " ".join(
            f"{key.scheme},{base64.b64encode(key.sign(signed)).decode()}" for key in self._keys
        )

    def _checked(self, body: bytes, headers: Headers) -> Received:
        told = read_headers(headers, self._schemes)
        self._check_time(told.timestamp)
        self._check_signature(told, body)
        return told

    def _check_time(self, timestamp: str) -> None:
        age = self._clock() - int(timestamp)
        if abs(age) > self._tolerance:
            where = "in the past" if age > 0 else "in the future"
            raise TimestampOutOfToleranceError(
                f"the webhook was signed {abs(age):.0f} s {where}; "
                f"{self._tolerance} s are tolerated (is this machine's clock right?)"
            )

    def _check_signature(self, received: Received, body: bytes) -> None:
        signed = _signed(received.message_id, received.timestamp, body)
        matched = False
        for key in self._keys:
            matched |= key.matches(
                signed, [each for scheme, each in received.signatures if scheme == key.scheme]
            )
        if matched:
            return
        schemes = " or ".join(sorted(self._schemes))
        if received.malformed:
            raise InvalidHeaderError(
                f"webhook-signature holds a {schemes} signature that is not base64"
            )
        raise SignatureMismatchError(
            f"no {schemes} signature matches; is this the endpoint's secret, and the raw body?"
        )


@overload
def unwrap(
    body: RawBody,
    headers: Headers,
    secret: str | Sequence[str] | None = None,
    *,
    into: None = None,
) -> WebhookEvent[dict[str, Any]]: ...
@overload
def unwrap(
    body: RawBody,
    headers: Headers,
    secret: str | Sequence[str] | None = None,
    *,
    into: Mapping[str, Converter[P]],
) -> WebhookEvent[P | dict[str, Any]]: ...
@overload
def unwrap(
    body: RawBody,
    headers: Headers,
    secret: str | Sequence[str] | None = None,
    *,
    into: Converter[P],
) -> WebhookEvent[P]: ...
def unwrap(
    body: RawBody,
    headers: Headers,
    secret: str | Sequence[str] | None = None,
    *,
    into: Any = None,
) -> WebhookEvent[Any]:
    """
    `Webhook(secret).unwrap(body, headers, into)`.

    Without `secret`, HOOKWRIGHT_WEBHOOK_SECRET is read: one secret, or several with spaces
    between them.
    """
    given = secret if secret is not None else secrets_from_environment()
    return Webhook(given).unwrap(body, headers, into)


def secrets_from_environment() -> list[str]:
    """The secrets in HOOKWRIGHT_WEBHOOK_SECRET. Raises InvalidSecretError when there is none."""
    secrets = os.environ.get(SECRET_VARIABLE, "").split()
    if not secrets:
        raise InvalidSecretError(f"no webhook secret: pass one or set {SECRET_VARIABLE}")
    return secrets


def _listed(secrets: object) -> list[object]:
    if isinstance(secrets, (bytes, bytearray)) or not isinstance(secrets, Iterable):
        raise InvalidSecretError(f"a secret is a string, not {type(secrets).__name__}")
    return list(cast("Iterable[object]", secrets))


def _signed(message_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{message_id}.{timestamp}.".encode() + body


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
