"""The Retry-After field of an answer (RFC 9110 section 10.2.3)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from hookwright_server.domain.contract import Limits

MAX_RETRY_AFTER_MS = Limits.retry_after_cap_seconds * 1000
_MAX_LENGTH = 40


def parse_retry_after(value: bytes, now_ms: int) -> int | None:
    """Milliseconds to wait from `now_ms`, at most 24 h; None for what is not to be followed.

    Takes whole seconds or an HTTP date. Garbage, negative numbers and past dates count as absent.
    """
    if len(value) > _MAX_LENGTH or not value.isascii():
        return None
    if value.isdigit():
        return min(int(value) * 1000, MAX_RETRY_AFTER_MS)
    try:
        moment = parsedate_to_datetime(value.decode("ascii"))
        wait_ms = int(moment.timestamp() * 1000) - now_ms
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None or wait_ms < 0:
        return None
    return min(wait_ms, MAX_RETRY_AFTER_MS)
