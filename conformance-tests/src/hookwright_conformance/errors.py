"""What can go wrong while a suite runs.

ConformanceError        base of all
├── TargetError         target.yaml, a credential or openapi.yaml is unusable: nothing tested
└── Unmet               an observation differs from the requirement: the case fails
    └── NotReceived     the receiver waited in vain for a request, or for the end of one
"""

from __future__ import annotations

import re
import traceback

# A console obeys control characters, and no file in UTF-8 holds half a surrogate pair.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class ConformanceError(Exception):
    """Base of every error of this package."""


class TargetError(ConformanceError):
    """The target's description, credentials or contract cannot be used."""


class Unmet(ConformanceError):
    """`actual` was observed where `expected` is required; `what` names the observation."""

    def __init__(self, what: str, expected: object, actual: object) -> None:
        super().__init__(f"{what}: expected {expected}, got {actual}")
        self.what = what
        self.expected = expected
        self.actual = actual


def printable(text: str) -> str:
    """What was seen, fit for consoles and files: what is not comes as an escape, as in Python."""
    return _UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


def unreadable(error: Exception) -> Unmet:
    """What nobody foresaw in an answer, as an observation."""
    where = "".join(traceback.format_exception(error)[-2:]).strip()
    return Unmet("the answers", "what the suite can read", where)


class NotReceived(Unmet):
    """The deadline passed before the receiver saw what it waited for."""


def require_equal(expected: object, actual: object, what: str) -> None:
    """Raise `Unmet` unless both are equal."""
    if expected != actual:
        raise Unmet(what, repr(expected), repr(actual))


def require(met: bool, what: str, expected: object, actual: object) -> None:
    """Raise `Unmet` unless `met`; for observations that are more than an equality."""
    if not met:
        raise Unmet(what, expected, actual)
