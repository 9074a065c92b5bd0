"""Request ids: the trace id of a valid `traceparent` (W3C Trace Context), else random."""

from __future__ import annotations

from hookwright_server.clock import Clock
from hookwright_server.ids import Ids
from hookwright_server.telemetry.traces import trace_id


class RequestIds:
    """Names requests."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    def of(self, traceparent: str | None) -> str:
        """The id of a request that came with this header."""
        return trace_id(traceparent) or self._ids.new("req", self._clock.now_ms())
