"""Handlers of the tag `health`."""

from __future__ import annotations

from hookwright_server.http.context import Context
from hookwright_server.http.edge import responses
from hookwright_server.services.readiness import Readiness


class HealthHandlers:
    """See `edge.handlers.HealthHandlers`."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def live(self, context: Context) -> responses.Liveness:
        return {"status": "ok"}

    def ready(self, context: Context) -> responses.Readiness:
        parts = self._readiness.require()
        return {
            "status": "ready",
            "checks": {name: "ok" if works else "failing" for name, works in parts.items()},
        }
