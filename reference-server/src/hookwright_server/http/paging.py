"""Pages over HTTP: `limit`, `cursor`, `offset` and `include_total` in, an envelope out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, NotRequired, Protocol, TypedDict, TypeVar

from hookwright_server.domain import cursor
from hookwright_server.domain.cursor import CursorError
from hookwright_server.errors import invalid
from hookwright_server.http.context import Context
from hookwright_server.services.places import Places
from hookwright_server.services.principal import Principal
from hookwright_server.store.pages import PageQuery, RowPage

Row = TypeVar("Row")
Document = TypeVar("Document")

_SKIPPING = "+"  # no id has one
_PAGING = frozenset({"limit", "cursor", "offset", "include_total"})
# To tell how many there are takes as long as there are many, and holds a request thread.
_COUNTED_AT_A_TIME = 24
_COUNTED_AT_A_TIME_OF_ONE_ACCOUNT = 12


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
        """The first of `keys` seals; cursors sealed under the others are still taken."""
        self._keys = keys

    def query(self, context: Context, params: PageParams) -> PageQuery:
        """Which rows the caller asks for; 400 for a cursor that is not this query's."""
        if params.cursor is not None and params.offset is not None:
            raise invalid(
                "query/offset", "exclusive", "'cursor' and 'offset' exclude each other; send one."
            )
        before_id: str | None = None
        skip = params.offset or 0
        if params.cursor is not None:
            before_id, _, left = self._open(context, params).partition(_SKIPPING)
            skip = int(left or 0)
        return PageQuery(
            limit=params.limit,
            before_id=before_id,
            offset=skip,
            include_total=params.include_total,
        )

    def next_cursor(self, context: Context, params: PageParams, page: RowPage[Any]) -> str | None:
        """The cursor of the next page; None on the last one."""
        if page.next_id is None:
            return None
        position = f"{page.next_id}{_SKIPPING}{page.skip}" if page.skip else page.next_id
        return cursor.seal(position, _binding(context, params), self._keys[0])

    def _open(self, context: Context, params: PageParams) -> str:
        refusal = "There is no key to open a cursor with."
        for key in self._keys:
            try:
                return cursor.unseal(params.cursor or "", _binding(context, params), key)
            except CursorError as error:
                refusal = str(error)
        raise invalid("query/cursor", "cursor", refusal)


class Totals:
    """Who asks for totals waits for their places: other requests have threads left."""

    def __init__(self) -> None:
        self._places = Places(
            _COUNTED_AT_A_TIME,
            _COUNTED_AT_A_TIME_OF_ONE_ACCOUNT,
            "Too many totals are being counted.",
        )

    def place(self, principal: Principal | None, params: object) -> AbstractContextManager[None]:
        """To hold while a request is served; `unavailable` when too many ask for a total."""
        if principal is None or not getattr(params, "include_total", False):
            return nullcontext()
        return self._places.taken(principal.account_id)


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
