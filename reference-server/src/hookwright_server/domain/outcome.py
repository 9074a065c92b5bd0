"""What came of one attempt: one vocabulary from the socket to the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

UnreachableCause = Literal[
    "dns_error", "connect_error", "tls_error", "connection_reset", "protocol_error"
]
Phase = Literal["dns", "connect", "tls", "send", "response"]


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver answered 2xx."""

    status: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver answered, but not 2xx. `retry_after_ms` is its Retry-After, if it sent one."""

    status: int
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No answer could be had; `cause` says where the conversation broke."""

    cause: UnreachableCause


@dataclass(frozen=True, slots=True)
class DeadlineExceeded:
    """The total deadline, from name resolution to the last byte, passed during `phase`."""

    phase: Phase


@dataclass(frozen=True, slots=True)
class Blocked:
    """The egress policy refused the address; nothing was sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Overflow:
    """The answer broke a size limit before its status could be trusted (header caps)."""

    limit: str


@dataclass(frozen=True, slots=True)
class NotTransformed:
    """The endpoint's transformation cannot be carried out on the payload; nothing was sent."""


Outcome = Delivered | Refused | Unreachable | DeadlineExceeded | Blocked | Overflow | NotTransformed

FailureReason = Literal[
    "timeout",
    "dns_error",
    "connect_error",
    "tls_error",
    "blocked_address",
    "connection_reset",
    "protocol_error",
    "http_3xx",
    "http_4xx",
    "http_5xx",
    "interrupted",
    "transformation_error",
]


def failure_reason(outcome: Outcome) -> FailureReason | None:
    """The word the API uses for `outcome`; None when it was delivered."""
    match outcome:
        case Delivered():
            return None
        case Refused(status):
            return _refusal(status)
        case Unreachable(cause):
            return cause
        case DeadlineExceeded():
            return "timeout"
        case Blocked():
            return "blocked_address"
        case Overflow():
            return "protocol_error"
        case NotTransformed():
            return "transformation_error"


def status_code(outcome: Outcome) -> int | None:
    """The HTTP status the receiver answered with, if it answered."""
    return outcome.status if isinstance(outcome, Delivered | Refused) else None


def _refusal(status: int) -> FailureReason:
    if 300 <= status < 400:
        return "http_3xx"
    if 400 <= status < 500:
        return "http_4xx"
    return "http_5xx" if status >= 500 else "protocol_error"
