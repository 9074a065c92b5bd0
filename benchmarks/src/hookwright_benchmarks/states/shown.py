"""What the API is to show of the model's things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookwright_benchmarks.states.things import Delivery, Endpoint, Message
from hookwright_benchmarks.states.words import instant

Document = dict[str, Any]


def delivery(one: Delivery, now: int) -> Document:
    """All but its URL and latency."""
    status, reason, completed_at, due_at = one.reads(now)
    ended = one.attempts[:-1] if status == "sending" else one.attempts
    last = ended[-1].answer if ended else None
    return {
        "id": one.id,
        "message_id": one.message.id,
        "app_slug": one.message.app.slug,
        "endpoint_id": one.endpoint.id,
        "event_name": one.message.event.name,
        "status": status,
        "cancel_reason": reason,
        "attempt_count": len(ended),
        "max_attempts": one.max_attempts,
        "next_attempt_at": instant(due_at),
        "last_status_code": last and last.status,
        "last_failure_reason": last and last.reason,
        "created_at": instant(one.created_at),
        "completed_at": instant(completed_at),
        "replay_of": one.replay_of,
        "ordering_key": one.message.event.ordering_key if one.sequence else None,
        "sequence": one.sequence,
    }


def message(one: Message) -> Document:
    """All of it but the payload."""
    return {
        "id": one.id,
        "app_slug": one.app.slug,
        "event_name": one.event.name,
        "event_id": one.event.event_id,
        "endpoint_count": one.endpoint_count,
        "filtered_count": one.filtered_count,
        "created_at": instant(one.created_at),
        "tags": list(one.event.tags),
        "ordering_key": one.event.ordering_key,
        "deliver_at": instant(one.event.deliver_at),
        "expires_at": instant(one.event.expires_at),
        "expunged_at": instant(one.expunged_at),
    }


def endpoint(one: Endpoint) -> Document:
    """What it wants, and what has become of it."""
    return {
        **one.wanted.document,
        "id": one.id,
        "app_slug": one.app.slug,
        "active": one.disabled_at is None,
        "disabled_at": instant(one.disabled_at),
        "disabled_reason": one.disabled_reason,
        "created_at": instant(one.created_at),
        "health": {
            "state": one.state,
            "consecutive_failures": one.failures,
            "first_failure_at": instant(one.failing_since),
            "last_success_at": instant(one.last_success_at),
            "last_failure_at": instant(one.last_failure_at),
        },
    }


def attempts(one: Delivery) -> list[Document]:
    """Newest first."""
    return [
        {
            "number": number,
            "status": "succeeded" if attempt.answer.is_success else "failed",
            "failure_reason": attempt.answer.reason,
            "status_code": attempt.answer.status,
            "created_at": instant(attempt.at),
        }
        for number, attempt in reversed(list(enumerate(one.attempts, 1)))
    ]


def part(document: Mapping[str, Any], of: Mapping[str, Any]) -> Document:
    """The members of `document` that `of` has."""
    return {name: document.get(name, "absent") for name in of}
