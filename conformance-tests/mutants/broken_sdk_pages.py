"""Mutants of the Python SDK: how it goes through lists."""

# ruff: noqa: INP001 - sdk_driver.py stands in this folder

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from replacing import replace, sound_one

from hookwright._core import paging
from hookwright._core.call import Call
from hookwright._core.paging import SyncPage
from hookwright.conformance_driver import SyncFlavour

Query = tuple[tuple[str, str], ...]


def _go_on_while(goes_on: Callable[[SyncPage[Any]], bool]) -> None:
    replace(SyncPage, "has_next_page", goes_on)


def stops_after_the_first_page() -> None:
    """There is never another."""
    _go_on_while(lambda _: False)


def stops_at_empty_pages() -> None:
    """A page without items is the last."""
    _go_on_while(lambda page: page.has_more and bool(page.data))


def _change_next_call(query: Callable[[Query, str | None], Query]) -> None:
    """Have another query lead to the following page."""

    def next_call(call: Call[Any], has_more: bool, next_cursor: str | None) -> Call[Any]:
        del has_more
        return dataclasses.replace(call, query=query(call.query, next_cursor))

    replace(paging, "next_call", next_call)


def forgets_the_query_of_a_list() -> None:
    """The cursor is all that the next page is asked with."""
    sound = sound_one(paging, "next_call")

    def next_call(*arguments: Any) -> Any:
        made = sound(*arguments)
        return dataclasses.replace(made, query=made.query[-1:])

    replace(paging, "next_call", next_call)


def keeps_the_offset() -> None:
    """Beside the cursor."""
    sound = sound_one(paging, "next_call")

    def next_call(call: Call[Any], *others: Any) -> Any:
        made = sound(call, *others)
        offset = tuple(item for item in call.query if item[0] == "offset")
        return dataclasses.replace(made, query=(*offset, *made.query))

    replace(paging, "next_call", next_call)


def walks_in_circles() -> None:
    """Any cursor is followed, and none leads back to the beginning."""

    def query(before: Query, cursor: str | None) -> Query:
        kept = tuple(item for item in before if item[0] not in {"cursor", "offset"})
        return kept if cursor is None else (*kept, ("cursor", cursor))

    _change_next_call(query)


def fetches_pages_ahead() -> None:
    """The next page is fetched before the items of this one are given."""

    def items(self: SyncPage[Any]) -> Iterator[Any]:
        page = self
        while True:
            following = page.next_page() if page.has_next_page() else None
            yield from page.data
            if following is None:
                return
            page = following

    replace(SyncPage, "__iter__", items)


def keeps_items_back() -> None:
    """Nothing is given before all is there."""

    def items(
        self: SyncFlavour, operation: str, arguments: Mapping[str, Any], most: int, taken: list[Any]
    ) -> None:
        taken.extend(list(islice(self.call(operation, arguments), most)))

    replace(SyncFlavour, "items", items)


MUTANTS = (
    stops_after_the_first_page,
    stops_at_empty_pages,
    forgets_the_query_of_a_list,
    keeps_the_offset,
    walks_in_circles,
    fetches_pages_ahead,
    keeps_items_back,
)
