"""What happened in a case, in the order of time: the first thing to read when it fails."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hookwright_conformance.receiver import Hook


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at `at` (`time.monotonic()`)."""

    at: float
    text: str


class Timeline:
    """The API calls of a case, merged on demand with what its hooks received."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.hooks: list[Hook] = []
        self.last_curl = ""
        self._events: list[Event] = []

    def note(self, text: str, at: float | None = None) -> None:
        """Add an event; `at` defaults to now."""
        self._events.append(Event(time.monotonic() if at is None else at, text))

    def lines(self) -> list[str]:
        """All events with their seconds since the case began."""
        events = sorted([*self._events, *self._received()], key=lambda event: event.at)
        return [f"{event.at - self.began:8.3f}  {event.text}" for event in events]

    def _received(self) -> list[Event]:
        events: list[Event] = []
        for hook in self.hooks:
            for request in hook.requests:
                name = f"/{hook.name} request {request.number}"
                size = len(request.body)
                events.append(Event(request.began, f"-> {name}: {request.method}, {size} bytes"))
                if request.ending is not None:
                    ended = f"<- {name} ended by {request.ending.by}"
                    events.append(Event(request.ending.at, ended))
        return events
