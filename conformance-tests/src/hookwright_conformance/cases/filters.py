"""Filters: who gets an event, by its payload and its context."""

from __future__ import annotations

from typing import Any

from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.world import Document, World

PAYLOAD: Document = {
    "n": 10,
    "f": 0.5,
    "s": "order-7",
    "t": True,
    "z": None,
    "l": [1, "a", {"b": 2}],
    "o": {"p": {"q": "deep"}},
    "a.b": 1,
}
# Whether an event with PAYLOAD passes.
DECISIONS: tuple[tuple[bool, Document], ...] = (
    (True, {"payload.n": 10}),
    (True, {"payload.n": {"$eq": 10.0}}),
    (False, {"payload.n": "10"}),
    (False, {"payload.t": 1}),
    (True, {"payload.l": [1, "a", {"b": 2}]}),
    (True, {"payload.o.p.q": "deep", "payload.l.2.b": 2}),
    (True, {"payload.a\\.b": 1}),
    (True, {"payload.n": {"$ne": "10"}}),
    (True, {"payload.n": {"$gt": 9, "$lt": 11}}),
    (False, {"payload.n": {"$gt": 10}}),
    (True, {"payload.n": {"$gte": 10, "$lte": 10}}),
    (True, {"payload.s": {"$gt": "order-6"}}),
    (False, {"payload.s": {"$gt": 6}}),
    (False, {"payload.t": {"$gte": 0}}),
    (True, {"payload.s": {"$in": ["x", "order-7"]}}),
    (False, {"payload.s": {"$nin": ["x", "order-7"]}}),
    (True, {"payload.s": {"$contains": "der"}}),
    (False, {"payload.s": {"$contains": "."}}),
    (True, {"payload.l": {"$contains": 1}}),
    (False, {"payload.l": {"$contains": True}}),
    (True, {"payload.s": {"$startswith": "order"}}),
    (False, {"payload.s": {"$startswith": "rder"}}),
    (True, {"payload.s": {"$endswith": "-7"}}),
    (True, {"$or": [{"payload.n": 1}, {"payload.t": True}]}),
    (False, {"$and": [{"payload.n": 1}, {"payload.t": True}]}),
    (True, {"$not": {"payload.n": 1}}),
)
# Whether what is absent, and what is null, satisfies it.
OF_NOTHING: tuple[tuple[bool, bool, Any], ...] = (
    (False, True, None),
    (False, False, {"$gte": 0}),
    (False, False, {"$lt": "z"}),
    (False, True, {"$in": [None]}),
    (False, False, {"$contains": ""}),
    (False, False, {"$startswith": ""}),
    (False, True, {"$exists": True}),
    (True, False, {"$exists": False}),
    (True, False, {"$ne": None}),
    (True, False, {"$nin": [None]}),
)


def _filtered(world: World, app: str, rules: Document) -> str:
    """A disabled endpoint with these rules: what comes to it is held, and nothing is sent."""
    return str(world.endpoint(app, world.hook(), filter_rules=rules, active=False)["id"])


def _receivers(world: World, app: str, accepted: Document) -> set[str]:
    """To whom a message goes, once the counts of the answer and of the message agree."""
    message = world.api.call("messages.get", app, accepted["message_id"], expect=200).json()
    for name in ("endpoint_count", "filtered_count"):
        require_equal(accepted[name], message[name], name)
    found = {delivery["endpoint_id"] for delivery in message["deliveries"]}
    require_equal(accepted["endpoint_count"], len(found), "deliveries")
    return found


@case(
    id="filters.decide-who-gets-an-event",
    requirement="FILTER-1",
    profile="filtering",
    kills=["ignores-filter-rules"],
)
def decide_who_gets_an_event(world: World) -> None:
    """Only those whose filter accepts it get a request; the others are counted."""
    app, picky, other = world.app(), world.hook(), world.hook()
    world.endpoint(app, picky, filter_rules={"payload.total": {"$gte": 1000}})
    world.endpoint(app, other)
    small = world.publish(app, {"total": 999})
    large = world.publish(app, {"total": 1000})
    other.wait_for(2, world.patience)
    picky.wait_for(1, world.patience)

    counts = [(each["endpoint_count"], each["filtered_count"]) for each in (small, large)]
    require_equal([(1, 1), (2, 0)], counts, "endpoint_count, filtered_count")
    _receivers(world, app, small)
    (request,) = picky.requests
    require_equal(large["message_id"], request.header("webhook-id"), "webhook-id")


@case(
    id="filters.operators-decide-as-documented",
    requirement="FILTER-2",
    profile="filtering",
    kills=["ignores-filter-rules"],
)
def operators_decide_as_documented(world: World) -> None:
    """One endpoint for each decision, one event for all."""
    app = world.app()
    ids = [_filtered(world, app, rules) for _, rules in DECISIONS]
    found = _receivers(world, app, world.publish(app, PAYLOAD))

    for id_, (expected, rules) in zip(ids, DECISIONS, strict=True):
        require_equal(expected, id_ in found, str(rules))


@case(
    id="filters.numbers-are-exact",
    requirement="FILTER-3",
    profile="filtering",
    kills=["rounds-numbers-in-filters"],
)
def numbers_are_exact(world: World) -> None:
    """A number beyond a double is neither rounded nor refused."""
    app = world.app()
    above = _filtered(world, app, {"payload.n": {"$gt": 9007199254740992}})
    equal = _filtered(world, app, {"payload.n": 9007199254740992})
    tenth = _filtered(world, app, {"payload.n": 0.1})
    for number, expected in (
        (b"9007199254740992.00000000001", {above}),
        (b"9007199254740992.000", {equal}),
        (b"1e400", {above}),
        (b"0.10", {tenth}),
        (b"0.1000000000000000055511151231257827", set[str]()),
    ):
        found = _receivers(world, app, world.publish_raw(app, b'{"n": ' + number + b"}"))
        require_equal(expected, found, f"endpoints that take {number.decode()}")


@case(
    id="filters.absent-is-not-null",
    requirement="FILTER-4",
    profile="filtering",
    kills=["takes-absent-fields-for-null"],
)
def absent_is_not_null(world: World) -> None:
    """Three operators hold for what is not there; null is a value."""
    app = world.app()
    ids = [_filtered(world, app, {"payload.x": rule}) for _, _, rule in OF_NOTHING]
    of_absent = _receivers(world, app, world.publish(app, {}))
    of_null = _receivers(world, app, world.publish(app, {"x": None}))

    for id_, (absent, null, rule) in zip(ids, OF_NOTHING, strict=True):
        require_equal((absent, null), (id_ in of_absent, id_ in of_null), f"(absent, null) {rule}")


@case(
    id="filters.context-comes-with-the-event",
    requirement="FILTER-5",
    profile="filtering",
    kills=["ignores-filter-rules"],
)
def context_comes_with_the_event(world: World) -> None:
    """filter_context decides, belongs to one event, and is not delivered."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook, filter_rules={"context.region": "eu-secret"})
    missed = [
        world.publish(app, {"region": "eu-secret"}),
        world.publish(app, filter_context={"region": "us"}),
    ]
    taken = world.publish(app, {"n": 1}, filter_context={"region": "eu-secret"})
    (request,) = hook.wait_for(1, world.patience)

    require_equal([0, 0], [each["endpoint_count"] for each in missed], "endpoints without it")
    require_equal(taken["message_id"], request.header("webhook-id"), "webhook-id")
    require(b"eu-secret" not in request.raw, "the request", "no context", request.body)


@case(
    id="filters.nonsense-is-refused",
    requirement="FILTER-6",
    profile="filtering",
    kills=["takes-any-filter"],
)
def nonsense_is_refused(world: World) -> None:
    """Paths, operators and operands that are none are 400, and named; 8 KiB are the limit."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)
    nonsense: tuple[tuple[Document, str], ...] = (
        ({"total": 1}, "/filter_rules/total"),
        ({"payload..a": 1}, "/filter_rules/payload..a"),
        ({"payload.a": {"$gtt": 1}}, "/filter_rules/payload.a/$gtt"),
        ({"$or": [{"payload.a": {"$in": 1}}]}, "/filter_rules/$or/0/payload.a/$in"),
        ({"$nor": []}, "/filter_rules/$nor"),
    )
    for rules, pointer in nonsense:
        body: Document = {"filter_rules": rules}
        for refused in (
            world.api.call("endpoints.create", app, expect=400, body={"url": hook.url, **body}),
            world.api.call("endpoints.update", app, endpoint["id"], expect=400, body=body),
        ):
            require_equal("validation_error", refused.code, f"code for {rules}")
            require_equal(pointer, refused.json()["errors"][0]["pointer"], "pointer")
    large = {"a": "x" * 8200}
    event: Document = {"event_name": "a", "payload": {}, "filter_context": large}
    long: Document = {"payload.a": large["a"]}
    for refused in (
        world.api.call("trigger.send", app, expect=413, body=event),
        world.api.call(
            "endpoints.update", app, endpoint["id"], expect=413, body={"filter_rules": long}
        ),
    ):
        require_equal("payload_too_large", refused.code, "code of what is too large")


@case(
    id="filters.changes-hold-at-once",
    requirement="FILTER-7",
    profile="filtering",
    kills=["ignores-filter-rules"],
)
def changes_hold_at_once(world: World) -> None:
    """Each change counts for the next event, and what is held stays."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook, active=False)
    seen: list[int] = []
    first = world.publish(app, {"n": 1})
    for rules in ({"payload.n": 2}, {"payload.n": 1}, {"payload.n": {"$ne": 1}}, None):
        body = {"filter_rules": rules}
        changed = world.api.call("endpoints.update", app, endpoint["id"], expect=200, body=body)
        require_equal(rules, changed.json()["filter_rules"], "filter_rules")
        seen.append(world.publish(app, {"n": 1})["endpoint_count"])

    require_equal([0, 1, 0, 1], seen, "endpoints after each change")
    require_equal("held", world.delivery(app, first["delivery_ids"][0])["status"], "status")
