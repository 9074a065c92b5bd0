"""Answers as they came, for those who want more than the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from hookwright._core.hooks import lower_headers
from hookwright._core.paging import AsyncPage, SyncPage, decode_envelope
from hookwright._core.problems import request_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from hookwright._core.call import Call
    from hookwright._core.client import AsyncCore, SyncCore
    from hookwright._core.wire import Reply

P = ParamSpec("P")
T = TypeVar("T")


class RawResponse(Generic[T]):
    """
    A success as it came: `status_code`, `headers` with lower-case names, `request_id`, the bytes
    of the body as `content`, and `retries`, how many tries failed before it.

    `parse()` gives what the method itself returns. Anything but a success is raised, as by the
    method itself.
    """

    __slots__ = ("_parsed", "_result", "content", "headers", "request_id", "retries", "status_code")

    def __init__(self, reply: Reply, retries: int, result: Callable[[], T]) -> None:
        self.status_code: int = reply.status_code
        self.headers: Mapping[str, str] = lower_headers(reply.headers)
        self.request_id: str | None = request_id(reply)
        self.content: bytes = reply.body
        self.retries: int = retries
        self._result = result
        self._parsed: list[T] = []

    def parse(self) -> T:
        """The result, always the same object. APIResponseError when it cannot be understood."""
        if not self._parsed:
            self._parsed.append(self._result())
        return self._parsed[0]

    @property
    def text(self) -> str:
        """The body as text, readable whatever it is."""
        return self.content.decode("utf-8", "replace")

    def __repr__(self) -> str:
        shown = f"{self.status_code}, request_id={self.request_id!r}, retries={self.retries}"
        return f"RawResponse({shown})"


class SyncRawCore:
    """Stands in for a SyncCore under resources whose results are to be raw."""

    __slots__ = ("_core",)

    def __init__(self, core: SyncCore) -> None:
        self._core = core

    def request(self, call: Call[T]) -> RawResponse[T]:
        return self._core.raw_request(call, call.decode)

    def page(self, call: Call[T]) -> RawResponse[SyncPage[T]]:
        def page(parsed: Any) -> SyncPage[T]:
            return SyncPage(self._core, call, decode_envelope(call.decode, parsed))

        return self._core.raw_request(call, page)


class AsyncRawCore:
    """Stands in for an AsyncCore under resources whose results are to be raw."""

    __slots__ = ("_core",)

    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def request(self, call: Call[T]) -> RawResponse[T]:
        return await self._core.raw_request(call, call.decode)

    async def page(self, call: Call[T]) -> RawResponse[AsyncPage[T]]:
        def page(parsed: Any) -> AsyncPage[T]:
            return AsyncPage(self._core, call, decode_envelope(call.decode, parsed))

        return await self._core.raw_request(call, page)


def raw(method: Callable[P, T]) -> Callable[P, RawResponse[T]]:
    """A method of a resource over a raw core, with the type that it has there."""
    return cast("Callable[P, RawResponse[T]]", method)


def async_raw(
    method: Callable[P, Awaitable[T]],
) -> Callable[P, Coroutine[Any, Any, RawResponse[T]]]:
    """The same of an async resource; a list gives its first page."""
    return cast("Callable[P, Coroutine[Any, Any, RawResponse[T]]]", method)
