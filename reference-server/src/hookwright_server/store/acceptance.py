"""What one accepted trigger writes: the message, its deliveries and its idempotency record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A row of `messages`; `payload` is stored byte for byte.

    `traceparent` (W3C Trace Context) is what its deliveries carry on; None: nothing.
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


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A pending row of `deliveries`."""

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
