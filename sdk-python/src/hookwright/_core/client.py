"""The two thin drivers: the same exchange, run with and without `await`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hookwright._core.call import UNSET, Call, Unset
from hookwright._core.exchange import Exchange
from hookwright._core.paging import AsyncPage, AsyncPager, SyncPage, decode_envelope
from hookwright._core.raw import AsyncRawCore, RawResponse, SyncRawCore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hookwright._core.hooks import Hooks
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

    @property
    def is_closed(self) -> bool:
        """Whether the connections are closed for good."""
        return self._transport.is_closed

    def request(self, call: Call[T]) -> T:
        """Do the call, with retries. Raises APIError and UsageError."""
        return self._run(call).result(call.decode)

    def raw_request(self, call: Call[Any], decode: Callable[[Any], T]) -> RawResponse[T]:
        """The same, with the answer as it came."""
        return self._run(call).raw(decode)

    def raw(self) -> SyncCore:
        """What gives every result as a RawResponse; the types of resources over it do not know."""
        return cast("SyncCore", SyncRawCore(self))

    def page(self, call: Call[T]) -> SyncPage[T]:
        """Do a call whose result is a page of what `call.decode` decodes."""
        envelope = self._run(call).result(partial(decode_envelope, call.decode))
        return SyncPage(self, call, envelope)

    def with_options(
        self,
        *,
        api_key: str | Unset = UNSET,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        hooks: Hooks | Unset = UNSET,
    ) -> SyncCore:
        """The same core with other defaults, over the same connections."""
        settings = self._settings.with_options(
            api_key=api_key,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            hooks=hooks,
        )
        settings.hooks.check_plain()
        return SyncCore(self._transport, settings, self._runtime)

    def close(self) -> None:
        self._transport.close()

    def _run(self, call: Call[Any]) -> Exchange:
        exchange = Exchange(call, self._settings, self._runtime)
        while True:
            outcome = self._transport.send(exchange.begin())
            delay = exchange.next_delay(outcome)
            if delay is None:
                return exchange
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

    @property
    def is_closed(self) -> bool:
        """Whether the connections are closed for good."""
        return self._transport.is_closed

    async def request(self, call: Call[T]) -> T:
        """Do the call, with retries. Raises APIError and UsageError."""
        return (await self._run(call)).result(call.decode)

    async def raw_request(self, call: Call[Any], decode: Callable[[Any], T]) -> RawResponse[T]:
        """The same, with the answer as it came."""
        return (await self._run(call)).raw(decode)

    def raw(self) -> AsyncCore:
        """What gives every result as a RawResponse; the types of resources over it do not know."""
        return cast("AsyncCore", AsyncRawCore(self))

    def page(self, call: Call[T]) -> AsyncPager[T]:
        """A call whose result is a page of what `call.decode` decodes; sent when awaited."""
        return AsyncPager(self, call)

    async def first_page(self, call: Call[T]) -> AsyncPage[T]:
        """Do the call of a page now."""
        exchange = await self._run(call)
        return AsyncPage(self, call, exchange.result(partial(decode_envelope, call.decode)))

    def with_options(
        self,
        *,
        api_key: str | Unset = UNSET,
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        hooks: Hooks | Unset = UNSET,
    ) -> AsyncCore:
        """The same core with other defaults, over the same connections."""
        settings = self._settings.with_options(
            api_key=api_key,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            hooks=hooks,
        )
        return AsyncCore(self._transport, settings, self._runtime)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _run(self, call: Call[Any]) -> Exchange:
        exchange = Exchange(call, self._settings, self._runtime)
        while True:
            request = exchange.begin()
            if exchange.pending is not None:
                await exchange.told()
            outcome = await self._transport.send(request)
            delay = exchange.next_delay(outcome)
            if exchange.pending is not None:
                await exchange.told()
            if delay is None:
                return exchange
            await self._runtime.async_sleep(delay)
