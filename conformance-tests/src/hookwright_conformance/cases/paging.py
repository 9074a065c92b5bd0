"""Lists, cursors and filters."""

from __future__ import annotations

from hookwright_conformance.answers import status
from hookwright_conformance.case import case
from hookwright_conformance.errors import require_equal
from hookwright_conformance.world import Document, World, instant

MOST_ROWS = 100


@case(
    id="paging.newest-first",
    requirement="PAGE-1",
    profile="core",
    kills=["lists-the-oldest-first"],
)
def newest_first(world: World) -> None:
    """limit rows a page, newest first, and has_more agrees with next_cursor."""
    app, hook = world.app(), world.hook()
    made: list[Document] = []
    # Those of one instant have no order.
    while len({one["created_at"] for one in made}) < 3 and len(made) < MOST_ROWS:
        made.append(world.endpoint(app, hook))
    limit = len(made) - 1
    page, rest = (
        world.api.call("endpoints.list", app, expect=200, query={"limit": limit, **more}).json()
        for more in ({}, {"offset": limit})
    )
    rows = [*page["data"], *rest["data"]]

    require_equal((limit, 1), (len(page["data"]), len(rest["data"])), "rows of both pages")
    require_equal({one["id"] for one in made}, {row["id"] for row in rows}, "rows")
    times = [row["created_at"] for row in rows]
    require_equal(sorted(times, key=instant, reverse=True), times, "times, in the order of rows")
    shown = (page["has_more"], page["next_cursor"] is None, rest["has_more"], rest["next_cursor"])
    require_equal((True, False, False, None), shown, "has_more and next_cursor")


@case(
    id="paging.neither-skips-nor-repeats",
    requirement="PAGE-2",
    profile="core",
    kills=["pages-by-counting"],
)
def neither_skips_nor_repeats(world: World) -> None:
    """Rows inserted while a reader follows the cursor move nothing."""
    app, hook = world.app(), world.hook()
    made = [world.endpoint(app, hook)["id"] for _ in range(7)]
    seen: list[str] = []
    query: dict[str, object] = {"limit": 3}
    while True:
        page = world.api.call("endpoints.list", app, expect=200, query=query).json()
        seen += [row["id"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
        world.endpoint(app, hook)

    times_seen = [seen.count(one) for one in made]
    require_equal([1] * len(made), times_seen, "how often each row was seen")
    require_equal(len(set(seen)), len(seen), "rows that were seen")


@case(
    id="paging.cursors-are-tied-to-their-query",
    requirement="PAGE-3",
    profile="core",
    kills=["opens-any-cursor"],
)
def cursors_are_tied_to_their_query(world: World) -> None:
    """A cursor that was altered, or used for another query or list, is 400."""
    app, other, hook = world.app(), world.app(), world.hook()
    for _ in range(3):
        world.endpoint(app, hook)
    page = world.api.call("endpoints.list", app, expect=200, query={"limit": 1}).json()
    cursor: str = page["next_cursor"]
    middle = len(cursor) // 2
    altered = cursor[:middle] + ("B" if cursor[middle] == "A" else "A") + cursor[middle + 1 :]
    attempts = [
        world.api.call("endpoints.list", app, query={"cursor": altered}),
        world.api.call("endpoints.list", app, query={"cursor": cursor, "active": "true"}),
        world.api.call("endpoints.list", other, query={"cursor": cursor}),
        world.api.call("deliveries.list", app, query={"cursor": cursor}),
    ]

    for response in attempts:
        require_equal((400, "validation_error"), (response.status, response.code), "status, code")


@case(
    id="paging.cursor-excludes-offset",
    requirement="PAGE-4",
    profile="core",
    kills=["a-cursor-beats-an-offset"],
)
def cursor_excludes_offset(world: World) -> None:
    """Both together are 400."""
    app, hook = world.app(), world.hook()
    for _ in range(2):
        world.endpoint(app, hook)
    page = world.api.call("endpoints.list", app, expect=200, query={"limit": 1}).json()
    query = {"cursor": page["next_cursor"], "offset": 1}
    response = world.api.call("endpoints.list", app, query=query)

    require_equal((400, "validation_error"), (response.status, response.code), "status and code")


@case(
    id="paging.total-on-request",
    requirement="PAGE-5",
    profile="core",
    kills=["counts-the-rows-of-the-page"],
)
def total_on_request(world: World) -> None:
    """total_count counts all rows, and is absent unless asked for."""
    app, hook = world.app(), world.hook()
    for _ in range(3):
        world.endpoint(app, hook)
    query = {"limit": 1, "include_total": "true"}
    counted = world.api.call("endpoints.list", app, expect=200, query=query).json()
    plain = world.api.call("endpoints.list", app, expect=200).json()

    require_equal((3, False), (counted["total_count"], "total_count" in plain), "total_count")


@case(
    id="paging.after-includes-before-excludes",
    requirement="PAGE-6",
    profile="core",
    kills=["leaves-out-the-first-instant"],
)
def after_includes_before_excludes(world: World) -> None:
    """A message's own instant is inside after and outside before; an instant needs an offset."""
    app = world.app()
    made = world.publish(app)["message_id"]
    at = world.api.call("messages.get", app, made, expect=200).json()["created_at"]

    def listed(**query: str) -> int:
        return len(world.api.call("messages.list", app, expect=200, query=query).json()["data"])

    require_equal((1, 0), (listed(after=at), listed(before=at)), "rows with after, with before")
    local = world.api.call("messages.list", app, query={"after": at.removesuffix("Z")})
    require_equal((400, "validation_error"), (local.status, local.code), "without an offset")


@case(
    id="paging.statuses-are-alternatives",
    requirement="PAGE-7",
    profile="core",
    kills=["retries-4xx-forever"],
)
def statuses_are_alternatives(world: World) -> None:
    """Several statuses match any of them; unsuccessful is failed and dead_letter."""
    app = world.app()
    answers = {"delivered": 200, "failed": 404, "dead_letter": 500}
    ids: dict[str, str] = {}
    for name, code in answers.items():
        policy = {"preset": "none"}
        world.endpoint(app, world.hook(status(code)), events=[f"case.{name}"], retry_policy=policy)
        ids[name] = world.publish(app, event_name=f"case.{name}")["delivery_ids"][0]
    for name, delivery_id in ids.items():
        world.finished(app, delivery_id, name)

    expectations = {
        ("delivered", "failed"): {"delivered", "failed"},
        ("unsuccessful",): {"failed", "dead_letter"},
    }
    for wanted, expected in expectations.items():
        query = {"status": list(wanted)}
        rows = world.api.call("deliveries.list", app, expect=200, query=query).json()["data"]
        found = {row["id"] for row in rows}
        require_equal({ids[name] for name in expected}, found, f"rows for {wanted}")


@case(
    id="paging.filters-hold-together",
    requirement="PAGE-8",
    profile="core",
    kills=["ignores-an-event-name"],
)
def filters_hold_together(world: World) -> None:
    """Deliveries by endpoint, event, message and status, and endpoints by what they are."""
    app, hook = world.app(), world.hook()
    on = world.endpoint(app, hook)["id"]
    off = world.endpoint(app, hook, active=False, events=["case.*"])["id"]
    sent = {name: world.publish(app, event_name=name) for name in ("case.one", "case.two", "other")}

    def rows(operation: str, **query: str) -> list[Document]:
        return list(world.api.call(operation, app, expect=200, query=query).json()["data"])

    one = sent["case.one"]["message_id"]
    for query, count in (
        ({"event_name": "case.one"}, 2),
        ({"event_name": "case.one", "endpoint_id": off}, 1),
        ({"event_name": "case.two", "message_id": one}, 0),
        ({"message_id": one, "status": "held"}, 1),
        ({"endpoint_id": on, "status": "held"}, 0),
    ):
        found = rows("deliveries.list", **query)
        require_equal(count, len(found), f"deliveries for {query}")
    for query, ids in (
        ({"event_name": "case.one"}, [on, off]),
        ({"event_name": "case.one", "active": "false"}, [off]),
        ({"event_name": "other", "active": "false"}, []),
        ({"event_name": "other", "state": "healthy"}, [on]),
    ):
        listed = [row["id"] for row in rows("endpoints.list", **query)]
        require_equal(sorted(ids), sorted(listed), f"endpoints for {query}")
