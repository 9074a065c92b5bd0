"""The two thin drivers: the same exchange, run with and without `await`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from hookwright._core.call import UNSET, Call, Unset
from hookwright._core.exchange import Exchange
from hookwright._core.paging import AsyncPage, AsyncPager, SyncPage, decode_envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hookwright._core.runtime import Runtime
    from hookwright._core.settings import Settings
    from hookwright._core.transport import AsyncTransport, SyncTransport

T = TypeVar("T")


class SyncCore:
    """What generated resources call. Safe to share between threads."""

    __slots__ = ("_runtime", "_settings", "_transport")

    def __init__(self, transport: SyncTransport, settings: Settings, runtime: Runtime) -> None:
        self._transport = transport
        self._settings = settings
        self._runtime = runtime

    @property
    def base_url(self) -> str:
        """Where requests go, without a slash at the end."""
        return self._settings.base_url

    def request(self, call: Call[T]) -> T:
        """Do the call, with retries. Raises APIError and UsageError."""
        return self._run(call, call.decode)

    def page(self, call: Call[T]) -> SyncPage[T]:
        """Do a call whose result is a page of what `call.decode` decodes."""
        return SyncPage(self, call, self._run(call, partial(decode_envelope, call.decode)))

    def with_options(
        self,
        *,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
    ) -> SyncCore:
        """The same core with other defaults, over the same connections."""
        settings = self._settings.with_options(
            timeout=timeout, max_retries=max_retries, extra_headers=extra_headers
        )
        return SyncCore(self._transport, settings, self._runtime)

    def close(self) -> None:
        self._transport.close()

    def _run(self, call: Call[Any], decode: Callable[[Any], T]) -> T:
        exchange = Exchange(call, self._settings, self._runtime)
        while True:
            outcome = self._transport.send(exchange.begin())
            delay = exchange.next_delay(outcome)
            if delay is None:
                return exchange.result(outcome, decode)
            self._runtime.sleep(delay)


class AsyncCore:
    """What generated async resources call. Belongs to one event loop."""

    __slots__ = ("_runtime", "_settings", "_transport")

    def __init__(self, transport: AsyncTransport, settings: Settings, runtime: Runtime) -> None:
        self._transport = transport
        self._settings = settings
        self._runtime = runtime

    @property
    def base_url(self) -> str:
        """Where requests go, without a slash at the end."""
        return self._settings.base_url

    async def request(self, call: Call[T]) -> T:
        """Do the call, with retries. Raises APIError and UsageError."""
        return await self._run(call, call.decode)

    def page(self, call: Call[T]) -> AsyncPager[T]:
        """A call whose result is a page of what `call.decode` decodes; sent when awaited."""
        return AsyncPager(self, call)

    async def first_page(self, call: Call[T]) -> AsyncPage[T]:
        """Do the call of a page now."""
        return AsyncPage(self, call, await self._run(call, partial(decode_envelope, call.decode)))

    def with_options(
        self,
        *,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
    ) -> AsyncCore:
        """The same core with other defaults, over the same connections."""
        settings = self._settings.with_options(
            timeout=timeout, max_retries=max_retries, extra_headers=extra_headers
        )
        return AsyncCore(self._transport, settings, self._runtime)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _run(self, call: Call[Any], decode: Callable[[Any], T]) -> T:
        exchange = Exchange(call, self._settings, self._runtime)
        while True:
            outcome = await self._transport.send(exchange.begin())
            delay = exchange.next_delay(outcome)
            if delay is None:
                return exchange.result(outcome, decode)
            await self._runtime.async_sleep(delay)
