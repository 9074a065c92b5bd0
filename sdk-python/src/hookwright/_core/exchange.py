"""One logical call from request to result: every decision, no I/O. Both drivers run it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlencode

from hookwright._core import log, retry
from hookwright._core.call import UNSET, Call, Unset
from hookwright._core.headers import checked_headers
from hookwright._core.idempotency import HEADER, key_for
from hookwright._core.problems import response_error, status_error
from hookwright._core.settings import Settings, checked_retries, checked_timeout
from hookwright._core.wire import Reply, WireRequest
from hookwright.errors import APIConnectionError, APIError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookwright._core.runtime import Runtime

T = TypeVar("T")
_NOT_FOUND: Final = 404


class Exchange:
    """
    The tries of one call. A driver sends what `begin` returns, gives the outcome to `next_delay`,
    and waits and begins again until that answers None; then `result` returns or raises.
    """

    __slots__ = (
        "_deletes",
        "_error",
        "_maybe_done",
        "_operation",
        "_request",
        "_retries_left",
        "_runtime",
        "_started",
        "_tries",
    )

    def __init__(self, call: Call[Any], settings: Settings, runtime: Runtime) -> None:
        self._operation = call.operation
        self._runtime = runtime
        self._tries = 0
        self._started = 0.0
        self._error: APIError | None = None
        self._deletes = call.method == "DELETE"
        self._maybe_done = False
        self._request, key = _prepare(call, settings, runtime)
        self._retries_left = _retries(call, settings)
        if not retry.is_repeatable(call.method, key):
            self._retries_left = 0

    def begin(self) -> WireRequest:
        """The request of the next try."""
        self._tries += 1
        self._started = self._runtime.monotonic()
        log.log_request(self._operation, self._request, self._tries)
        return self._request

    def next_delay(self, outcome: Reply | APIConnectionError) -> float | None:
        """Seconds to wait before another try; None when this outcome is the last."""
        log.log_outcome(self._operation, outcome, self._runtime.monotonic() - self._started)
        if isinstance(outcome, Reply) and (outcome.is_success or self._is_gone(outcome)):
            self._error = None
            return None
        if not isinstance(outcome, Reply) or outcome.status_code >= 500:
            self._maybe_done = True
        delay = self._delay_after(outcome)
        if delay is not None:
            self._retries_left -= 1
            log.log_retry(self._operation, delay)
        return delay

    def result(self, outcome: Reply | APIConnectionError, decode: Callable[[Any], T]) -> T:
        """The decoded success. Raises the APIError of anything else."""
        if self._error is not None:
            raise self._error
        if isinstance(outcome, APIConnectionError):
            raise outcome
        if self._is_gone(outcome):
            return decode(None)
        return _decoded(outcome, decode)

    def _is_gone(self, reply: Reply) -> bool:
        """Whether an earlier try of this DELETE may have done what this one finds done."""
        return self._deletes and self._maybe_done and reply.status_code == _NOT_FOUND

    def _delay_after(self, outcome: Reply | APIConnectionError) -> float | None:
        retry_after: float | None = None
        transient = True
        if isinstance(outcome, Reply):
            error = status_error(outcome, self._runtime.clock())
            transient = retry.is_transient(error.status_code, error.code)
            retry_after = error.retry_after
            self._error = error
        else:
            self._error = outcome
        if not transient or self._retries_left == 0:
            return None
        return retry.delay_seconds(self._tries - 1, retry_after, self._runtime.random)


def _prepare(
    call: Call[Any], settings: Settings, runtime: Runtime
) -> tuple[WireRequest, str | None]:
    options = call.options
    headers = {**settings.headers, **checked_headers(options.extra_headers)}
    body = None
    if call.body is not UNSET:
        body = _encoded(call.body)
        headers["content-type"] = "application/json"
    key = key_for(call, headers, runtime.new_key)
    if key is not None:
        headers[HEADER] = key
    timeout = options.timeout
    request = WireRequest(
        method=call.method,
        url=_url(settings.base_url, call),
        headers=headers,
        body=body,
        timeout=settings.timeout if isinstance(timeout, Unset) else checked_timeout(timeout),
        label=f"{call.method} {call.path}",
    )
    return request, key


def _retries(call: Call[Any], settings: Settings) -> int:
    given = call.options.max_retries
    return settings.max_retries if isinstance(given, Unset) else checked_retries(given)


def _url(base_url: str, call: Call[Any]) -> str:
    if not call.query:
        return base_url + call.path
    try:
        return f"{base_url}{call.path}?{urlencode(call.query, quote_via=quote)}"
    except UnicodeEncodeError:
        raise UsageError("a query value is not valid Unicode") from None


def _encoded(body: Any) -> bytes:
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the body cannot be sent as JSON: {error}") from error


def _decoded(reply: Reply, decode: Callable[[Any], T]) -> T:
    if reply.defect is not None:
        raise response_error(reply, reply.defect)
    try:
        parsed = json.loads(reply.body) if reply.body else None
    except (ValueError, RecursionError) as error:
        raise response_error(reply, f"the body is not JSON: {error}") from error
    try:
        return decode(parsed)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"the body is not what the contract promises: {type(error).__name__}: {error}"
        raise response_error(reply, reason) from error
