"""The answers of a scripted API to what an emitter publishes, and what it got."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdk_harness import ScriptedApi

_BODY = json.dumps(
    {
        "message_id": "msg_1",
        "event_name": "order.created",
        "delivery_ids": ["del_1"],
        "endpoint_count": 1,
        "filtered_count": 0,
        "dry_run": False,
    }
).encode()
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)
BROKEN = b"HTTP/1.1 500 Broken\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
MISSING = b"HTTP/1.1 404 Missing\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def published(api: ScriptedApi) -> list[tuple[str, str, Any]]:
    """Path, event name and payload of what reached the API."""
    bodies = [json.loads(request.body) for request in api.requests]
    return [
        (request.target, body["event_name"], body["payload"])
        for request, body in zip(api.requests, bodies, strict=True)
    ]
