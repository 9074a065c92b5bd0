"""aiohttp under httpx's interface, for many calls at once (`hookwright[aiohttp]`)."""

from __future__ import annotations

from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient

from hookwright._core.http_clients import with_defaults
from hookwright._core.lean import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

_PIECE: Final = 64 * 1024
_LARGE: Final = 1024 * 1024


class AioHttpClient(HttpxAiohttpClient):
    """The library's client with our limits and our transport."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**with_defaults(options))

    def _init_transport(  # pyright: ignore[reportIncompatibleMethodOverride] - passed on
        self, *args: Any, **options: Any
    ) -> httpx.AsyncBaseTransport:
        given: httpx.AsyncBaseTransport | None = options.pop("transport", None)
        return given or _Transport(*args, **options)

    def _init_proxy_transport(  # pyright: ignore[reportIncompatibleMethodOverride] - passed on
        self, proxy: httpx.Proxy, *args: Any, **options: Any
    ) -> httpx.AsyncBaseTransport:
        if proxy.url.scheme not in {"http", "https"}:
            raise ValueError("aiohttp knows no other proxies than http and https")
        options["proxy"] = _without_user(proxy)
        return _Transport(*args, **options)


class _Transport(AiohttpTransport):
    """The library's, without cookies, and with every error under the name that fits it."""

    def get_client(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self.limits.max_connections or 0,
            keepalive_timeout=self.limits.keepalive_expiry,
            ssl=self.ssl_context,
        )
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        # Or it would try once more by itself, unseen: hooks and deletions count the tries.
        session._retry_connection = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _errors_of_httpx():
            response = await super().handle_async_request(_in_pieces(request))
        response.stream = _Answer(response.stream)
        return response


class _Answer(httpx.AsyncByteStream):
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx():
            async for chunk in self._inner:
                yield chunk

    async def aclose(self) -> None:
        with _errors_of_httpx():
            await self._inner.aclose()


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), _PIECE):
            yield self._content[start : start + _PIECE]


def _in_pieces(request: httpx.Request) -> httpx.Request:
    """aiohttp warns of large bodies that are written at once, for they hold up the loop."""
    if len(request.content) < _LARGE:
        return request
    return httpx.Request(
        request.method,
        request.url,
        headers=request.headers,
        stream=_Pieces(request.content),
        extensions=request.extensions,
    )


def _without_user(proxy: httpx.Proxy) -> httpx.Proxy:
    """User and password as a header: the library would hand them over in a deprecated form."""
    if proxy.auth is None:
        return proxy
    credentials = b64encode(":".join(proxy.auth).encode()).decode()
    headers = {**proxy.headers, "Authorization": f"Basic {credentials}"}
    return httpx.Proxy(proxy.url, headers=headers, ssl_context=proxy.ssl_context)


@contextmanager
def _errors_of_httpx() -> Generator[None, None, None]:
    try:
        yield
    except httpx.TimeoutException as error:
        # The library takes every connection that breaks for one that came too late.
        if isinstance(error.__cause__, TimeoutError):
            raise
        raise httpx.ReadError(_text(error.__cause__ or error)) from error
    except aiohttp.ClientError as error:
        raise httpx.RemoteProtocolError(_text(error)) from error


def _text(error: BaseException) -> str:
    # The text of an answer that cannot be read holds the whole URL and the lines of a drawing.
    shown = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return " ".join(shown.split()) or type(error).__name__
