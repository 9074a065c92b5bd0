"""What arrived at a receiver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hookwright._webhook_events import WebhookEvent, read_event

if TYPE_CHECKING:
    from hookwright._webhook_events import Converter
    from hookwright.testing.listener import Answer, Silence

P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)


@dataclass(frozen=True, slots=True)
class ReceivedEvent(WebhookEvent[P_co]):
    """A genuine event, as `Webhook.unwrap` gives it, and how it came."""

    attempt: int
    """Counts the requests with this `id` that the receiver has had, from 1."""
    headers: dict[str, str]
    """With lower-case names."""

    def into(self, converter: Converter[P]) -> ReceivedEvent[P]:
        """The same with `data` made into something. InvalidPayloadError when it does not fit."""
        told = read_event(self.id, self.headers["webhook-timestamp"], self.body, converter)
        return received_event(told, self.attempt, self.headers)


def received_event(
    told: WebhookEvent[P], attempt: int, headers: dict[str, str]
) -> ReceivedEvent[P]:
    """What an unwrapped event is to a receiver."""
    return ReceivedEvent(
        id=told.id,
        type=told.type,
        timestamp=told.timestamp,
        attempted_at=told.attempted_at,
        data=told.data,
        body=told.body,
        attempt=attempt,
        headers=headers,
    )


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """
    A request, whether it is to be trusted or not: `event` is None when `problem` says why not.

    `at` is in seconds since the receiver was made; `answer` is what it was answered with.
    """

    at: float
    path: str
    headers: dict[str, str]
    body: bytes
    event: ReceivedEvent[dict[str, Any]] | None
    problem: str | None
    answer: Answer | Silence

    @property
    def accepted(self) -> bool:
        """Whether the answer was a 2xx to an event."""
        status = 0 if isinstance(self.answer, str) else self.answer.status
        return self.event is not None and 200 <= status < 300

    def __str__(self) -> str:
        answered = {"hang": "never answered", "close": "cut off"}.get(
            str(self.answer), f"answered {self.answer}"
        )
        if self.event is None:
            return f"+{self.at:.2f} s  not to be trusted: {self.problem}  {answered}"
        event = self.event
        return f"+{self.at:.2f} s  {event.type}  {event.id}  attempt {event.attempt}  {answered}"
