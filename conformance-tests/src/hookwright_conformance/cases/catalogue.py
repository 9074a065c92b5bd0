"""The catalogue of an app: names, schemas, and what they mean for published events."""

from __future__ import annotations

import json
import time
from typing import Any

from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.route import Response
from hookwright_conformance.world import Document, World

ORDER: Document = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string"}, "lines": {"items": {"required": ["sku"]}}},
}
FITS: Document = {"id": "o_1", "lines": [{"sku": "a"}]}
NO_SCHEMAS: dict[str, Document] = {
    "an unknown type": {"type": "strin"},
    "another draft": {"$schema": "http://json-schema.org/draft-07/schema#"},
    "a remote reference": {"$ref": "https://example.com/schema.json"},
    "a remote reference deep inside": {"properties": {"a": {"items": {"$ref": "other.json#/a"}}}},
    "a file": {"allOf": [{"$ref": "file:///etc/passwd"}]},
    "a reference to nothing": {"$ref": "#/$defs/nothing"},
    "a reference to itself": {"$ref": "#"},
    "a broken pattern": {"pattern": "("},
    "look-ahead": {"properties": {"a": {"pattern": "^(?=a)b"}}},
    "a back-reference": {"patternProperties": {r"(a)\1": {}}},
    "a million looks": {
        "$ref": "#/$defs/d0",
        "$defs": {
            **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(20)},
            "d20": {},
        },
    },
}
SLOW_PATTERN = "^(a+)+$"
SLOW_TEXT = "a" * 50_000 + "!"

EXPENSIVE: dict[str, tuple[Document, Any]] = {
    "a long list of numbers": (
        {"items": {"not": {"enum": [number + 0.5 for number in range(3_000)]}}},
        1.25,
    ),
    "a list of numbers": ({"items": {"not": {"enum": [n + 0.5 for n in range(300)]}}}, 1.25),
    "many subschemas": ({"items": {"allOf": [{"minimum": 0.5}] * 900}}, 1),
}
SAVED, NOT_SAVED = (201, None), (400, "validation_error")
ACCEPTED, TOO_LARGE = (202, None), (413, "payload_too_large")


def _create(world: World, app: str, **fields: Any) -> Document:
    return dict(world.api.call("event_types.create", app, expect=201, body=fields).json())


def _publish(world: World, app: str, name: str, payload: Any) -> Response:
    body: Document = {"event_name": name, "payload": payload}
    return world.api.call("trigger.send", app, body=body)


def _listed(world: World, app: str, **query: str) -> list[str]:
    found = world.api.call("event_types.list", app, expect=200, query=query).json()
    return [row["name"] for row in found["data"]]


def _pointers(response: Response) -> list[str]:
    return [error["pointer"] for error in response.json().get("errors", ())]


@case(
    id="catalogue.a-name-is-given-once",
    requirement="CATALOGUE-1",
    profile="catalogue",
    kills=["gives-an-event-name-twice"],
)
def a_name_is_given_once(world: World) -> None:
    """A second event type of a name is 409, also when the first is archived."""
    app = world.app()
    first = _create(world, app, name="order.paid")
    for state in ("in the catalogue", "archived"):
        again = world.api.call("event_types.create", app, body={"name": "order.paid"})
        seen = (again.status, again.code)
        require_equal((409, "event_type_exists"), seen, f"a name that is {state}")
        world.api.call("event_types.delete", app, first["id"])
    _create(world, world.app(), name="order.paid")


@case(
    id="catalogue.deleting-archives",
    requirement="CATALOGUE-2",
    profile="catalogue",
    kills=["deletes-event-types"],
)
def deleting_archives(world: World) -> None:
    """What was deleted can be read, is listed on request, and comes back by an update."""
    app = world.app()
    made = _create(world, app, name="order.paid")
    world.api.call("event_types.delete", app, made["id"], expect=204)
    again = world.api.call("event_types.delete", app, made["id"])
    read = world.api.call("event_types.get", app, made["id"], expect=200).json()

    require_equal((404, "not_found"), (again.status, again.code), "a second deletion")
    require_equal(True, read["archived"], "archived")
    require_equal([], _listed(world, app), "the list")
    archived = _listed(world, app, include_archived="true")
    require_equal(["order.paid"], archived, "the list with archived ones")
    body = {"archived": False}
    world.api.call("event_types.update", app, made["id"], expect=200, body=body)
    require_equal(["order.paid"], _listed(world, app), "the list after the update")


@case(
    id="catalogue.schemas-are-judged-when-saved",
    requirement="CATALOGUE-3",
    profile="catalogue",
    kills=["takes-any-schema", "takes-any-pattern"],
)
def schemas_are_judged_when_saved(world: World) -> None:
    """Broken, remote, backtracking and exploding schemas are 400 and change nothing."""
    app = world.app()
    made = _create(world, app, name="order.paid", schema=ORDER)
    for what, schema in NO_SCHEMAS.items():
        body: Document = {"name": "order.other", "schema": schema}
        create = world.api.call("event_types.create", app, body=body)
        update = world.api.call("event_types.update", app, made["id"], body={"schema": schema})
        for name, response in (("create", create), ("update", update)):
            seen = (response.status, response.code)
            require_equal((400, "validation_error"), seen, f"{name} with {what}")
            pointers = _pointers(response)
            below = bool(pointers) and all(one.startswith("/schema") for one in pointers)
            require(below, f"pointers, {name} with {what}", "below /schema", pointers)

    require_equal(["order.paid"], _listed(world, app), "the catalogue")
    read = world.api.call("event_types.get", app, made["id"], expect=200).json()
    require_equal(ORDER, read["schema"], "the schema")


@case(
    id="catalogue.an-example-fits-its-schema",
    requirement="CATALOGUE-4",
    profile="catalogue",
    kills=["takes-any-schema"],
)
def an_example_fits_its_schema(world: World) -> None:
    """An example that its schema refuses is 422, whichever of the two was sent."""
    app = world.app()
    made = _create(world, app, name="order.paid", schema=ORDER, example_payload=FITS)
    wrong: Document = {"id": "o_1", "lines": [{}]}
    body = {"name": "order.other", "schema": ORDER, "example_payload": wrong}
    answers = {
        "create": world.api.call("event_types.create", app, body=body),
        "update of the example": world.api.call(
            "event_types.update", app, made["id"], body={"example_payload": wrong}
        ),
        "update of the schema": world.api.call(
            "event_types.update", app, made["id"], body={"schema": {"required": ["other"]}}
        ),
    }

    for what, response in answers.items():
        seen = (response.status, response.code)
        require_equal((422, "payload_schema_mismatch"), seen, what)
    pointers, wanted = _pointers(answers["create"]), "/example_payload/lines/0/sku"
    require(wanted in pointers, "pointers", wanted, pointers)


@case(
    id="catalogue.payloads-are-judged",
    requirement="CATALOGUE-5",
    profile="catalogue",
    kills=["ignores-event-schemas"],
)
def payloads_are_judged(world: World) -> None:
    """A payload that breaks its schema is 422, points at the value, and publishes nothing."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    _create(world, app, name="order.paid", schema=ORDER)
    for payload, pointer in (
        ({}, "/payload/id"),
        ({"id": 1}, "/payload/id"),
        ({"id": "o_1", "lines": [{"sku": "a"}, {}]}, "/payload/lines/1/sku"),
    ):
        response = _publish(world, app, "order.paid", payload)
        seen, pointers = (response.status, response.code), _pointers(response)
        require_equal((422, "payload_schema_mismatch"), seen, f"for {payload}")
        require(pointer in pointers, f"pointers for {payload}", pointer, pointers)

    messages = world.api.call("messages.list", app, expect=200).json()
    require_equal([], messages["data"], "messages after refused events")
    require_equal(202, _publish(world, app, "order.paid", FITS).status, "a payload that fits")
    require_equal(202, _publish(world, app, "order.other", {}).status, "an event without schema")


@case(
    id="catalogue.patterns-take-linear-time",
    requirement="CATALOGUE-6",
    profile="catalogue",
    kills=["backtracks"],
)
def patterns_take_linear_time(world: World) -> None:
    """A pattern on which backtracking never ends is judged at once."""
    app = world.app()
    _create(world, app, name="order.paid", schema={"properties": {"a": {"pattern": SLOW_PATTERN}}})
    began = time.monotonic()
    response = _publish(world, app, "order.paid", {"a": SLOW_TEXT})
    took = time.monotonic() - began

    seen = (response.status, response.code)
    require_equal((422, "payload_schema_mismatch"), seen, "status and code")
    most = 1 + world.slack
    require(took < most, "time to judge", f"less than {most} s", f"{took:.1f} s")


@case(
    id="catalogue.judging-has-a-bounded-cost",
    requirement="CATALOGUE-9",
    profile="catalogue",
    kills=["judges-however-long-it-takes"],
)
def judging_has_a_bounded_cost(world: World) -> None:
    """What is expensive to judge is refused or judged in time."""
    app = world.app()
    most = 5 + world.slack
    for number, (schema, item) in enumerate(EXPENSIVE.values()):
        body: Document = {"name": f"costly.n{number}", "schema": {"properties": {"a": schema}}}
        created = world.api.call("event_types.create", app, body=body)
        seen = (created.status, created.code)
        require(seen in (SAVED, NOT_SAVED), "saving", f"{SAVED} or {NOT_SAVED}", seen)
        if seen == NOT_SAVED:
            continue
        payload = {"a": [item] * (20_000 // (len(json.dumps(item)) + 1))}
        began = time.monotonic()
        judged = _publish(world, app, f"costly.n{number}", payload)
        took = time.monotonic() - began
        seen = (judged.status, judged.code)
        require(seen in (ACCEPTED, TOO_LARGE), "publishing", f"{ACCEPTED} or {TOO_LARGE}", seen)
        require(took < most, "time to judge", f"less than {most:g} s", f"{took:.1f} s")


@case(
    id="catalogue.registered-apps-take-registered-events",
    requirement="CATALOGUE-7",
    profile="catalogue",
    kills=["takes-unregistered-events"],
)
def registered_apps_take_registered_events(world: World) -> None:
    """With the policy `registered` unknown and archived names are 422; with `open` none is."""
    app = world.app(event_type_policy="registered")
    made = _create(world, app, name="order.paid", schema=ORDER)
    require_equal(202, _publish(world, app, "order.paid", FITS).status, "a registered event")
    unknown = _publish(world, app, "order.other", FITS)
    world.api.call("event_types.delete", app, made["id"], expect=204)
    archived = _publish(world, app, "order.paid", FITS)

    for what, response in (("unknown", unknown), ("archived", archived)):
        seen = (response.status, response.code)
        require_equal((422, "unknown_event_type"), seen, f"an event whose name is {what}")
    world.api.call("apps.update", app, expect=200, body={"event_type_policy": "open"})
    require_equal(202, _publish(world, app, "order.other", {}).status, "an unknown event")
    # The schema of an archived event type judges nothing.
    require_equal(202, _publish(world, app, "order.paid", {}).status, "an archived event")


@case(
    id="catalogue.changes-hold-at-once",
    requirement="CATALOGUE-8",
    profile="catalogue",
    kills=["judges-by-an-old-catalogue"],
)
def changes_hold_at_once(world: World) -> None:
    """An event is judged by the catalogue as it is after the last change that was answered."""
    app = world.app()
    statuses = [_publish(world, app, "order.paid", {}).status]
    made = _create(world, app, name="order.paid", schema=ORDER)
    statuses.append(_publish(world, app, "order.paid", {}).status)
    for patch in ({"schema": None}, {"schema": ORDER}, {"archived": True}, {"archived": False}):
        world.api.call("event_types.update", app, made["id"], expect=200, body=patch)
        statuses.append(_publish(world, app, "order.paid", {}).status)

    require_equal([202, 422, 202, 422, 202, 422], statuses, "statuses between changes")
