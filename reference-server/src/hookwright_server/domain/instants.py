"""Instants as the API writes them: RFC 3339 in, epoch milliseconds inside, UTC with `Z` out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

LATEST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z. The earliest instant is 0, 1970-01-01T00:00:00.000Z."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FORM = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]"
    r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


class InstantError(Exception):
    """The text is no instant that this API takes; `str()` says which rule it breaks."""


def parse(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 date-time with an offset.

    Digits beyond the millisecond are cut off. Leap seconds (`:60`), `24:00` and instants
    outside the years 1970 to 9999 (in UTC) are refused with InstantError.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise InstantError(
            "An instant is written as RFC 3339 with an offset, "
            "for example 2026-01-31T09:30:00Z or 2026-01-31T10:30:00.250+01:00."
        )
    local = _local_ms(found)
    at_ms = local - _offset_ms(found)
    if not 0 <= at_ms <= LATEST_MS:
        raise InstantError("An instant lies between the years 1970 and 9999 (UTC).")
    return at_ms


def render(at_ms: int) -> str:
    """`at_ms` as RFC 3339 in UTC with milliseconds and `Z`; `0 <= at_ms <= LATEST_MS`."""
    second, millisecond = divmod(at_ms, 1000)
    return f"{_render_second(second)}.{millisecond:03}Z"


@lru_cache(maxsize=1_024)
def _render_second(second: int) -> str:
    # Instants that are rendered together mostly lie close together.
    return (_EPOCH + timedelta(seconds=second)).isoformat().removesuffix("+00:00")


def _local_ms(found: re.Match[str]) -> int:
    year, month, day, hour, minute, second = (int(found[group]) for group in range(1, 7))
    try:
        whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise InstantError(f"This date or time of day does not exist: {error}.") from error
    fraction: str = found[7] or ""
    return (whole - _EPOCH) // _MILLISECOND + int(fraction[:3].ljust(3, "0"))


def _offset_ms(found: re.Match[str]) -> int:
    if found[8] is None:
        return 0
    hours, minutes = int(found[9]), int(found[10])
    if hours > 23 or minutes > 59:
        raise InstantError("An offset lies between -23:59 and +23:59.")
    sign = -1 if found[8] == "-" else 1
    return sign * (hours * 60 + minutes) * 60_000
