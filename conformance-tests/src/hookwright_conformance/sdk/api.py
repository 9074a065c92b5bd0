"""The API that an SDK under test calls: it answers what the script of the case says."""

from __future__ import annotations

import json
from typing import Any

from hookwright_conformance.answers import Answer, Headers, status
from hookwright_conformance.received import Received
from hookwright_conformance.receiver import Hook, Receiver, sequence

_REQUEST_ID = "req_01K9ZQ9D3E5F7G9H1J3K5M7N9P"


class Api(Receiver):
    """A server of one case on a port of its own: all paths are one hook."""

    def __init__(self, host: str, public_url: str | None) -> None:
        super().__init__(host, public_url)
        self.hook = Hook(self, "api", sequence(status(404)))

    def _begin(self, request: Received) -> Answer:
        return self.hook.begin(request)


def reply(code: int, value: Any = None, headers: Headers = ()) -> Answer:
    """A success with `value` as JSON; None for no body."""
    fields = [("X-Request-Id", _REQUEST_ID), *headers]
    if value is None:
        return status(code, fields)
    body = json.dumps(value, ensure_ascii=False).encode()
    return status(code, [("Content-Type", "application/json"), *fields], body)


def problem(code: int, name: str, headers: Headers = (), **members: Any) -> Answer:
    """A problem document with the code `name`."""
    document: dict[str, Any] = {
        "type": f"urn:hookwright:error:{name}",
        "title": f"The title of {name}",
        "status": code,
        "detail": f"The detail of {name}.",
        "code": name,
        "request_id": _REQUEST_ID,
        "errors": [],
        **members,
    }
    fields = [("Content-Type", "application/problem+json"), ("X-Request-Id", _REQUEST_ID)]
    return status(code, [*fields, *headers], json.dumps(document).encode())


def page(items: list[Any], cursor: str | None = None) -> Answer:
    """A page of a list; the last one without a `cursor`."""
    return reply(200, {"data": items, "has_more": cursor is not None, "next_cursor": cursor})


def text(code: int, body: bytes, media: str = "text/html; charset=utf-8") -> Answer:
    """An answer that is no JSON of the contract."""
    return status(code, [("Content-Type", media)], body)
