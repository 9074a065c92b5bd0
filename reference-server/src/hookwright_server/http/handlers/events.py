"""An event of a request body, as the service takes it."""

from __future__ import annotations

from pydantic import MISSING

from hookwright_server.http.context import Context
from hookwright_server.http.edge import requests
from hookwright_server.http.handlers.bodies import at_ms
from hookwright_server.services.sizes import check_filter_context
from hookwright_server.services.trigger import Event


def event_of(context: Context, body: requests.TriggerSend, payload: bytes) -> Event:
    """The event, with `payload` as it was received."""
    # Member by member: this is on the way of every event, and a dump of the model is not cheap.
    filter_context = None if body.filter_context is MISSING else body.filter_context
    check_filter_context(filter_context)
    return Event(
        event_name=body.event_name,
        payload=payload,
        document=body.payload,
        event_id=None if body.event_id is MISSING else body.event_id,
        endpoint_ids=None if body.endpoint_ids is MISSING else tuple(body.endpoint_ids),
        traceparent=context.traceparent,
        admit=context.admit,
        filter_context=filter_context,
        tags=() if body.tags is MISSING else tuple(body.tags),
        deliver_at=None if body.deliver_at is MISSING else at_ms(body.deliver_at, "deliver_at"),
        expires_at=None if body.expires_at is MISSING else at_ms(body.expires_at, "expires_at"),
        dry_run=body.dry_run,
        ordering_key=None if body.ordering_key is MISSING else body.ordering_key,
    )
