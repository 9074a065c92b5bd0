"""Pages of lists, in both flavours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hookwright import errors
from hookwright._core.call import Call

if TYPE_CHECKING:
    from sdk_harness import Driver, ScriptedApi

LIST = Call(
    "apps.list",
    "GET",
    "/v1/apps",
    lambda item: str(item["id"]),
    query=(("limit", "2"), ("offset", "4")),
)


def _page(*ids: str, cursor: str | None = None, **more: Any) -> bytes:
    document = {
        "data": [{"id": each} for each in ids],
        "has_more": cursor is not None,
        "next_cursor": cursor,
        **more,
    }
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def test_iteration_walks_all_pages(driver: Driver, api: ScriptedApi) -> None:
    """Items of all pages come in order; a cursor replaces the offset and keeps the rest."""
    api.steps = [_page("a", "b", cursor="c&1"), _page(cursor="c2"), _page("c")]

    items = driver.items(LIST)

    assert ["a", "b", "c"] == items
    targets = [request.target for request in api.requests]
    assert [
        "/v1/apps?limit=2&offset=4",
        "/v1/apps?limit=2&cursor=c%261",
        "/v1/apps?limit=2&cursor=c2",
    ] == targets


def test_iteration_goes_on_over_empty_pages(driver: Driver, api: ScriptedApi) -> None:
    """An empty page that has more is not the end, not even when it is the first."""
    api.steps = [_page(cursor="c1"), _page(cursor="c2"), _page("a", cursor="c3"), _page()]

    items = driver.items(LIST)

    assert ["a"] == items
    assert 4 == len(api.requests)


def test_an_empty_page_is_true(driver: Driver, api: ScriptedApi) -> None:
    """`if page:` skips no page that others follow; a page has no length, as it is no whole list."""
    api.steps = [_page(cursor="c1"), _page("a")]

    page: object = driver.page(LIST)

    assert page
    assert not hasattr(page, "__len__")


def test_pages_one_by_one(driver: Driver, api: ScriptedApi) -> None:
    """A page has its data and envelope and leads to the next until there is none."""
    api.steps = [_page("a", "b", cursor="c1", total_count=3), _page("c", total_count=3)]

    first = driver.page(LIST)
    second = driver.next_page(first)

    assert (["a", "b"], True, "c1", 3) == (
        first.data,
        first.has_more,
        first.next_cursor,
        first.total_count,
    )
    assert (["c"], False, None) == (second.data, second.has_next_page(), second.next_cursor)
    with pytest.raises(errors.UsageError):
        driver.next_page(second)


def test_iter_pages(driver: Driver, api: ScriptedApi) -> None:
    """iter_pages gives each page once."""
    api.steps = [_page("a", cursor="c1"), _page("b")]

    assert [["a"], ["b"]] == driver.pages(LIST)


def test_failed_page_is_retried(driver: Driver, api: ScriptedApi) -> None:
    """A page in the middle that fails once is fetched again and nothing is lost or repeated."""
    api.steps = [_page("a", cursor="c1"), b"", _page("b")]

    assert ["a", "b"] == driver.items(LIST)
    assert [0.5] == driver.sleeps


def test_a_lost_cursor_is_a_typed_error(driver: Driver, api: ScriptedApi) -> None:
    """What the server says of a cursor is raised as of any call, after the items before it."""
    problem = b'{"code": "validation_error", "errors": [{"pointer": "query/cursor"}]}'
    refused = b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
    api.steps = [_page("a", cursor="c1"), refused % (len(problem), problem)]
    first = driver.page(LIST)

    with pytest.raises(errors.BadRequestError) as caught:
        driver.next_page(first)

    assert (["a"], "c1") == (first.data, first.next_cursor)
    assert ("validation_error", "query/cursor") == (
        caught.value.code,
        caught.value.errors[0].pointer,
    )


def test_a_page_can_be_walked_again(driver: Driver, api: ScriptedApi) -> None:
    """Going through a page does not use it up."""
    api.steps = [_page("a", cursor="c1"), _page("b"), _page("b")]
    first = driver.page(LIST)

    assert [["b"], ["b"]] == [driver.next_page(first).data for _ in range(2)]


@pytest.mark.parametrize("cursors", [["c1", "c1"], ["c1", "c2", "c1"]])
def test_endless_cursor_is_an_error(cursors: list[str], driver: Driver, api: ScriptedApi) -> None:
    """Pages that lead in a circle end in an error, not in an endless loop."""
    api.steps = [_page("a", cursor=cursor) for cursor in cursors]

    with pytest.raises(errors.APIResponseError, match="next_cursor is one that led"):
        driver.items(LIST)

    assert len(cursors) == len(api.requests)


def test_a_next_page_that_is_the_same(driver: Driver, api: ScriptedApi) -> None:
    """One by one, too, a page does not lead to itself."""
    api.steps = [_page("a", cursor="c1"), _page("a", cursor="c1")]
    second = driver.next_page(driver.page(LIST))

    with pytest.raises(errors.APIResponseError, match="cursor that led to it"):
        driver.next_page(second)


@pytest.mark.parametrize(
    "broken",
    [
        _page("a", has_more=True),
        _page("a", data=None),
        _page("a", data={}),
        _page("a", data=[{"no_id": 1}]),
        _page("a", data=["text"]),
        _page("a", has_more=1),
        _page("a", next_cursor=3),
        _page("a", total_count="3"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_broken_page_is_an_error(broken: bytes, driver: Driver, api: ScriptedApi) -> None:
    """A page that breaks the contract raises APIResponseError; no item is dropped silently."""
    api.steps = [broken]

    with pytest.raises(errors.APIResponseError):
        driver.items(LIST)
