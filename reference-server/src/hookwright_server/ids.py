"""Identifiers: `<prefix>_<ULID>`, so that ids sort by the time they carry."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from ulid.base32 import encode_randomness, encode_timestamp

from hookwright_server.randomness import drawn_ahead

Prefix = Literal["acc", "key", "app", "ety", "ep", "sec", "msg", "del", "att", "wrk", "req", "rpl"]
RandomBytes = Callable[[int], bytes]

_RANDOM_BYTES = 10
_LOWEST = b"\x00" * _RANDOM_BYTES


class Ids:
    """Makes ids; `random_bytes` is handed in so that tests can repeat a run."""

    def __init__(self, random_bytes: RandomBytes = drawn_ahead) -> None:
        self._random_bytes = random_bytes

    def new(self, prefix: Prefix, at_ms: int) -> str:
        """A fresh id whose time part is `at_ms` (a row's `created_at` is its id's time)."""
        return f"{prefix}_{_ulid(at_ms, self._random_bytes(_RANDOM_BYTES))}"


def first_id_at(prefix: Prefix, at_ms: int) -> str:
    """The smallest id of `at_ms`: turns a time bound into a key bound.

    No id is older than 1970, so earlier instants give the smallest id of all.
    """
    return f"{prefix}_{_ulid(max(at_ms, 0), _LOWEST)}"


def _ulid(at_ms: int, tail: bytes) -> str:
    return f"{_time_part(at_ms)}{encode_randomness(tail)}"


@lru_cache(maxsize=256)
def _time_part(at_ms: int) -> str:
    # The ids of a request, and those of a group of deliveries, mostly share a millisecond.
    return encode_timestamp(at_ms.to_bytes(6, "big"))
