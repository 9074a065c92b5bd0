"""Why the front door itself answers a client, and the bytes of that answer."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Literal

RefusalCode = Literal[
    "validation_error",
    "payload_too_large",
    "headers_too_large",
    "uri_too_long",
    "request_timeout",
    "unavailable",
    "internal_error",
]

RenderProblem = Callable[[RefusalCode, str, str], tuple[int, bytes]]
"""`(code, detail, request_id) -> (status, document)`: the vocabulary stays with the contract."""

RETRY_AFTER_S = 1

_CODE_OF_STATUS: dict[int, RefusalCode] = {
    408: "request_timeout",
    413: "payload_too_large",
    414: "uri_too_long",
    431: "headers_too_large",
    503: "unavailable",
}


class Refused(Exception):
    """The bytes of a client cannot become a request; `code` is an error code of the contract."""

    def __init__(self, code: RefusalCode, detail: str) -> None:
        super().__init__(detail)
        self.code: RefusalCode = code
        self.detail = detail


def malformed(why: str) -> Refused:
    """The refusal of bytes that are not HTTP/1.1 as RFC 9112 has it."""
    return Refused("validation_error", f"The request is not well-formed HTTP/1.1: {why}.")


def code_of_status(status: int) -> RefusalCode:
    """The code for an error that the HTTP server below the application answered by itself."""
    if status in _CODE_OF_STATUS:
        return _CODE_OF_STATUS[status]
    return "validation_error" if status < 500 else "internal_error"


def problem_bytes(
    status: int, code: RefusalCode, body: bytes, request_id: str, *, with_body: bool = True
) -> bytes:
    """A complete HTTP/1.1 response that ends its connection; the answer to HEAD has no body."""
    lines = [
        f"HTTP/1.1 {status} {_reason(status)}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        f"x-request-id: {request_id}",
        "connection: close",
    ]
    if code == "unavailable":
        lines.append(f"retry-after: {RETRY_AFTER_S}")
    head = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
    return head + body if with_body else head


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
