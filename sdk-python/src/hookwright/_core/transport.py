"""Requests out over an HTTP client, answers or connection errors back."""

from __future__ import annotations

import os
import sys
import weakref
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from hookwright._core.bodies import Body
from hookwright._core.deadline import Deadline
from hookwright._core.http_clients import (
    DefaultAioHttpClient,
    DefaultAsyncHttpxClient,
    DefaultHttpxClient,
    tls_context,
)
from hookwright._core.lean import httpx
from hookwright._core.settings import Route
from hookwright._core.wire import Reply, WireRequest
from hookwright.errors import (
    APIConnectionError,
    APITimeoutError,
    MissingExtraError,
    UsageError,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from ssl import SSLContext

T = TypeVar("T")
HTTPClient: TypeAlias = httpx.Client
AsyncHTTPClient: TypeAlias = httpx.AsyncClient

_CLOSED: Final = "this client is closed; make a new one"
_OTHER_LOOP: Final = (
    "this client holds connections of an event loop that is closed; make a client in each loop"
)
# The library's own timeout comes first: over a client that is not ours, a cancellation from
# outside leaves a connection in the middle of its handshake to the garbage collector.
_GRACE_S: Final = 0.1
_LIBRARIES: Final = frozenset({"aiohttp", "anyio", "h11", "h2", "httpcore", "httpx"})


def loopback_client() -> HTTPClient:
    """For a server of this machine: past the proxies of the environment, and without TLS."""
    return httpx.Client(trust_env=False, verify=_trusting_nobody())


def loopback_async_client() -> AsyncHTTPClient:
    """The same. No connection outlives its request, so it serves any number of event loops."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(trust_env=False, verify=_trusting_nobody(), limits=limits)


def _trusting_nobody() -> SSLContext:
    # Loading the certificate authorities is most of what a client costs.
    from ssl import PROTOCOL_TLS_CLIENT, SSLContext

    return SSLContext(PROTOCOL_TLS_CLIENT)


class SyncTransport:
    """Sends over the given client, which stays the caller's, or over one of its own."""

    def __init__(
        self,
        client: HTTPClient | None,
        monotonic: Callable[[], float],
        route: Route | None = None,
    ) -> None:
        self._owned = client is None
        self._route = route
        self._client = _checked(client, httpx.Client, route) or _made(DefaultHttpxClient, route)
        self._monotonic = monotonic
        if self._owned:
            _forked.add(self)

    def after_fork(self) -> None:
        """Leave the connections to the parent, whose they are; called by Python in a child."""
        if not self._client.is_closed:
            self._client = _made(DefaultHttpxClient, self._route)

    @property
    def client_headers(self) -> dict[str, str]:
        return dict(self._client.headers)

    @property
    def library(self) -> str:
        """Name and version of the HTTP library, as a User-Agent shows them."""
        return f"httpx/{httpx.__version__}"

    @property
    def is_closed(self) -> bool:
        return self._client.is_closed

    def send(self, request: WireRequest) -> Reply | APIConnectionError:
        """One request, one answer; redirects and the client's own auth and cookies play no part."""
        if self._client.is_closed:
            raise UsageError(_CLOSED)
        deadline = _deadline(request, self._monotonic)
        try:
            response = self._client.send(
                _built(request, deadline), stream=True, auth=None, follow_redirects=False
            )
            body = Body(response.status_code, response.headers, deadline)
            # A hook of the caller's client may have read it already.
            unpacked = response.is_stream_consumed
            try:
                if body.is_worth_reading():
                    for chunk in response.iter_bytes() if unpacked else response.iter_raw():
                        if not body.take(chunk):
                            break
            finally:
                response.close()
        except Exception as error:  # noqa: BLE001 - judged and, if need be, raised again
            return _failed(request, error)
        if body.late:
            return _timed_out(request, "the whole answer")
        return body.reply(unpacked=unpacked)

    def close(self) -> None:
        if self._owned:
            self._client.close()


_forked: weakref.WeakSet[SyncTransport] = weakref.WeakSet()


def _after_fork() -> None:
    for transport in list(_forked):
        transport.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


class AsyncTransport:
    """Sends over the given client, which stays the caller's, or over one of its own."""

    def __init__(
        self,
        client: AsyncHTTPClient | Literal["aiohttp"] | None,
        monotonic: Callable[[], float],
        route: Route | None = None,
    ) -> None:
        self._owned = client is None or client == "aiohttp"
        given = None if client == "aiohttp" else client
        kind = DefaultAioHttpClient if client == "aiohttp" else DefaultAsyncHttpxClient
        self._client: AsyncHTTPClient = _checked(given, httpx.AsyncClient, route) or _made(
            kind, route
        )
        self._monotonic = monotonic

    @property
    def client_headers(self) -> dict[str, str]:
        return dict(self._client.headers)

    @property
    def library(self) -> str:
        """Name and version of the HTTP library, as a User-Agent shows them."""
        if any(kind.__module__.startswith("httpx_aiohttp.") for kind in type(self._client).__mro__):
            return f"aiohttp/{sys.modules['aiohttp'].__version__}"
        return f"httpx/{httpx.__version__}"

    @property
    def is_closed(self) -> bool:
        return self._client.is_closed

    async def send(self, request: WireRequest) -> Reply | APIConnectionError:
        """One request, one answer; redirects and the client's own auth and cookies play no part."""
        if self._client.is_closed:
            raise UsageError(_CLOSED)
        # The HTTP library has imported it by now.
        import asyncio

        deadline = _deadline(request, self._monotonic)
        whole = None if request.timeout is None else request.timeout + _GRACE_S
        try:
            async with asyncio.timeout(whole):
                response = await self._client.send(
                    _built(request, deadline), stream=True, auth=None, follow_redirects=False
                )
                body = Body(response.status_code, response.headers, deadline)
                unpacked = response.is_stream_consumed
                try:
                    if body.is_worth_reading():
                        chunks = response.aiter_bytes() if unpacked else response.aiter_raw()
                        async for chunk in chunks:
                            if not body.take(chunk):
                                break
                finally:
                    await response.aclose()
        except Exception as error:  # noqa: BLE001 - judged and, if need be, raised again
            return _failed(request, error)
        if body.late:
            return _timed_out(request, "the whole answer")
        return body.reply(unpacked=unpacked)

    async def aclose(self) -> None:
        if self._owned:
            await self._client.aclose()


def _checked(client: Any, kind: type[T], route: Route | None) -> T | None:
    if client is None:
        return None
    if not isinstance(client, kind):
        raise UsageError(
            f"http_client must be an httpx.{kind.__name__}, not {type(client).__name__}"
        )
    if route is not None and not route.is_usual:
        raise UsageError("an http_client brings its own proxy and verify; give them to it instead")
    return client


def _made(kind: Callable[..., T], route: Route | None) -> T:
    """A client of our own. UsageError when the proxy or the certificates cannot be used."""
    chosen = route or Route()
    try:
        context = tls_context(chosen.verify)
        return kind(proxy=_proxy(chosen.proxy, context), verify=context)
    except ImportError as error:
        raise MissingExtraError(
            f"a SOCKS proxy needs `pip install httpx[socks]`: {error}"
        ) from error
    except (TypeError, ValueError, httpx.InvalidURL) as error:
        # Not shown: the URL of a proxy may hold a password. It may also stand in the environment.
        raise UsageError(
            "the proxy must be like http://user:password@proxy.example.com:3128"
            f" ({type(error).__name__}); see proxy=… and the variables HTTP_PROXY, HTTPS_PROXY,"
            " ALL_PROXY and NO_PROXY"
        ) from None


def _proxy(url: str | None, context: ssl.SSLContext) -> httpx.Proxy | None:
    if url is None:
        return None
    proxy = httpx.Proxy(url)
    return httpx.Proxy(url, ssl_context=context) if proxy.url.scheme == "https" else proxy


def _deadline(request: WireRequest, monotonic: Callable[[], float]) -> Deadline | None:
    return None if request.timeout is None else Deadline(request.timeout, monotonic)


def _built(request: WireRequest, wait: Deadline | None) -> httpx.Request:
    # Not client.build_request: that merges cookies, parameters and URLs on every call.
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


def _failed(request: WireRequest, error: Exception) -> Reply | APIConnectionError:
    """What a caught error means; raised again when it is none of the network's."""
    if isinstance(error, httpx.HTTPStatusError):
        # raise_for_status in a hook of the caller's client: an answer all the same.
        answer = error.response
        content = answer.content if answer.is_stream_consumed else b""
        return Reply(answer.status_code, answer.headers, content)
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        failure: APIConnectionError = _timed_out(request, type(error).__name__)
    elif isinstance(error, (OSError, UnicodeError)) or _is_of_library(error):
        text = f"{request.label} failed: {type(error).__name__}: {error}"
        failure = APIConnectionError(text)
    elif isinstance(error, RuntimeError) and "client has been closed" in str(error):
        raise UsageError(_CLOSED) from error  # by another thread, just now
    elif isinstance(error, RuntimeError) and "Event loop is closed" in str(error):
        raise UsageError(_OTHER_LOOP) from error  # a second asyncio.run with the same client
    else:
        raise error
    failure.__cause__ = error
    return failure


def _is_of_library(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in _LIBRARIES


def _timed_out(request: WireRequest, phase: str) -> APITimeoutError:
    return APITimeoutError(f"{request.label} got no answer within {request.timeout} s ({phase})")
