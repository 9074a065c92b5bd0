"""What happened in a case, in the order of time: the first thing to read when it fails."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import groupby

from hookwright_conformance.received import EndedBy
from hookwright_conformance.receiver import Hook

_ENDED: dict[EndedBy, str] = {
    "answered": "answered {}",
    "client": "the sender left ({})",
    "receiver": "the receiver ended it ({})",
}


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
        self.last_request = ""
        """A command that repeats it."""
        self.secrets: dict[str, str] = {}
        """Keys that were used, and the environment variables they came from."""
        self.operations: set[str] = set()
        """The operationIds that were called."""
        self.error_codes: set[str] = set()
        """The error codes that were answered."""
        self._events: list[Event] = []

    def note(self, text: str, at: float | None = None) -> None:
        """Add an event; `at` defaults to now."""
        self._events.append(Event(time.monotonic() if at is None else at, text))

    def lines(self) -> list[str]:
        """All events with their seconds since the case began; those that repeat the one before are
        counted."""
        events = sorted([*self._events, *self._received()], key=lambda event: event.at)
        runs = [list(same) for _, same in groupby(events, key=lambda event: event.text)]
        return [f"{run[0].at - self.began:8.3f}  {run[0].text}{self._again(run)}" for run in runs]

    def _again(self, run: list[Event]) -> str:
        if len(run) == 1:
            return ""
        return f" ({len(run)} times, the last one at {run[-1].at - self.began:.3f})"

    def _received(self) -> list[Event]:
        events: list[Event] = []
        for hook in self.hooks:
            for request in hook.requests:
                name = f"/{hook.name} request {request.number}"
                size = len(request.body)
                events.append(Event(request.began, f"-> {name}: {request.method}, {size} bytes"))
                if request.ending is not None:
                    how = _ENDED[request.ending.by].format(request.answer)
                    events.append(Event(request.ending.at, f"<- {name}: {how}"))
        return events
