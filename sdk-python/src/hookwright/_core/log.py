"""
Records on the logger `hookwright`: at INFO what came of each try, at DEBUG its request as well.

What may appear is listed here; everything else (keys, query values, bodies, unknown headers)
stays out. The HTTP library has a logger of its own, `httpx`, which prints whole URLs at INFO.
HOOKWRIGHT_LOG (`debug` or `info`) shows ours on stderr, and touches no other logger.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hookwright._printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hookwright._core.wire import Reply, WireRequest
    from hookwright.errors import APIConnectionError

logger = logging.getLogger("hookwright")

VARIABLE: Final = "HOOKWRIGHT_LOG"
_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO}
_NO_HEADERS: Final = MappingProxyType[str, str]({})
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


def log_outcome(
    operation: str,
    request: WireRequest,
    outcome: Reply | APIConnectionError,
    attempt: int,
    seconds: float,
) -> None:
    """After a try: status or the kind of failure, how long it took; at DEBUG listed headers."""
    if not logger.isEnabledFor(logging.INFO):
        return
    headers: Mapping[str, str] = _NO_HEADERS
    if isinstance(outcome, Exception):
        what = type(outcome).__name__
    else:
        what, headers = str(outcome.status_code), outcome.headers
    message = "response operation=%s %s %s attempt=%d seconds=%.3f request_id=%s"
    request_id = headers.get("x-request-id")
    shown_id = request_id and printable(request_id)
    values = (operation, request.label, what, attempt, seconds, shown_id)
    if logger.isEnabledFor(logging.DEBUG):
        logger.info(f"{message} headers=%s", *values, _shown(headers))  # noqa: G004 - constants
    else:
        logger.info(message, *values)


def log_retry(operation: str, request: WireRequest, delay: float) -> None:
    """Before the wait that leads to another try."""
    logger.info("retry operation=%s %s in=%.3fs", operation, request.label, delay)


def switch_on(wanted: str | None) -> None:
    """Show the records on stderr from this level on (`debug`, `info`); nothing for None or ""."""
    if not wanted:
        return
    level = _LEVELS.get(wanted.strip().lower())
    if level is None:
        logger.warning("%s=%.40r is not understood; it takes debug or info", VARIABLE, wanted)
        return
    logger.setLevel(level)
    if not any(isinstance(each, _ToStderr) for each in logger.handlers):
        logger.addHandler(_ToStderr())


class _ToStderr(logging.Handler):
    """Writes where nobody else does: a program with logging of its own shows each record once."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if logging.getLogger().handlers or sys.stderr is None:
            return
        # Closed, full, or a pipe that nobody reads: a call that was made must not fail for it.
        with suppress(OSError, ValueError):
            print(self.format(record), file=sys.stderr)  # noqa: T201


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _SHOWN if name in headers}


def _query_names(url: str) -> list[str]:
    query = url.partition("?")[2]
    return [pair.partition("=")[0] for pair in query.split("&")] if query else []
