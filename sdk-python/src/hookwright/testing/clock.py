"""The server's clock, moved by tests so that what is due later happens now."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from hookwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hookwright.testing.server import HookwrightServer

_PATIENCE_S = 90.0  # the server itself gives up after a minute


class HookwrightClock:
    """
    Moves the clock of a server forward, never back, and waits until all that fell due has run.

    The server of tests that move the clock is one of its own, so other tests are not disturbed;
    among these tests it goes on from where the one before left it. What the server signs carries
    its own time: give `time` to a handler that is to accept it, `Webhook(secret, clock=…)`.
    """

    def __init__(self, server: HookwrightServer) -> None:
        if not server.clock_can_move:
            raise UsageError(
                "the clock of this test's server stands in for no other: name `hookwright_clock` "
                "among the test's arguments instead of asking for it later"
            )
        self._server = server
        self._ahead_s = 0.0
        self._move(0.0)

    def time(self) -> float:
        """The server's time in Unix seconds."""
        return time.time() + self._ahead_s

    def now(self) -> datetime:
        """The server's time."""
        return datetime.fromtimestamp(self.time(), UTC)

    def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> datetime:
        """
        Move the clock by this much and return the new time.

        Stops wherever an attempt falls due, and returns when all of them have been made. Raises
        UsageError for a time that would go backwards and ServerFailed when the server does not
        answer, or when receivers are so slow that it gives up after a minute.
        """
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if span < timedelta(0):
            raise UsageError(f"the clock moves forward only, not by {span}")
        until = self.time() + span.total_seconds()
        self._move(0.0)  # whatever is due already
        # The server would stop there by itself; this way `time` is right for those it sends to.
        while (due := self._next_due()) is not None and due < until:
            self._move(due + 0.001 - self.time())
        self._move(until - self.time())
        return self.now()

    def _next_due(self) -> float | None:
        now = self.time()
        return min((due for due in self._due_times() if due > now), default=None)

    def _due_times(self) -> Iterator[float]:
        path = "/v1/apps/-/deliveries?status=pending&limit=100"
        page: dict[str, Any] = {"has_more": True, "next_cursor": None}
        while page["has_more"]:
            cursor = page["next_cursor"]
            page = self._ask("GET", f"{path}&cursor={quote(cursor)}" if cursor else path)
            for delivery in page["data"]:
                if delivery["next_attempt_at"] is not None:
                    yield datetime.fromisoformat(delivery["next_attempt_at"]).timestamp()

    def _move(self, seconds: float) -> None:
        days, rest = divmod(max(seconds, 0.0), 86_400)
        self._ahead_s += max(seconds, 0.0)  # now, because the server sends before it answers
        answer = self._ask("POST", "/_test/clock", {"advance": f"P{days:.0f}DT{rest:.3f}S"})
        self._ahead_s = datetime.fromisoformat(answer["now"]).timestamp() - time.time()

    def _ask(self, method: str, target: str, body: object = None) -> dict[str, Any]:
        address = urlsplit(self._server.url)
        connection = HTTPConnection(str(address.hostname), address.port, timeout=_PATIENCE_S)
        headers = {"Authorization": f"Bearer {self._server.api_key}"}
        content = None if body is None else json.dumps(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, target, content, headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except OSError as error:
            raise self._server.failure(f"does not move its clock ({error})") from error
        finally:
            connection.close()
        if response.status != 200:
            raise self._server.failure(f"did not move its clock: {answer['detail']}")
        return answer
