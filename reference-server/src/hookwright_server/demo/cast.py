"""Who plays in the demo: the endpoints, what each one does wrong, and what it subscribes to."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Final

from hookwright_server.demo.receivers import Answer, Behaviour

APP: Final = "demo-shop"
EVENTS: Final = {"order.created": 45, "order.paid": 30, "user.signed_up": 20, "invoice.sent": 4}
"""Event names with their weights."""

_OK: Final = Answer(200)
_STUMBLES: Final = (
    Answer(503),
    Answer(500),
    Answer(429, headers=(("retry-after", "1"),)),
    Answer(None),
)
_STUMBLE_COUNTS: Final = ((0, 1, 2, 3), (60, 25, 12, 3))


@dataclass(frozen=True, slots=True)
class Role:
    """One endpoint. `delays_s`: the waits between its attempts.

    `behaviour` is None where nothing listens. `sound`: it receives everything in the end;
    `prompt`: nothing about it delays a first attempt.
    """

    name: str
    does: str
    events: tuple[str, ...]
    delays_s: tuple[float, ...]
    behaviour: Behaviour | None
    sound: bool = True
    prompt: bool = False

    def wants(self, event_name: str) -> bool:
        """Whether an event of this name must reach it."""
        return any(fnmatchcase(event_name, pattern) for pattern in self.events)


def roles(random: Random) -> tuple[Role, ...]:
    """All endpoints of the demo, the well-behaved first."""
    return (
        Role("good", "answers 200", ("*",), (0.3, 1, 2), lambda _, __: _OK, prompt=True),
        Role("flaky", "503, 429, cuts", ("*",), (0.3, 0.6, 1, 1, 2), _Flaky(random)),
        Role("slow", "takes 0.4 s", ("order.paid",), (0.3, 1, 2), lambda _, __: Answer(200, 0.4)),
        Role("paused", "we pause it", ("order.created",), (0.3, 1, 2), lambda _, __: _OK),
        Role("gone", "then 410 Gone", ("user.*",), (0.3, 1), _Gone(4), sound=False),
        Role("dead", "nothing listens", ("invoice.*",), (0.5, 1), None, sound=False),
    )


def event(number: int, random: Random) -> tuple[str, dict[str, Any]]:
    """The name and payload of one made-up event."""
    name = random.choices(list(EVENTS), list(EVENTS.values()))[0]
    payload = {
        "number": number,
        "customer": random.choice(("Ada", "Grace", "Jürgen", "莉")),
        "amount": round(random.uniform(1, 500), 2),
    }
    return name, payload


class _Flaky:
    """Fails some messages up to three times, in several ways, before it takes them."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._stumbles: dict[str, int] = {}

    def __call__(self, message_id: str, earlier: int) -> Answer:
        counts, weights = _STUMBLE_COUNTS
        if message_id not in self._stumbles:
            self._stumbles[message_id] = self._random.choices(counts, weights)[0]
        if earlier >= self._stumbles[message_id]:
            return _OK
        return self._random.choice(_STUMBLES)


class _Gone:
    """Takes a few messages, then says for good that it does not exist any more."""

    def __init__(self, taken: int) -> None:
        self._left = taken

    def __call__(self, _message_id: str, _earlier: int) -> Answer:
        if self._left == 0:
            return Answer(410)
        self._left -= 1
        return _OK
