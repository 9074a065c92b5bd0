"""RFC 9457 problems: the body of every answer that is not 2xx."""

from __future__ import annotations

import json
from typing import TypedDict

from hookwright_server.domain.contract import ERRORS
from hookwright_server.errors import Refusal

MEDIA_TYPE = "application/problem+json"


class FaultDocument(TypedDict):
    pointer: str
    code: str
    message: str


class ProblemDocument(TypedDict):
    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FaultDocument]


def status_of(refusal: Refusal) -> int:
    """The HTTP status of the refusal's code."""
    return ERRORS[refusal.code].status


def problem(refusal: Refusal, request_id: str) -> ProblemDocument:
    """The body that tells `refusal`."""
    info = ERRORS[refusal.code]
    return {
        "type": f"urn:hookwright:error:{refusal.code}",
        "title": info.title,
        "status": info.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "request_id": request_id,
        "errors": [
            {"pointer": fault.pointer, "code": fault.code, "message": fault.message}
            for fault in refusal.faults
        ],
    }


def problem_bytes(refusal: Refusal, request_id: str) -> bytes:
    """`problem` as JSON text."""
    return json.dumps(problem(refusal, request_id)).encode()
