"""What one accepted trigger writes: the message, its deliveries and its idempotency record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

DELIVERIES_AT_ONCE = 10_000
"""What is accepted at once holds no more than this, and one event beyond it."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A row of `messages`; `payload` is stored byte for byte.

    `traceparent` (W3C Trace Context) is what its deliveries carry on; None: nothing. What
    `deliver_at` and `expires_at` mean for its deliveries stands in those.
    """

    id: str
    account_id: str
    environment: str
    app_id: str
    event_name: str
    event_id: str | None
    payload: bytes
    endpoint_count: int
    filtered_count: int
    created_at: int
    traceparent: str | None = None
    tags: tuple[str, ...] = ()
    deliver_at: int | None = None
    expires_at: int | None = None
    ordering_key: str | None = None


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A pending row of `deliveries`; from `expires_at` on nothing of it is sent.

    Of a message with an `ordering_key`, it is due once its turn has come; see `ordering`.
    """

    id: str
    account_id: str
    environment: str
    app_id: str
    message_id: str
    endpoint_id: str
    event_name: str
    max_attempts: int
    next_attempt_at: int
    created_at: int
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A finished idempotency record: the response that a repeated request gets."""

    scope: bytes
    account_id: str
    environment: str
    fingerprint: bytes
    status: int
    response_sealed: bytes
    started_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Everything one trigger writes, in one transaction or not at all.

    `subscriptions_version` is the version of the app's endpoints that the fan-out was computed
    from; the transaction checks that it is still the present one. `admit` is asked by the writer
    before it writes the group; raising NotAdmitted keeps the acceptance out.
    """

    message: NewMessage
    deliveries: tuple[NewDelivery, ...]
    subscriptions_version: int
    record: NewRecord | None = None
    admit: Callable[[], None] | None = None

    @property
    def unordered(self) -> tuple[NewDelivery, ...]:
        """The deliveries that wait for no others."""
        return self.deliveries if self.message.ordering_key is None else ()


def tags_text(m: NewMessage) -> str | None:
    """The tags as `messages` holds them."""
    return json.dumps(m.tags) if m.tags else None


def tag_rows(acceptances: Iterable[Acceptance]) -> list[tuple[str, str, str, str]]:
    """Rows of `message_tags`, for both dialects in the order of its columns."""
    return [
        (m.account_id, m.environment, tag, m.id)
        for m in (acceptance.message for acceptance in acceptances)
        for tag in m.tags
    ]
