"""Request ids: the trace id of a valid `traceparent` (W3C Trace Context), else random."""

from __future__ import annotations

import re

from hookwright_server.clock import Clock
from hookwright_server.ids import Ids

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


class RequestIds:
    """Names requests."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    def of(self, traceparent: str | None) -> str:
        """The id of a request that came with this header."""
        found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
        return found[1] if found else self._ids.new("req", self._clock.now_ms())
