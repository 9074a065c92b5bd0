"""An answer that is not a success → the typed error. Trusts nothing about the body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from hookwright import errors
from hookwright._core.retry import retry_after_seconds

if TYPE_CHECKING:
    from hookwright._core.wire import Reply

LONGEST_BODY_TEXT: Final = 16 * 1024
_MOST_FIELD_ERRORS: Final = 100

_BY_STATUS: Final[dict[int, type[errors.APIStatusError]]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    413: errors.PayloadTooLargeError,
    415: errors.UnsupportedMediaTypeError,
    422: errors.UnprocessableError,
    429: errors.RateLimitError,
}


def status_error(reply: Reply, now: float) -> errors.APIStatusError:
    """The error for this answer; `now` (Unix seconds) is what a Retry-After date counts from."""
    problem = _problem(reply.body)
    return _error_class(reply.status_code)(
        reply.status_code,
        code=_text(problem.get("code")),
        title=_text(problem.get("title")),
        detail=_text(problem.get("detail")),
        errors=_field_errors(problem.get("errors")),
        request_id=request_id(reply) or _text(problem.get("request_id")),
        retry_after=retry_after_seconds(reply.headers.get("retry-after"), now),
        body=body_text(reply),
        headers={name.lower(): value for name, value in reply.headers.items()},
    )


def response_error(reply: Reply, reason: str) -> errors.APIResponseError:
    """The error for a success that cannot be understood."""
    return errors.APIResponseError(
        f"{reply.status_code}, but {reason}",
        status_code=reply.status_code,
        request_id=request_id(reply),
        body=body_text(reply),
    )


def request_id(reply: Reply) -> str | None:
    return reply.headers.get("x-request-id")


def body_text(reply: Reply) -> str:
    """The first part of the body, readable whatever it is."""
    return reply.body[:LONGEST_BODY_TEXT].decode("utf-8", "replace")


def _error_class(status_code: int) -> type[errors.APIStatusError]:
    if status_code >= 500:
        return errors.InternalServerError
    return _BY_STATUS.get(status_code, errors.APIStatusError)


def _problem(body: bytes) -> dict[str, Any]:
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}


def _text(value: object) -> str | None:
    return value[:LONGEST_BODY_TEXT] if isinstance(value, str) else None


def _field_errors(value: object) -> tuple[errors.FieldError, ...]:
    if not isinstance(value, list):
        return ()
    entries = cast("list[object]", value)[:_MOST_FIELD_ERRORS]
    return tuple(
        _field_error(cast("dict[str, object]", entry))
        for entry in entries
        if isinstance(entry, dict)
    )


def _field_error(entry: dict[str, object]) -> errors.FieldError:
    return errors.FieldError(
        pointer=_text(entry.get("pointer")) or "",
        code=_text(entry.get("code")),
        message=_text(entry.get("message")),
    )
