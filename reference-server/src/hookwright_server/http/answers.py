"""What a request ends with, before it becomes bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from hookwright_server.errors import Refusal
from hookwright_server.http.problems import MEDIA_TYPE, problem_bytes, status_of


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body (empty: none) and the headers that belong to it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def media_type(self) -> str | None:
        """The body's media type; None without a body."""
        if not self.body:
            return None
        return "application/json" if self.status < 400 else MEDIA_TYPE


class Replayed(Exception):
    """Ends a request with an answer that was stored earlier."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("answered from an idempotency record")
        self.answer = answer


def success(status: int, document: object) -> Answer:
    """The answer of a handler; `document` None: no body."""
    return Answer(status, b"" if document is None else encode(document))


def refused(refusal: Refusal, request_id: str) -> Answer:
    """The answer that tells `refusal`."""
    wait = refusal.retry_after_s
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return Answer(status_of(refusal), problem_bytes(refusal, request_id), headers)


class RawObject(dict[str, Any]):
    """A JSON object that is sent byte for byte as it was received; it reads as empty."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.raw = raw


def encode(document: object) -> bytes:
    """JSON text, compact, in UTF-8; a `RawObject` may stand at the top level of an object."""
    if not isinstance(document, Mapping):
        return _dump(document)
    members = cast("Mapping[str, object]", document)
    if any(isinstance(value, RawObject) for value in members.values()):
        return b"{%b}" % b",".join(b"%b:%b" % (_dump(k), _member(v)) for k, v in members.items())
    return _dump(dict(members))


def _member(value: object) -> bytes:
    return value.raw if isinstance(value, RawObject) else _dump(value)


def _dump(value: object) -> bytes:
    return _ENCODER.encode(value).encode()


# `json.dumps` with these options would make an encoder for every value.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
