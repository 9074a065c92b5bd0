"""When an event is to be sent: not before one instant, and not from another on."""

from __future__ import annotations

from hookwright_server.domain.contract import Limits
from hookwright_server.errors import Fault, Refusal, invalid

_DAY_MS = 86_400_000


def require_schedulable(deliver_at: int | None, ordering_key: str | None) -> None:
    """Refuse an event that is to go at a time of its own and when its turn comes."""
    if deliver_at is not None and ordering_key is not None:
        told = "An event with an 'ordering_key' goes when its turn comes. Leave 'deliver_at' out."
        raise Refusal("not_schedulable", told, (Fault("/deliver_at", "not_schedulable", told),))


def due_at(deliver_at: int | None, expires_at: int | None, now_ms: int) -> int:
    """When the first attempt is due. Refuses instants that nothing can come of (400)."""
    due = now_ms if deliver_at is None else max(now_ms, deliver_at)
    if due > now_ms + Limits.deliver_at_days_ahead * _DAY_MS:
        raise invalid(
            "/deliver_at",
            "maximum",
            f"'deliver_at' lies at most {Limits.deliver_at_days_ahead} days ahead.",
        )
    if expires_at is not None and expires_at <= due:
        raise invalid(
            "/expires_at",
            "future",
            "'expires_at' must lie in the future and after 'deliver_at'.",
        )
    return due
