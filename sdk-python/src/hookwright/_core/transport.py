"""The one module that knows httpx: requests out, answers or connection errors back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import httpx

from hookwright._core.wire import (
    LARGEST_BODY_BYTES,
    LARGEST_ERROR_BODY_BYTES,
    Reply,
    WireRequest,
)
from hookwright.errors import APIConnectionError, APITimeoutError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

HTTPClient: TypeAlias = httpx.Client
AsyncHTTPClient: TypeAlias = httpx.AsyncClient

_CLOSED: Final = "this client is closed; make a new one"


class SyncTransport:
    """Sends over the given client, which stays the caller's, or over one of its own."""

    def __init__(self, client: HTTPClient | None, monotonic: Callable[[], float]) -> None:
        _check_kind(client, httpx.Client)
        self._owned = client is None
        self._client = client or httpx.Client()
        self._monotonic = monotonic

    @property
    def client_headers(self) -> dict[str, str]:
        return dict(self._client.headers)

    def send(self, request: WireRequest) -> Reply | APIConnectionError:
        """One request, one answer; redirects and the client's own auth and cookies play no part."""
        if self._client.is_closed:
            raise UsageError(_CLOSED)
        body = _Body(request, self._monotonic)
        try:
            response = self._client.send(
                _built(request), stream=True, auth=None, follow_redirects=False
            )
            try:
                if body.expects(response):
                    for chunk in response.iter_bytes():
                        if not body.take(chunk):
                            break
            except httpx.DecodingError as error:
                body.defect = f"the body cannot be decoded: {error}"
            finally:
                response.close()
        except httpx.HTTPError as error:
            return _connection_error(request, error)
        return body.outcome(response)

    def close(self) -> None:
        if self._owned:
            self._client.close()


class AsyncTransport:
    """Sends over the given client, which stays the caller's, or over one of its own."""

    def __init__(self, client: AsyncHTTPClient | None, monotonic: Callable[[], float]) -> None:
        _check_kind(client, httpx.AsyncClient)
        self._owned = client is None
        self._client = client or httpx.AsyncClient()
        self._monotonic = monotonic

    @property
    def client_headers(self) -> dict[str, str]:
        return dict(self._client.headers)

    async def send(self, request: WireRequest) -> Reply | APIConnectionError:
        """One request, one answer; redirects and the client's own auth and cookies play no part."""
        if self._client.is_closed:
            raise UsageError(_CLOSED)
        body = _Body(request, self._monotonic)
        try:
            response = await self._client.send(
                _built(request), stream=True, auth=None, follow_redirects=False
            )
            try:
                if body.expects(response):
                    async for chunk in response.aiter_bytes():
                        if not body.take(chunk):
                            break
            except httpx.DecodingError as error:
                body.defect = f"the body cannot be decoded: {error}"
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            return _connection_error(request, error)
        return body.outcome(response)

    async def aclose(self) -> None:
        if self._owned:
            await self._client.aclose()


def _check_kind(client: object, kind: type) -> None:
    if client is not None and not isinstance(client, kind):
        raise UsageError(
            f"http_client must be an httpx.{kind.__name__}, not {type(client).__name__}"
        )


class _Body:
    """The body as it comes in, bounded in size and in time."""

    __slots__ = (
        "_chunks",
        "_deadline",
        "_limit",
        "_monotonic",
        "_request",
        "_size",
        "defect",
        "late",
    )

    def __init__(self, request: WireRequest, monotonic: Callable[[], float]) -> None:
        self._request = request
        self._monotonic = monotonic
        self._deadline: float | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._limit = LARGEST_BODY_BYTES
        self.defect: str | None = None
        self.late = False

    def expects(self, response: httpx.Response) -> bool:
        """Set the bounds by the head; False when the body is not worth reading."""
        if not response.is_success:
            self._limit = LARGEST_ERROR_BODY_BYTES
        if self._request.timeout is not None:
            # httpx limits each single read; a body that drips would never end.
            self._deadline = self._monotonic() + self._request.timeout
        announced = response.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and float(announced) > self._limit:
            self.defect = self._too_large()
        return self.defect is None

    def take(self, chunk: bytes) -> bool:
        """Keep a chunk; False when there is nothing more to wait for."""
        self._size += len(chunk)
        if self._size > self._limit:
            self.defect = self._too_large()
            return False
        self._chunks.append(chunk)
        self.late = self._deadline is not None and self._monotonic() > self._deadline
        return not self.late

    def outcome(self, response: httpx.Response) -> Reply | APIConnectionError:
        if self.late:
            return APITimeoutError(_timeout_text(self._request, "the whole body"))
        return Reply(response.status_code, response.headers, b"".join(self._chunks), self.defect)

    def _too_large(self) -> str:
        return f"the body is larger than {self._limit} bytes"


def _built(request: WireRequest) -> httpx.Request:
    # Not client.build_request: that merges cookies, parameters and URLs on every call.
    wait = request.timeout
    timeouts = {"connect": wait, "read": wait, "write": wait, "pool": wait}
    try:
        return httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body,
            extensions={"timeout": timeouts},
        )
    except httpx.InvalidURL as error:
        raise UsageError(f"the URL of {request.label} is not valid: {error}") from error


def _connection_error(request: WireRequest, error: httpx.HTTPError) -> APIConnectionError:
    failure: APIConnectionError
    if isinstance(error, httpx.TimeoutException):
        failure = APITimeoutError(_timeout_text(request, type(error).__name__))
    else:
        failure = APIConnectionError(f"{request.label} failed: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def _timeout_text(request: WireRequest, phase: str) -> str:
    return f"{request.label} got no answer within {request.timeout} s ({phase})"
