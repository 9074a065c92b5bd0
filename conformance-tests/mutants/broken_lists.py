"""Mutants of lists: order, cursors, totals and times."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import dataclasses
from typing import Any

from replacing import replace

from hookwright_server.http import paging
from hookwright_server.http.handlers import messages
from hookwright_server.http.paging import Cursors
from hookwright_server.services.endpoints import Endpoints
from hookwright_server.store.messages import MessageFilter
from hookwright_server.store.pages import PageQuery, RowPage


def lists_the_oldest_first() -> None:
    """Each page of endpoints stands on its head."""
    page = Endpoints.page

    def upside_down(self: Endpoints, *arguments: Any) -> RowPage[Any]:
        found = page(self, *arguments)
        return dataclasses.replace(found, rows=found.rows[::-1])

    replace(Endpoints, "page", upside_down)


def counts_the_rows_of_the_page() -> None:
    """The total is that of the page."""
    page = Endpoints.page

    def counted(self: Endpoints, *arguments: Any) -> RowPage[Any]:
        found = page(self, *arguments)
        total = None if found.total is None else len(found.rows)
        return dataclasses.replace(found, total=total)

    replace(Endpoints, "page", counted)


def pages_by_counting() -> None:
    """A cursor stands for a number of rows, not for a row."""
    skipped: dict[str | None, int] = {None: 0}
    query, following = Cursors.query, Cursors.next_cursor

    def counting(self: Cursors, context: Any, params: Any) -> PageQuery:
        asked = query(self, context, params)
        if params.cursor is None:
            return asked
        return dataclasses.replace(asked, before_id=None, offset=skipped[params.cursor])

    def next_cursor(self: Cursors, context: Any, params: Any, page: RowPage[Any]) -> str | None:
        cursor = following(self, context, params, page)
        skipped[cursor] = skipped.get(params.cursor, 0) + len(page.rows)
        return cursor

    replace(Cursors, "query", counting)
    replace(Cursors, "next_cursor", next_cursor)


def opens_any_cursor() -> None:
    """A cursor is good for every list and query."""

    def nowhere(context: Any, params: Any) -> bytes:
        del context, params
        return b""

    replace(paging, "_binding", nowhere)


def a_cursor_beats_an_offset() -> None:
    """With both, the offset is not looked at."""
    query = Cursors.query

    def either(self: Cursors, context: Any, params: Any) -> PageQuery:
        alone = params if params.cursor is None else dataclasses.replace(params, offset=None)
        return query(self, context, alone)

    replace(Cursors, "query", either)


def leaves_out_the_first_instant() -> None:
    """`after` is exclusive."""

    def later(**fields: Any) -> MessageFilter:
        after = fields.pop("after")
        return MessageFilter(**fields, after=None if after is None else after + 1)

    replace(messages, "MessageFilter", later)
