"""What a caller's own functions see of each try: views that cannot be changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import CoroutineType, MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

from hookwright._core import log
from hookwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from hookwright._core.wire import Reply, WireRequest
    from hookwright.errors import APIConnectionError

T = TypeVar("T")
_COROUTINE_FUNCTION: Final = 0x80  # inspect.CO_COROUTINE; inspect costs 20 ms to import


@dataclass(frozen=True, slots=True, repr=False)
class RequestInfo:
    """
    A request that is about to be sent. `attempt` counts from 1; `headers` has lower-case names and
    holds the API key; `body` is JSON. Its `repr` shows no header, no body, no value of the query.
    """

    operation: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    attempt: int
    timeout: float | None

    def __repr__(self) -> str:
        return f"RequestInfo({_line(self)})"


@dataclass(frozen=True, slots=True, repr=False)
class ResponseInfo:
    """
    What came of one try after `seconds`: an answer, or `error` when there was none (then
    `status_code` is None and `headers` and `body` are empty). `retry_in` is the wait before the
    next try in seconds; None when this was the last. Its `repr` shows no header and no body.
    """

    request: RequestInfo
    status_code: int | None
    headers: Mapping[str, str]
    body: bytes
    error: APIConnectionError | None
    seconds: float
    retry_in: float | None

    @property
    def request_id(self) -> str | None:
        """What the server calls this request, for its operators."""
        return self.headers.get("x-request-id")

    def __repr__(self) -> str:
        came = type(self.error).__name__ if self.status_code is None else str(self.status_code)
        again = "" if self.retry_in is None else f", again in {self.retry_in:.3f} s"
        return f"ResponseInfo({_line(self.request)}: {came} after {self.seconds:.3f} s{again})"


def _line(request: RequestInfo) -> str:
    path, mark, query = request.url.partition("?")
    names = "&".join(f"{pair.partition('=')[0]}=…" for pair in query.split("&") if mark)
    return f"{request.operation}: {request.method} {path}{mark}{names}, attempt {request.attempt}"


RequestHook: TypeAlias = Callable[[RequestInfo], object]
ResponseHook: TypeAlias = Callable[[ResponseInfo], object]


@dataclass(frozen=True, slots=True)
class Hooks:
    """
    Functions that are called around each try: `request` before it is sent, `response` when its
    outcome is known, an answer or not. What they return is ignored. What they raise does not end
    the call (its request may have taken effect): it is logged on the logger `hookwright` at ERROR
    with its traceback. Coroutine functions are for async clients, which wait for them, though not
    within `timeout`; plain functions are for both, and must not block where the client is async.

    Raises UsageError for what cannot be called, and a `Hookwright` for coroutine functions.
    """

    request: RequestHook | None = None
    response: ResponseHook | None = None

    def __post_init__(self) -> None:
        for name in ("request", "response"):
            hook: object = getattr(self, name)
            if hook is not None and not callable(hook):
                raise UsageError(f"the {name} hook must be a function, not {hook!r:.100}")

    def check_plain(self) -> None:
        """UsageError for a coroutine function, which a blocking client cannot wait for."""
        for name in ("request", "response"):
            hook: object = getattr(self, name)
            if _is_coroutine_function(hook):
                raise UsageError(
                    f"the {name} hook of a Hookwright must be a plain function, not {hook!r:.100}; "
                    "AsyncHookwright takes coroutine functions"
                )

    def before(
        self, operation: str, request: WireRequest, attempt: int
    ) -> Coroutine[Any, Any, None] | None:
        """Tell of a try that is about to begin; what is given back wants to be awaited."""
        if self.request is None:
            return None
        return _call(self.request, _view(operation, request, attempt))

    def after(
        self,
        operation: str,
        request: WireRequest,
        attempt: int,
        outcome: Reply | APIConnectionError,
        seconds: float,
        retry_in: float | None,
    ) -> Coroutine[Any, Any, None] | None:
        """Tell what came of it; what is given back wants to be awaited."""
        if self.response is None:
            return None
        view = _view(operation, request, attempt)
        if isinstance(outcome, Exception):
            none: Mapping[str, str] = MappingProxyType({})
            info = ResponseInfo(view, None, none, b"", outcome, seconds, retry_in)
        else:
            headers = lower_headers(outcome.headers)
            status, body = outcome.status_code, outcome.body
            info = ResponseInfo(view, status, headers, body, None, seconds, retry_in)
        return _call(self.response, info)


NO_HOOKS: Final = Hooks()


def lower_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Headers with lower-case names that cannot be changed."""
    return MappingProxyType({name.lower(): value for name, value in headers.items()})


def _view(operation: str, request: WireRequest, attempt: int) -> RequestInfo:
    return RequestInfo(
        operation,
        request.method,
        request.url,
        MappingProxyType(dict(request.headers)),
        request.body,
        attempt,
        request.timeout,
    )


def _call(hook: Callable[[T], object], info: T) -> Coroutine[Any, Any, None] | None:
    try:
        returned = hook(info)
    except Exception:  # noqa: BLE001 - it is the caller's code
        _log_failure(info)
        return None
    # Nothing else that can be awaited: a task that a plain function began goes its own way.
    if not isinstance(returned, CoroutineType):
        return None
    return _waited(cast("Coroutine[Any, Any, object]", returned), info)


async def _waited(running: Coroutine[Any, Any, object], info: object) -> None:
    try:
        await running
    except Exception:  # noqa: BLE001 - as above
        _log_failure(info)


def _log_failure(info: object) -> None:
    log.logger.exception("a hook failed on %r; the call goes on", info)


def _is_coroutine_function(hook: object) -> bool:
    while isinstance(hook, partial):
        hook = cast("partial[object]", hook).func
    function = getattr(hook, "__func__", hook)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return bool(getattr(code, "co_flags", 0) & _COROUTINE_FUNCTION)
