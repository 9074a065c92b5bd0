"""The two clients: connection, credentials and options here, the operations in the namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from hookwright._core.call import UNSET, Unset
from hookwright._core.client import AsyncCore, SyncCore
from hookwright._core.runtime import Runtime
from hookwright._core.settings import settings_from
from hookwright._generated.namespaces import AsyncNamespaces, SyncNamespaces

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from hookwright._core.transport import AsyncHTTPClient, HTTPClient

__all__ = ["AsyncHookwright", "Hookwright"]


class Hookwright(SyncNamespaces):
    """
    The API, blocking. One client serves all threads; close it, or use it in a `with`.

    `api_key` and `base_url` are taken from HOOKWRIGHT_API_KEY and HOOKWRIGHT_BASE_URL when not
    given. `timeout` is in seconds (default 60; None waits without end) and bounds each wait for
    the network as well as the reading of the whole body. A failed call is tried again up to
    `max_retries` times (default 2). A deletion that finds nothing after a try whose outcome is
    unknown (no answer, or 5xx) counts as done: that try may have deleted. `http_client` is an
    `httpx.Client` of yours: its proxies, TLS and headers are used, its cookies, auth and
    redirects are not, and closing it is yours.

    Raises UsageError when something is missing or malformed.
    """

    _core: SyncCore

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        http_client: HTTPClient | None = None,
        _runtime: Runtime | None = None,
    ) -> None:
        # Here and not above: the HTTP library is most of what an import of this package would cost.
        from hookwright._core.transport import SyncTransport

        runtime = _runtime or Runtime()
        transport = SyncTransport(http_client, runtime.monotonic)
        settings = settings_from(api_key, base_url, transport.client_headers)
        self._core = SyncCore(transport, settings, runtime).with_options(
            timeout=timeout, max_retries=max_retries, extra_headers=extra_headers
        )
        self._closes = True

    def with_options(
        self,
        *,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
    ) -> Self:
        """
        A client with other defaults over the same connections. Closing it changes nothing:
        the connections belong to the client that it was made from.
        """
        derived = object.__new__(type(self))
        derived._core = self._core.with_options(
            timeout=timeout, max_retries=max_retries, extra_headers=extra_headers
        )
        derived._closes = False
        return derived

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._core.base_url!r})"

    def close(self) -> None:
        """Close the connections. An `http_client` that was passed in stays open."""
        if self._closes:
            self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncHookwright(AsyncNamespaces):
    """
    The API for asyncio. Close it with `await client.aclose()`, or use it in an `async with`;
    it closes nothing by itself when it is collected.

    The arguments are those of Hookwright; `http_client` is an `httpx.AsyncClient`. For many
    concurrent calls install `hookwright[aiohttp]` and pass `httpx_aiohttp.HttpxAiohttpClient()`.

    Raises UsageError when something is missing or malformed.
    """

    _core: AsyncCore

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        http_client: AsyncHTTPClient | None = None,
        _runtime: Runtime | None = None,
    ) -> None:
        from hookwright._core.transport import AsyncTransport

        runtime = _runtime or Runtime()
        transport = AsyncTransport(http_client, runtime.monotonic)
        settings = settings_from(api_key, base_url, transport.client_headers)
        self._core = AsyncCore(transport, settings, runtime).with_options(
            timeout=timeout, max_retries=max_retries, extra_headers=extra_headers
        )
        self._closes = True

    def with_options(
        self,
        *,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
    ) -> Self:
        """
        A client with other defaults over the same connections. Closing it changes nothing:
        the connections belong to the client that it was made from.
        """
        derived = object.__new__(type(self))
        derived._core = self._core.with_options(
            timeout=timeout, max_retries=max_retries, extra_headers=extra_headers
        )
        derived._closes = False
        return derived

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._core.base_url!r})"

    async def aclose(self) -> None:
        """Close the connections. An `http_client` that was passed in stays open."""
        if self._closes:
            await self._core.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
