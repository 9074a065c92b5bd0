"""The span of an attempt: a child of the request that published the event, hours later or not."""

from __future__ import annotations

from hookwright_server.delivery.claim import ClaimedDelivery
from hookwright_server.delivery.sender import Attempted
from hookwright_server.domain.outcome import failure_reason
from hookwright_server.telemetry.traces import NO_SPAN, Span, Tracer


def begin_span(tracer: Tracer, claimed: ClaimedDelivery) -> Span:
    """The attempt begins. Costs nothing when the event was published without traces."""
    parent = claimed.row.traceparent
    if parent is None:
        return NO_SPAN
    return tracer.attempt(
        parent,
        {
            "method": "POST",
            "delivery": claimed.row.id,
            "message": claimed.row.message_id,
            "endpoint": claimed.target.endpoint_id,
            "app": claimed.target.app_id,
            "account": claimed.target.account_id,
            "attempt": claimed.number,
        },
    )


def end_span(span: Span, attempted: Attempted) -> None:
    """The attempt is over."""
    if span is NO_SPAN:
        return
    reason = failure_reason(attempted.outcome)
    fields: dict[str, str | int] = {"outcome": reason or "delivered"}
    if attempted.status_code is not None:
        fields["status"] = attempted.status_code
    span.end(fields, error=reason)
