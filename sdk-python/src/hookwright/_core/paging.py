"""
Pages of lists: a page is data, and the way to the next one.

A page that cannot be fetched raises what any call raises, after the items before it were given:
BadRequestError for a cursor that the server takes no more. The last page's `next_cursor` is where
to go on: `client.deliveries.list(…, cursor=page.next_cursor)` with the same filters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hookwright.errors import APIResponseError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    from hookwright._core.call import Call
    from hookwright._core.client import AsyncCore, SyncCore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Envelope(Generic[T]):
    """A page as the server sends it."""

    data: list[T]
    has_more: bool
    next_cursor: str | None
    total_count: int | None


def decode_envelope(decode: Callable[[Any], T], parsed: Any) -> Envelope[T]:
    """A parsed page with its items decoded. LookupError or TypeError when it is not a page."""
    data: list[Any] = parsed["data"]
    has_more, cursor = parsed["has_more"], parsed["next_cursor"]
    total = parsed.get("total_count")
    if type(data) is not list:
        raise TypeError("data is not a list")
    if not isinstance(has_more, bool):
        raise TypeError("has_more is not a boolean")
    if not isinstance(cursor, (str, type(None))):
        raise TypeError("next_cursor is neither a string nor null")
    if isinstance(total, bool) or not isinstance(total, (int, type(None))):
        raise TypeError("total_count is not an integer")
    return Envelope([decode(item) for item in data], has_more, cursor, total)


def next_call(call: Call[T], has_more: bool, next_cursor: str | None) -> Call[T]:
    """
    The call that fetches the following page: a cursor takes the place of an offset.

    Raises UsageError when there is no such page, and APIResponseError when the server names no
    way to it or would lead in a circle.
    """
    if not has_more:
        raise UsageError("there is no next page; ask has_next_page() first")
    if next_cursor is None:
        raise APIResponseError("the page says has_more, but holds no next_cursor")
    if ("cursor", next_cursor) in call.query:
        raise APIResponseError("the page's next_cursor is the cursor that led to it")
    kept = tuple(item for item in call.query if item[0] not in {"cursor", "offset"})
    return replace(call, query=(*kept, ("cursor", next_cursor)))


class _Way:
    """The cursors of a walk: a server that leads in a circle would be asked without end."""

    def __init__(self, call: Call[Any]) -> None:
        self._seen: set[str | None] = {value for name, value in call.query if name == "cursor"}

    def goes_on(self, page: _Page[Any]) -> bool:
        """Whether another page follows. APIResponseError when that one was seen already."""
        if not page.has_next_page():
            return False
        if page.next_cursor in self._seen:
            raise APIResponseError("the page's next_cursor is one that led to a page before it")
        self._seen.add(page.next_cursor)
        return True


class _Page(Generic[T]):
    __slots__ = ("_call", "data", "has_more", "next_cursor", "total_count")

    def __init__(self, call: Call[T], envelope: Envelope[T]) -> None:
        self._call = call
        self.data = envelope.data
        self.has_more = envelope.has_more
        self.next_cursor = envelope.next_cursor
        self.total_count = envelope.total_count

    def has_next_page(self) -> bool:
        """Whether the list goes on after this page."""
        return self.has_more

    def __repr__(self) -> str:
        return f"{type(self).__name__}(items={len(self.data)}, has_more={self.has_more})"


class SyncPage(_Page[T]):
    """
    One page: `data`, `has_more`, `next_cursor`, and `total_count` when it was asked for.

    `for item in page` goes on through all following pages, fetching each when it is reached.
    """

    __slots__ = ("_core",)

    def __init__(self, core: SyncCore, call: Call[T], envelope: Envelope[T]) -> None:
        super().__init__(call, envelope)
        self._core = core

    def next_page(self) -> SyncPage[T]:
        """The following page. UsageError when this is the last."""
        return self._core.page(next_call(self._call, self.has_more, self.next_cursor))

    def iter_pages(self) -> Iterator[SyncPage[T]]:
        """This page and all that follow."""
        page, way = self, _Way(self._call)
        yield page
        while way.goes_on(page):
            page = page.next_page()
            yield page

    def __iter__(self) -> Iterator[T]:
        for page in self.iter_pages():
            yield from page.data


class AsyncPage(_Page[T]):
    """
    One page: `data`, `has_more`, `next_cursor`, and `total_count` when it was asked for.

    `async for item in page` goes on through all following pages.
    """

    __slots__ = ("_core",)

    def __init__(self, core: AsyncCore, call: Call[T], envelope: Envelope[T]) -> None:
        super().__init__(call, envelope)
        self._core = core

    async def next_page(self) -> AsyncPage[T]:
        """The following page. UsageError when this is the last."""
        return await self._core.page(next_call(self._call, self.has_more, self.next_cursor))

    async def iter_pages(self) -> AsyncIterator[AsyncPage[T]]:
        """This page and all that follow."""
        page, way = self, _Way(self._call)
        yield page
        while way.goes_on(page):
            page = await page.next_page()
            yield page

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.iter_pages():
            for item in page.data:
                yield item


class AsyncPager(Generic[T]):
    """A list that is about to be fetched: `await` it for its first page, or `async for` it all."""

    __slots__ = ("_call", "_core")

    def __init__(self, core: AsyncCore, call: Call[T]) -> None:
        self._core = core
        self._call = call

    def __await__(self) -> Generator[Any, None, AsyncPage[T]]:
        return self._core.first_page(self._call).__await__()

    async def iter_pages(self) -> AsyncIterator[AsyncPage[T]]:
        """All pages from the first on."""
        async for page in (await self).iter_pages():
            yield page

    async def __aiter__(self) -> AsyncIterator[T]:
        async for item in await self:
            yield item
