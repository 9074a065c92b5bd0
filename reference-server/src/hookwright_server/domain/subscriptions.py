"""Which events an endpoint wants: exact names, `order.*` prefixes, or `*` for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EVERYTHING = "*"

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
