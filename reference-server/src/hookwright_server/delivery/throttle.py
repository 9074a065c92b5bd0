"""An endpoint that says "too much" gets less at a time: halved, then one more per success."""

from __future__ import annotations

from collections.abc import Mapping

from hookwright_server.domain.outcome import Delivered, Outcome, Refused

_OVERLOADED = frozenset({429, 502, 503, 504})
_MOST_KEPT = 10_000


class Throttle:
    """The endpoints whose concurrency is at present below their `max_concurrency`.

    Kept in memory: after a restart an endpoint begins with its full concurrency again. So do, of
    very many, those that were tried longest ago: an endpoint that is deleted is tried no more.
    """

    def __init__(self) -> None:
        self._limits: dict[str, int] = {}

    def limits(self) -> Mapping[str, int]:
        """Endpoint id → deliveries at a time; a copy, safe to hand to another thread."""
        return dict(self._limits)

    def note(self, endpoint_id: str, outcome: Outcome, max_concurrency: int) -> None:
        """Take one attempt's outcome into account."""
        current = min(self._limits.get(endpoint_id, max_concurrency), max_concurrency)
        match outcome:
            case Refused(status) if status in _OVERLOADED:
                self._put_last(endpoint_id, max(1, current // 2), max_concurrency)
            case Delivered() if endpoint_id in self._limits:
                self._put_last(endpoint_id, current + 1, max_concurrency)
            case _:
                pass

    def _put_last(self, endpoint_id: str, limit: int, max_concurrency: int) -> None:
        self._limits.pop(endpoint_id, None)
        if limit < max_concurrency:
            self._limits[endpoint_id] = limit
            if len(self._limits) > _MOST_KEPT:
                del self._limits[next(iter(self._limits))]
