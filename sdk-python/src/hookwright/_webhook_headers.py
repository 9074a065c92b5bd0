"""The three headers of a webhook, out of whatever a framework calls its headers."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias, cast

from hookwright.errors import InvalidHeaderError, MissingHeaderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

NAMES: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
_WSGI_NAMES: Final = {f"http_{name.replace('-', '_')}": name for name in NAMES}
_LONGEST_HEADER: Final = 8192
_LONGEST_TIMESTAMP: Final = 15
# A rotation of secrets beside one of schemes makes four. Each costs an ed25519 key a verification.
_MOST_SIGNATURES: Final = 32


class SupportsItems(Protocol):
    """Any collection of headers: a dict, or what Flask, Django, Starlette and httpx have."""

    def items(self) -> Iterable[tuple[Any, Any]]: ...


Headers: TypeAlias = "SupportsItems | Iterable[tuple[Any, Any]]"
"""A mapping, a WSGI environment, or pairs of names and values as ASGI has them."""


class Received(NamedTuple):
    message_id: str
    timestamp: str
    signatures: list[tuple[str, bytes]]
    malformed: bool


def read_headers(headers: Headers, schemes: Collection[str]) -> Received:
    """What the headers say, with the signatures of `schemes` alone.

    Raises a WebhookVerificationError, and UsageError for something that is no headers.
    """
    found: dict[str, str] = {}
    for raw_name, value in _pairs(headers):
        name = _text("a header name", raw_name).lower()
        name = _WSGI_NAMES.get(name, name)
        if name in NAMES:
            if name in found:
                raise InvalidHeaderError(f"{name} is given more than once")
            found[name] = _single(name, value)
    for name in NAMES:
        if not found.get(name):
            raise MissingHeaderError(f"the header {name} is missing or empty")
    message_id, timestamp, signature = (found[name] for name in NAMES)
    _check_form(message_id, timestamp, signature)
    return Received(message_id, timestamp, *_signatures(signature, schemes))


def is_visible(value: object) -> bool:
    """Whether it is text of visible ASCII, as an id is."""
    if not isinstance(value, str) or not value:
        return False
    return value.isascii() and value.isprintable() and " " not in value


def _pairs(headers: Headers) -> Iterable[tuple[Any, Any]]:
    items = getattr(headers, "items", None)
    try:
        listed = list(items() if items is not None else cast("Iterable[Any]", headers))
        return [(name, value) for name, value in listed]
    except (TypeError, ValueError):
        raise UsageError(
            "headers are a mapping or pairs of names and values, "
            f"which this {type(headers).__name__} is not"
        ) from None


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
    for name, value in zip(NAMES, (message_id, timestamp, signature), strict=True):
        if len(value) > _LONGEST_HEADER:
            raise InvalidHeaderError(f"{name} is longer than {_LONGEST_HEADER} characters")
    if not is_visible(message_id):
        raise InvalidHeaderError("webhook-id holds characters other than visible ASCII")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIMESTAMP):
        raise InvalidHeaderError(f"webhook-timestamp is not whole Unix seconds: {timestamp!r:.50}")


def _signatures(header: str, schemes: Collection[str]) -> tuple[list[tuple[str, bytes]], bool]:
    """The signatures of `schemes`, and whether some part is malformed; others are passed over."""
    parts = header.split()
    if len(parts) > _MOST_SIGNATURES:
        raise InvalidHeaderError(f"webhook-signature holds more than {_MOST_SIGNATURES} signatures")
    signatures: list[tuple[str, bytes]] = []
    malformed = False
    for part in parts:
        scheme, comma, encoded = part.partition(",")
        if not comma:
            malformed = True
        elif scheme in schemes:
            try:
                signatures.append((scheme, base64.b64decode(encoded, validate=True)))
            except (binascii.Error, ValueError):
                malformed = True
    return signatures, malformed
