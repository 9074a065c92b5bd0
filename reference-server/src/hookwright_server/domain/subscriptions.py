"""Which events an endpoint wants: exact names, `order.*` prefixes, or `*` for all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EVERYTHING = "*"

_NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
_PREFIX_END = ".*"


@dataclass(frozen=True, slots=True)
class Subscription:
    """The `events` of an endpoint, made ready to be asked many times."""

    everything: bool
    names: frozenset[str]
    prefixes: tuple[str, ...]

    def matches(self, event_name: str) -> bool:
        """Whether an event of this name goes to the endpoint.

        `order.*` takes `order.paid` and `order.item.added`, but neither `order` nor `orders.x`.
        """
        return self.everything or event_name in self.names or event_name.startswith(self.prefixes)


def subscription(patterns: Iterable[str]) -> Subscription:
    """The subscription that valid `patterns` describe."""
    given = frozenset(patterns)
    prefixes = frozenset(pattern for pattern in given if pattern.endswith(_PREFIX_END))
    return Subscription(
        everything=EVERYTHING in given,
        names=given - prefixes - {EVERYTHING},
        prefixes=tuple(sorted(pattern[:-1] for pattern in prefixes)),
    )


def matches(patterns: Iterable[str], event_name: str) -> bool:
    """Whether an endpoint with these `events` gets an event of this name."""
    return subscription(patterns).matches(event_name)


def is_event_name(text: str) -> bool:
    """Whether `text` can name an event: words of letters, digits and `_`, joined by dots."""
    return _NAME.fullmatch(text) is not None


def is_pattern(text: str) -> bool:
    """Whether `text` can stand in `events`: a name, a name followed by `.*`, or `*`."""
    return text == EVERYTHING or is_event_name(text.removesuffix(_PREFIX_END))
