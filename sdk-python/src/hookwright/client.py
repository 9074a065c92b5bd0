"""The two clients: connection, credentials and options here, the operations in the namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from hookwright._core.call import UNSET, Unset
from hookwright._core.client import AsyncCore, SyncCore
from hookwright._core.hooks import NO_HOOKS, Hooks
from hookwright._core.runtime import Runtime
from hookwright._core.settings import Route, agent_of, settings_from
from hookwright._generated.namespaces import AsyncNamespaces, SyncNamespaces

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from ssl import SSLContext
    from types import TracebackType

    from hookwright._core.transport import AsyncHTTPClient, HTTPClient

__all__ = ["AsyncHookwright", "Hookwright"]


class Hookwright(SyncNamespaces):
    """
    The API, blocking. One client serves all threads; close it, or use it in a `with`.

    `api_key` and `base_url` are taken from HOOKWRIGHT_API_KEY and HOOKWRIGHT_BASE_URL when not
    given. `timeout` is in seconds (default 60; None waits without end) and bounds each try as a
    whole: a free connection, the lookup of the name, connecting, TLS, sending, the head and the
    whole body. A failed call is tried again up to `max_retries` times (default 2). A deletion that
    finds nothing after a try whose outcome is unknown (no answer, or 5xx) counts as done: that try
    may have deleted.

    `hooks` are told of each try. `app_info`, like "shop/2.1", names your program in the
    User-Agent. `proxy` is a URL, in place of the variables HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and
    NO_PROXY; `verify` is a file or folder of certificates to trust, an `ssl.SSLContext`, or False
    to trust everybody. `http_client` is an `httpx.Client` of yours: its proxies, TLS and headers
    are used, its cookies, auth and redirects are not, and closing it is yours. Over one that is
    no `DefaultHttpxClient`, `timeout` bounds each wait up to the head, and only then the whole.

    Raises UsageError when something is missing or malformed.
    """

    _core: SyncCore

    def __init__(  # noqa: PLR0913 - one for each documented option
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        hooks: Hooks = NO_HOOKS,
        app_info: str | None = None,
        proxy: str | None = None,
        verify: SSLContext | str | Path | bool = True,
        http_client: HTTPClient | None = None,
        _runtime: Runtime | None = None,
    ) -> None:
        # Here and not above: the HTTP library is most of what an import of this package would cost.
        from hookwright._core.transport import SyncTransport

        runtime = _runtime or Runtime()
        transport = SyncTransport(http_client, runtime.monotonic, Route(proxy, verify))
        agent = agent_of(transport.library, app_info)
        settings = settings_from(api_key, base_url, transport.client_headers, agent)
        self._core = SyncCore(transport, settings, runtime).with_options(
            timeout=timeout, max_retries=max_retries, extra_headers=extra_headers, hooks=hooks
        )
        self._closes = True

    def with_options(
        self,
        *,
        api_key: str | Unset = UNSET,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        hooks: Hooks | Unset = UNSET,
    ) -> Self:
        """
        A client with other defaults over the same connections. Closing it changes nothing:
        the connections belong to the client that it was made from. `extra_headers` come on top
        of those that there are; `hooks` take the place of those that there are.
        """
        derived = object.__new__(type(self))
        derived._core = self._core.with_options(
            api_key=api_key,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            hooks=hooks,
        )
        derived._closes = False
        return derived

    @property
    def base_url(self) -> str:
        """Where requests go, without a slash at the end."""
        return self._core.base_url

    @property
    def is_closed(self) -> bool:
        """Whether the connections are closed, here or by the client that this one came from."""
        return self._core.is_closed

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

    The arguments are those of Hookwright; `http_client` is an `httpx.AsyncClient`, over which
    `timeout` always bounds each try as a whole. For many concurrent calls install
    `hookwright[aiohttp]` and pass `http_client="aiohttp"`: several times the throughput.

    Raises UsageError when something is missing or malformed.
    """

    _core: AsyncCore

    def __init__(  # noqa: PLR0913 - one for each documented option
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        hooks: Hooks = NO_HOOKS,
        app_info: str | None = None,
        proxy: str | None = None,
        verify: SSLContext | str | Path | bool = True,
        http_client: AsyncHTTPClient | Literal["aiohttp"] | None = None,
        _runtime: Runtime | None = None,
    ) -> None:
        from hookwright._core.transport import AsyncTransport

        runtime = _runtime or Runtime()
        transport = AsyncTransport(http_client, runtime.monotonic, Route(proxy, verify))
        agent = agent_of(transport.library, app_info)
        settings = settings_from(api_key, base_url, transport.client_headers, agent)
        self._core = AsyncCore(transport, settings, runtime).with_options(
            timeout=timeout, max_retries=max_retries, extra_headers=extra_headers, hooks=hooks
        )
        self._closes = True

    def with_options(
        self,
        *,
        api_key: str | Unset = UNSET,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        hooks: Hooks | Unset = UNSET,
    ) -> Self:
        """
        A client with other defaults over the same connections. Closing it changes nothing:
        the connections belong to the client that it was made from. `extra_headers` come on top
        of those that there are; `hooks` take the place of those that there are.
        """
        derived = object.__new__(type(self))
        derived._core = self._core.with_options(
            api_key=api_key,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            hooks=hooks,
        )
        derived._closes = False
        return derived

    @property
    def base_url(self) -> str:
        """Where requests go, without a slash at the end."""
        return self._core.base_url

    @property
    def is_closed(self) -> bool:
        """Whether the connections are closed, here or by the client that this one came from."""
        return self._core.is_closed

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
