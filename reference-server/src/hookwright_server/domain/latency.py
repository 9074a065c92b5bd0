"""Histograms of latencies that can be added up: whole milliseconds to how often they came.

Values keep their six leading bits (as in HdrHistogram): below 64 ms every value is its own, above
it a bin is at most 1/32 of its values wide, so its middle is at most 1/64 off.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from typing import Final, Self

from pydantic import TypeAdapter

_BITS: Final = 6
_NOTHING: Final[Mapping[int, int]] = {}
_STORED: Final = TypeAdapter[list[int] | dict[int, int]](list[int] | dict[int, int])


class Histogram:
    """How often latencies came: the least value of each bin → how many fell into it.

    One that was read stays the two lists that it is stored as until something is added: a day by
    five minutes is 288 of them, of which only the percentiles are asked.
    """

    __slots__ = ("_bins", "_ordered")

    def __init__(self, bins: Mapping[int, int] = _NOTHING) -> None:
        self._bins = dict(bins)
        self._ordered: tuple[list[int], list[int]] | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """The one of this text, or of that of an object with the bins as its names."""
        found = _STORED.validate_json(text)
        if isinstance(found, dict):
            return cls(found)
        half = len(found) // 2
        histogram = cls()
        histogram._ordered = found[:half], found[half:]
        return histogram

    @classmethod
    def named(cls, bins: Mapping[str, int]) -> Self:
        """Of a JSON object, whose names are text."""
        return cls({int(least): count for least, count in bins.items()})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.bins == other.bins

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Histogram({self.bins})"

    @property
    def bins(self) -> dict[int, int]:
        """The bins, to be added to."""
        if self._ordered is not None:
            self._bins = dict(zip(*self._ordered, strict=True))
            self._ordered = None
        return self._bins

    def count(self, latency_ms: int) -> None:
        """It came once more."""
        bins, least = self.bins, bin_of(latency_ms)
        bins[least] = bins.get(least, 0) + 1

    def add(self, other: Histogram) -> None:
        """Add what `other` has counted."""
        bins = self.bins
        for least, count in other.bins.items():
            bins[least] = bins.get(least, 0) + count

    def percentiles(self, *percents: int) -> list[int]:
        """The values by nearest rank, at most 2 % off. Something must have been counted."""
        leasts, counts = self._lists()
        if not leasts:
            raise ValueError("no latency was counted")
        reached = list(accumulate(counts))
        ranks = [-(-reached[-1] * percent // 100) for percent in percents]
        return [_middle(leasts[bisect_left(reached, rank)]) for rank in ranks]

    def text(self) -> str:
        """As the JSON text of one list, for `read`: the bins in their order, then their counts.

        An object would take four times as long to read.
        """
        leasts, counts = self._lists()
        return json.dumps([*leasts, *counts], separators=(",", ":"))

    def _lists(self) -> tuple[list[int], list[int]]:
        if self._ordered is not None:
            return self._ordered
        leasts = sorted(self._bins)
        return leasts, [self._bins[least] for least in leasts]


def bin_of(latency_ms: int) -> int:
    """The least value of the bin that `latency_ms` (not negative) falls into."""
    shift = latency_ms.bit_length() - _BITS
    return latency_ms if shift <= 0 else latency_ms >> shift << shift


def _middle(least: int) -> int:
    shift = least.bit_length() - _BITS
    return least if shift <= 0 else least + (1 << shift >> 1)
