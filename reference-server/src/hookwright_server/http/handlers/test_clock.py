"""Handlers of the tag `test_clock`."""

from __future__ import annotations

from hookwright_server.domain import instants
from hookwright_server.http.context import Context
from hookwright_server.http.edge import requests, responses
from hookwright_server.services.test_clock import TestClockService


class TestClockHandlers:
    """See `edge.handlers.TestClockHandlers`."""

    __test__ = False

    def __init__(self, service: TestClockService) -> None:
        self._service = service

    def advance(self, context: Context, body: requests.ClockAdvance) -> responses.ClockState:
        return {"now": instants.render(self._service.advance(body.advance))}
