"""Lists over all of their pages."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import urlsplit

from hookwright_conformance.errors import require_equal
from hookwright_conformance.sdk.api import page, problem, reply
from hookwright_conformance.sdk.case import case
from hookwright_conformance.sdk.examples import Example
from hookwright_conformance.sdk.world import SdkWorld, pairs, query_of

_ODD = "a+b/c=&d?e#f%41 é"
_ENOUGH = 40


def _items(one: Example, count: int, first: int = 1) -> list[Any]:
    """As many different items as wanted, made from the documented one."""
    made: list[Any] = []
    for number in range(first, first + count):
        item = copy.deepcopy(one.value["data"][0])
        item["id"] = f"item_{number}"
        made.append(item)
    return made


def _endpoints(world: SdkWorld) -> tuple[dict[str, str], list[Any]]:
    """The path of a list, and five items for it."""
    return {"app_slug": "my-app"}, _items(world.example("endpoints.list"), 5)


def _ids(items: list[Any]) -> list[str]:
    return [item["id"] for item in items]


@case(
    id="sdk-paging.every-list",
    requirement="SDK-60",
    profile="sdk-paging",
    kills=["stops-after-the-first-page", "forgets-the-query-of-a-list", "keeps-the-offset"],
)
def every_list(world: SdkWorld) -> None:
    """Each list gives three pages, in order, with the same query and the cursors."""
    world.client(max_retries=0)
    for one in (each for each in world.examples() if each.is_list):
        items = _items(one, 5)
        world.script(page(items[:2], "two"), page(items[2:4], "three"), page(items[4:]))
        members = one.members
        given = world.items(members.pop("operation"), **members)
        world.require_same(items, given, f"items of {one.operation.id}")
        first, second, third = world.require_requests(3)
        world.require_path(one, first)
        kept = {name: value for name, value in one.query.items() if name != "offset"}
        for request, cursor in ((second, "two"), (third, "three")):
            what = f"query of {one.operation.id} after the cursor {cursor!r}"
            require_equal(pairs({**kept, "cursor": cursor}), sorted(query_of(request)), what)
            require_equal(one.target, urlsplit(request.target).path, "path of the next page")


@case(
    id="sdk-paging.cursors-are-opaque",
    requirement="SDK-60",
    profile="sdk-paging",
    kills=["stops-after-the-first-page", "writes-queries-as-they-are"],
)
def opaque_cursors(world: SdkWorld) -> None:
    """A cursor goes back as it came, whatever characters it has."""
    path, items = _endpoints(world)
    world.client(max_retries=0)
    world.script(page(items[:1], _ODD), page(items[1:]))
    require_equal(_ids(items), _ids(world.items("endpoints.list", path=path)), "items")
    _, second = world.require_requests(2)
    require_equal([("cursor", _ODD)], query_of(second), "query of the second page")


@case(
    id="sdk-paging.empty-pages-go-on",
    requirement="SDK-61",
    profile="sdk-paging",
    kills=["stops-after-the-first-page", "stops-at-empty-pages"],
)
def empty_pages(world: SdkWorld) -> None:
    """Pages without items lead on while they say that there is more."""
    path, items = _endpoints(world)
    world.client(max_retries=0)
    world.script(page([], "b"), page(items[:2], "c"), page([], "d"), page(items[2:]))
    require_equal(_ids(items), _ids(world.items("endpoints.list", path=path)), "items")
    world.require_requests(4)


@case(
    id="sdk-paging.no-page-ahead",
    requirement="SDK-62",
    profile="sdk-paging",
    kills=["fetches-pages-ahead"],
)
def no_page_ahead(world: SdkWorld) -> None:
    """Who stops within a page asks for no other."""
    path, items = _endpoints(world)
    world.client(max_retries=0)
    for most, requests in ((1, 1), (2, 1), (3, 2)):
        world.script(page(items[:2], "two"), page(items[2:4], "three"), page(items[4:]))
        given = world.items("endpoints.list", most, path=path)
        require_equal(_ids(items[:most]), _ids(given), f"the first {most} items")
        world.require_requests(requests)


@case(
    id="sdk-paging.errors-come-after-the-items",
    requirement="SDK-63",
    profile="sdk-paging",
    kills=["stops-after-the-first-page", "keeps-items-back"],
)
def errors_after_items(world: SdkWorld) -> None:
    """The items of the pages before a page that fails are not lost."""
    path, items = _endpoints(world)
    world.client(max_retries=0)
    world.script(page(items[:2], "two"), problem(400, "validation_error"))
    answer = world.ask("paginate", operation="endpoints.list", path=path, max_items=_ENOUGH)
    error = world.error_of("api", "endpoints.list", answer)
    require_equal(400, error["status"], "status of the error")
    require_equal(_ids(items[:2]), _ids(error.get("items", [])), "items before the error")


@case(
    id="sdk-paging.failing-pages-are-fetched-again",
    requirement="SDK-40",
    profile="sdk-paging",
    kills=["stops-after-the-first-page", "never-repeats-after-an-answer"],
)
def failing_pages(world: SdkWorld) -> None:
    """A page that fails once is tried again, and no item comes twice."""
    path, items = _endpoints(world)
    world.client(max_retries=1)
    world.script(page(items[:2], "two"), problem(503, "unavailable"), page(items[2:]))
    require_equal(_ids(items), _ids(world.items("endpoints.list", path=path)), "items")
    _, second, third = world.require_requests(3)
    require_equal(second.target, third.target, "the page that was tried again")


@case(
    id="sdk-paging.circles-end",
    requirement="SDK-64",
    profile="sdk-paging",
    kills=["stops-after-the-first-page", "walks-in-circles"],
)
def circles(world: SdkWorld) -> None:
    """A page that leads to itself, or nowhere, is an error instead of a walk without end."""
    path, items = _endpoints(world)
    nowhere = {"data": items[2:], "has_more": True, "next_cursor": None}
    world.client(max_retries=0)
    for name, last in (("itself", page(items[2:], "two")), ("nowhere", reply(200, nowhere))):
        world.script(page(items[:2], "two"), last)
        answer = world.ask("paginate", operation="endpoints.list", path=path, max_items=_ENOUGH)
        world.error_of("decode", f"a page that leads to {name}", answer)
        world.require_requests(2)
