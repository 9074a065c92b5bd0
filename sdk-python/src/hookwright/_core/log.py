"""
Debug records on the logger `hookwright`, one before and one after each try.

What may appear is listed here; everything else (keys, query values, bodies, unknown headers)
stays out. The HTTP library has a logger of its own, `httpx`, which prints whole URLs at INFO.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hookwright._core.wire import Reply, WireRequest
    from hookwright.errors import APIConnectionError

logger = logging.getLogger("hookwright")

_SHOWN: Final = (
    "content-length",
    "content-type",
    "idempotency-replayed",
    "retry-after",
    "user-agent",
    "x-request-id",
)


def log_request(operation: str, request: WireRequest, attempt: int) -> None:
    """Before a try: operation, method, path, names of query parameters, listed headers."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug(
            "request operation=%s %s query=%s attempt=%d headers=%s",
            operation,
            request.label,
            _query_names(request.url),
            attempt,
            _shown(request.headers),
        )


def log_outcome(operation: str, outcome: Reply | APIConnectionError, seconds: float) -> None:
    """After a try: status and listed headers, or the kind of failure; and how long it took."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    if isinstance(outcome, Exception):
        what, headers = type(outcome).__name__, {}
    else:
        what, headers = str(outcome.status_code), _shown(outcome.headers)
    message = "response operation=%s %s seconds=%.3f headers=%s"
    logger.debug(message, operation, what, seconds, headers)


def log_retry(operation: str, delay: float) -> None:
    """Before the wait that leads to another try."""
    logger.debug("retry operation=%s in=%.3fs", operation, delay)


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _SHOWN if name in headers}


def _query_names(url: str) -> list[str]:
    query = url.partition("?")[2]
    return [pair.partition("=")[0] for pair in query.split("&")] if query else []
