"""Answers that are newer than the SDK, late, or for somebody else."""

from __future__ import annotations

import copy
from typing import Any

from hookwright_conformance.answers import Answer, Pause
from hookwright_conformance.sdk.api import page, reply
from hookwright_conformance.sdk.case import case
from hookwright_conformance.sdk.world import SdkWorld

Document = dict[str, Any]


@case(
    id="sdk-answers.unknown-members-survive",
    requirement="SDK-5",
    profile="sdk-core",
    kills=["drops-what-it-does-not-know"],
)
def unknown_members(world: SdkWorld) -> None:
    """Members of a later version are kept: in an object, inside it, and in the items of a page."""
    one = world.example("endpoints.get")
    value = copy.deepcopy(one.value)
    value["later"] = {"nested": [1, None, "x"]}
    value["health"]["later"] = "member"
    value["from"] = "a name that languages reserve"
    world.client(max_retries=0)
    world.script(reply(200, value))
    world.require_same(value, world.call_example(one), "what endpoints.get returns")
    world.script(page([value]))
    items = world.items("endpoints.list", path={"app_slug": "my-app"})
    world.require_same([value], items, "items of endpoints.list")


@case(
    id="sdk-answers.unknown-enum-values-survive",
    requirement="SDK-6",
    profile="sdk-core",
    kills=["knows-all-values"],
)
def unknown_values(world: SdkWorld) -> None:
    """Values that an enum gains later are kept."""
    delivery = copy.deepcopy(world.example("deliveries.get").value)
    delivery["status"] = "teleported"
    endpoint = copy.deepcopy(world.example("endpoints.get").value)
    endpoint["health"]["state"] = "radiant"
    endpoint["signing"]["scheme"] = "v9z"
    world.client(max_retries=0)
    for operation, value in (("deliveries.get", delivery), ("endpoints.get", endpoint)):
        world.script(reply(200, value))
        given = world.call_example(world.example(operation))
        world.require_same(value, given, f"what {operation} returns")


@case(
    id="sdk-answers.belong-to-their-request",
    requirement="SDK-12",
    profile="sdk-core",
    kills=["remembers-answers"],
)
def own_answers(world: SdkWorld) -> None:
    """The same question asked again is a new request; an answer that came late answers nothing."""
    one = world.example("apps.get")
    first, second, third = ({**one.value, "name": name} for name in ("first", "second", "third"))
    world.client(max_retries=0)
    world.script(reply(200, first), reply(200, second))
    for value in (first, second):
        world.require_same(value, world.call_example(one), "what apps.get returns")
    world.require_requests(2)
    late = Answer("200, far too late", (Pause(world.long_s), *reply(200, first).steps))
    world.script(late, reply(200, third))
    world.fails("timeout", timeout_seconds=0.3, **one.members)
    world.require_same(third, world.call_example(one), "what apps.get returns after a late answer")
