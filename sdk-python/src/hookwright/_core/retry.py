"""When a call is tried again, and after how long. Pure: time and chance are arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

FIRST_DELAY_SECONDS: Final = 0.5
LONGEST_DELAY_SECONDS: Final = 8.0
LONGEST_RETRY_AFTER_SECONDS: Final = 120.0

_TRANSIENT: Final = frozenset({408, 425, 429})


def is_repeatable(method: str, idempotency_key: str | None) -> bool:
    """Whether doing the request twice is the same as doing it once."""
    return method != "POST" or idempotency_key is not None


def is_transient(status_code: int, code: str | None) -> bool:
    """Whether the same request may get another answer in a while."""
    if status_code == 409:
        return code == "idempotency_in_progress"
    return status_code >= 500 or status_code in _TRANSIENT


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """
    A Retry-After header in seconds from `now` (Unix seconds), from its number or its date
    (RFC 9110, section 10.2.3); None when it is absent or unreadable. Never negative. A fraction,
    which is not allowed but sent, is rounded up.
    """
    if not value:
        return None
    text = value.strip()
    whole, _, fraction = text.partition(".")
    if text.isascii() and whole.isdigit() and (not fraction or fraction.isdigit()):
        return float(whole) + (1.0 if fraction.strip("0") else 0.0)
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        moment: datetime = parsedate_to_datetime(text)
        # A date "-0000" comes without a zone and would be taken for local time.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def delay_seconds(
    retries_done: int, retry_after: float | None, random: Callable[[], float]
) -> float | None:
    """
    The wait before the next try: full jitter over 0.5 s x 2^n, at most 8 s, and never less than
    the server asked for. None when the server asks for more than 120 s: then the caller decides.
    """
    if retry_after is not None and retry_after > LONGEST_RETRY_AFTER_SECONDS:
        return None
    # The exponent is capped as well: 2**2000 is no float.
    ceiling = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(retries_done, 10))
    return max(random() * ceiling, retry_after or 0.0)
