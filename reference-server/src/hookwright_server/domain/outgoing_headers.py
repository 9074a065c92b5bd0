"""Which custom headers a user may set on deliveries (api.md section 2, endpoints)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

HeaderRefusalReason = Literal[
    "header_name_malformed",
    "header_name_reserved",
    "header_name_duplicated",
    "header_value_malformed",
]

_RESERVED = frozenset(
    {
        *("host", "date", "cookie", "expect", "te", "trailer", "upgrade", "connection"),
        *("keep-alive", "transfer-encoding", "accept-encoding", "http2-settings", "user-agent"),
        *("traceparent", "tracestate"),
    }
)
_RESERVED_PREFIXES = ("proxy-", "content-", "x-forwarded-", "webhook-")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")


@dataclass(frozen=True, slots=True)
class HeaderRefusal:
    """Why the header `name` cannot be set. `message` never repeats the value: it may be secret."""

    name: str
    reason: HeaderRefusalReason
    message: str


def is_token(name: str) -> bool:
    """Whether `name` is a field name of RFC 9110 section 5.1."""
    return _TOKEN.fullmatch(name) is not None


def is_visible(value: str) -> bool:
    """Whether `value` is visible ASCII with inner spaces: no CR, LF, NUL, tab or other byte."""
    return _VALUE.fullmatch(value) is not None


def is_reserved(name: str) -> bool:
    """Whether the server alone sets the header `name`."""
    lowered = name.lower()
    return lowered in _RESERVED or lowered.startswith(_RESERVED_PREFIXES)


def find_refusals(headers: Iterable[tuple[str, str]]) -> list[HeaderRefusal]:
    """What is wrong with `headers`: at most one refusal for each, in their order."""
    refusals: list[HeaderRefusal] = []
    seen: set[str] = set()
    for name, value in headers:
        refusal = _refusal(name, value, seen)
        seen.add(name.lower())
        if refusal is not None:
            refusals.append(refusal)
    return refusals


def _refusal(name: str, value: str, seen: set[str]) -> HeaderRefusal | None:
    shown = ascii(name[:80])
    if not is_token(name):
        message = f"{shown} is no header name; use letters, digits and hyphens"
        return HeaderRefusal(name, "header_name_malformed", message)
    if is_reserved(name):
        message = f"{shown} is set by the server alone; choose another name"
        return HeaderRefusal(name, "header_name_reserved", message)
    if name.lower() in seen:
        message = f"{shown} is given twice (names ignore case); keep one"
        return HeaderRefusal(name, "header_name_duplicated", message)
    if not is_visible(value):
        message = f"the value of {shown} must be visible ASCII without outer spaces; correct it"
        return HeaderRefusal(name, "header_value_malformed", message)
    return None
