"""Pages over HTTP: `limit`, `cursor`, `offset` and `include_total` in, an envelope out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NotRequired, Protocol, TypedDict, TypeVar

from hookwright_server.domain import cursor
from hookwright_server.domain.cursor import CursorError
from hookwright_server.errors import invalid
from hookwright_server.http.context import Context
from hookwright_server.store.pages import PageQuery, RowPage

Row = TypeVar("Row")
Document = TypeVar("Document")

_PAGING = frozenset({"limit", "cursor", "offset", "include_total"})


class PageParams(Protocol):
    """The parameters that every list has."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def limit(self) -> int: ...
    @property
    def cursor(self) -> str | None: ...
    @property
    def offset(self) -> int | None: ...
    @property
    def include_total(self) -> bool: ...


class Cursors:
    """Turns parameters into a page query and a page of rows into the envelope."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """The first of `keys` signs; cursors signed under the others are still taken."""
        self._keys = keys

    def query(self, context: Context, params: PageParams) -> PageQuery:
        """Which rows the caller asks for; 400 for a cursor that is not this query's."""
        if params.cursor is not None and params.offset is not None:
            raise invalid(
                "query/offset", "exclusive", "'cursor' and 'offset' exclude each other; send one."
            )
        return PageQuery(
            limit=params.limit,
            before_id=None if params.cursor is None else self._open(context, params),
            offset=params.offset or 0,
            include_total=params.include_total,
        )

    def next_cursor(self, context: Context, params: PageParams, page: RowPage[Any]) -> str | None:
        """The cursor of the next page; None on the last one."""
        if page.next_id is None:
            return None
        return cursor.seal(page.next_id, _binding(context, params), self._keys[0])

    def _open(self, context: Context, params: PageParams) -> str:
        refusal = "There is no key to open a cursor with."
        for key in self._keys:
            try:
                return cursor.unseal(params.cursor or "", _binding(context, params), key)
            except CursorError as error:
                refusal = str(error)
        raise invalid("query/cursor", "cursor", refusal)


class Envelope(TypedDict):
    """The body of every list."""

    data: list[Any]
    has_more: bool
    next_cursor: str | None
    total_count: NotRequired[int]


def envelope(
    page: RowPage[Row], next_cursor: str | None, render: Callable[[Row], Document]
) -> Envelope:
    """A page as the contract shows it."""
    document: Envelope = {
        "data": [render(row) for row in page.rows],
        "has_more": page.next_id is not None,
        "next_cursor": next_cursor,
    }
    if page.total is not None:
        document["total_count"] = page.total
    return document


def _binding(context: Context, params: PageParams) -> bytes:
    principal = context.principal
    filters = {
        name: getattr(params, name)
        for name in (field.name for field in dataclasses.fields(params))
        if name not in _PAGING
    }
    filters["key_app"] = principal.app_id
    return cursor.binding(
        principal.account_id, principal.environment, context.operation_id, filters
    )
