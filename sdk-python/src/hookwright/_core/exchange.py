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
from hookwright._core.raw import RawResponse
from hookwright._core.settings import Settings, checked_retries, checked_timeout
from hookwright._core.wire import Reply, WireRequest
from hookwright.errors import APIConnectionError, APIError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from hookwright._core.runtime import Runtime

T = TypeVar("T")
_NOT_FOUND: Final = 404


class Exchange:
    """
    The tries of one call. A driver sends what `begin` returns, gives the outcome to `next_delay`,
    and waits and begins again until that answers None; then `result` or `raw` returns or raises.
    After the first two, an async driver awaits `told` where there is something `pending`.
    """

    __slots__ = (
        "_deletes",
        "_error",
        "_hooks",
        "_maybe_done",
        "_operation",
        "_outcome",
        "_request",
        "_retries_left",
        "_runtime",
        "_started",
        "_tries",
        "pending",
    )

    def __init__(self, call: Call[Any], settings: Settings, runtime: Runtime) -> None:
        self._operation = call.operation
        self._hooks = settings.hooks
        self._outcome: Reply | APIConnectionError | None = None
        self.pending: Coroutine[Any, Any, None] | None = None
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
        log.log_request(self._operation, self._request, self._tries)
        if self._hooks.request is not None:
            self.pending = self._hooks.before(self._operation, self._request, self._tries)
        self._started = self._runtime.monotonic()
        return self._request

    def next_delay(self, outcome: Reply | APIConnectionError) -> float | None:
        """Seconds to wait before another try; None when this outcome is the last."""
        seconds = self._runtime.monotonic() - self._started
        delay = self._judged(outcome)
        self._outcome = outcome
        log.log_outcome(self._operation, self._request, outcome, self._tries, seconds)
        if delay is not None:
            log.log_retry(self._operation, self._request, delay)
        if self._hooks.response is not None:
            self.pending = self._hooks.after(
                self._operation, self._request, self._tries, outcome, seconds, delay
            )
        return delay

    async def told(self) -> None:
        """Wait for a hook. A try's time begins after it."""
        running, self.pending = self.pending, None
        if running is not None:
            await running
        self._started = self._runtime.monotonic()

    def result(self, decode: Callable[[Any], T]) -> T:
        """The decoded success. Raises the APIError of anything else."""
        return self._decoded(self._success(), decode)

    def raw(self, decode: Callable[[Any], T]) -> RawResponse[T]:
        """The success as it came. Raises the APIError of anything else."""
        reply = self._success()
        return RawResponse(reply, self._tries - 1, lambda: self._decoded(reply, decode))

    def _judged(self, outcome: Reply | APIConnectionError) -> float | None:
        if isinstance(outcome, Reply) and (outcome.is_success or self._is_gone(outcome)):
            self._error = None
            return None
        if not isinstance(outcome, Reply) or outcome.status_code >= 500:
            self._maybe_done = True
        delay = self._delay_after(outcome)
        if delay is not None:
            self._retries_left -= 1
        return delay

    def _success(self) -> Reply:
        if self._error is not None:
            raise self._error
        if not isinstance(self._outcome, Reply):
            raise TypeError("no try has come to an end yet")
        return self._outcome

    def _decoded(self, reply: Reply, decode: Callable[[Any], T]) -> T:
        return decode(None) if self._is_gone(reply) else _decoded(reply, decode)

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
    except UsageError as error:  # a model's from_dict; but no user gave this data
        reason = f"the body is not what the contract promises: {error}"
        raise response_error(reply, reason) from error
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"the body is not what the contract promises: {type(error).__name__}: {error}"
        raise response_error(reply, reason) from error
