"""Operational events, published to the app `_system`.

Cases run side by side in one account, so each looks only at what is said of its own endpoint.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from hookwright_conformance.answers import status
from hookwright_conformance.case import case
from hookwright_conformance.cases.replays import completed, create, dead
from hookwright_conformance.errors import Unmet, require_equal
from hookwright_conformance.receiver import Hook
from hookwright_conformance.world import Document, World

SYSTEM = "_system"
MOST_ENDPOINTS = 10
AT_ONCE: Document = {"delays_seconds": [], "jitter": 0}
_SCHEMAS = {
    "endpoint.failing": "EndpointFailingEvent",
    "endpoint.disabled": "EndpointDisabledEvent",
    "endpoint.recovered": "EndpointRecoveredEvent",
    "delivery.dead_letter": "DeliveryDeadLetterEvent",
    "replay.completed": "ReplayCompletedEvent",
}


@contextmanager
def listening(world: World, hook: Hook, **fields: Any) -> Generator[Document]:
    """An endpoint of `_system` as long as this lasts."""
    world.api.call("apps.get_or_create", SYSTEM, expect=200, body={})
    endpoint = world.endpoint(SYSTEM, hook, **fields)
    try:
        yield endpoint
    finally:
        world.api.call("endpoints.delete", SYSTEM, endpoint["id"], expect=204)


def told(world: World, hook: Hook, about: str, count: int) -> list[Document]:
    """The first `count` events about an endpoint, or a task; each fits the contract.

    Raises Unmet."""
    deadline = time.monotonic() + world.patience
    while True:
        found = [
            body
            for body in (json.loads(one.body) for one in hook.requests if one.arrived)
            if about in (body["data"].get("endpoint_id"), body["data"].get("replay_id"))
        ]
        if len(found) >= count:
            break
        if time.monotonic() > deadline:
            raise Unmet(f"events about {about}", count, len(found))
        time.sleep(0.1)
    for body in found:
        pointer = f"/components/schemas/{_SCHEMAS[body['type']]}"
        require_equal([], world.spec.violations(pointer, body), f"what breaks {pointer}")
    return found


def publish_in_turn(world: World, app: str, count: int) -> list[str]:
    """Publish `count` events, each when the last has ended; the ids of their deliveries."""
    sent: list[str] = []
    for _ in range(count):
        delivery_id = world.publish(app)["delivery_ids"][0]
        world.attempted(app, delivery_id, 1)
        sent.append(delivery_id)
    return sent


@case(
    id="system.failing-and-recovered",
    requirement="SYSTEM-2",
    profile="system",
    kills=["tells-nobody-what-happens"],
)
def failing_and_recovered(world: World) -> None:
    """The fifth failure in a row is told once, and so is the success that ends the row."""
    app, listener = world.app(), world.hook()
    hook = world.hook(*[status(500)] * 6, status(200))
    with listening(world, listener, events=["endpoint.*"]):
        endpoint = world.endpoint(app, hook, retry_policy=AT_ONCE)
        publish_in_turn(world, app, 8)
        events = told(world, listener, endpoint["id"], 2)

    # Deliveries without a key may overtake each other (ORDER-9).
    recovered, failing = sorted(events, key=lambda event: event["type"], reverse=True)
    require_equal("endpoint.failing", failing["type"], "one event")
    require_equal(5, failing["data"]["consecutive_failures"], "consecutive_failures")
    require_equal(app, failing["data"]["app_slug"], "app_slug")
    require_equal("endpoint.recovered", recovered["type"], "the other event")


@case(
    id="system.dead-letters",
    requirement="SYSTEM-4",
    profile="system",
    kills=["tells-nobody-what-happens"],
)
def dead_letters(world: World) -> None:
    """Each dead letter is told with its delivery and message, signed like any other event."""
    app, listener, hook = world.app(), world.hook(), world.hook(status(500))
    with listening(world, listener, events=["delivery.dead_letter"]):
        endpoint = world.endpoint(app, hook, retry_policy=AT_ONCE)
        sent = publish_in_turn(world, app, 2)
        events = told(world, listener, endpoint["id"], 2)

    about = [event["data"]["delivery_id"] for event in events]
    require_equal(sorted(sent), sorted(about), "deliveries")
    require_equal({500}, {event["data"]["last_status_code"] for event in events}, "status codes")


@case(
    id="system.disabled",
    requirement="SYSTEM-3",
    profile="system",
    kills=["tells-nobody-what-happens"],
)
def disabled(world: World) -> None:
    """An endpoint that answers 410 is told as disabled, and again when it is by request."""
    app, listener, hook = world.app(), world.hook(), world.hook(status(410))
    with listening(world, listener, events=["endpoint.disabled"]):
        endpoint = world.endpoint(app, hook)
        publish_in_turn(world, app, 1)
        told(world, listener, endpoint["id"], 1)
        for change in ("endpoints.enable", "endpoints.disable"):
            world.api.call(change, app, endpoint["id"], expect=200)
        events = told(world, listener, endpoint["id"], 2)

    require_equal(["gone", "manual"], [one["data"]["reason"] for one in events], "reasons")


@case(
    id="system.replays-completed",
    requirement="SYSTEM-6",
    profile="replay",
    kills=["tells-nobody-what-happens"],
)
def replays_completed(world: World) -> None:
    """A task that is completed is told with what it did."""
    app, listener = world.app(), world.hook()
    _, ids = dead(world, app, 2)
    with listening(world, listener, events=["replay.*"]):
        task = create(world, app, delivery_ids=[*ids, "del_unknown"])
        (event,) = told(world, listener, task["id"], 1)
        shown = completed(world, app, task)

    require_equal(app, event["data"].pop("app_slug"), "app_slug")
    require_equal(task["id"], event["data"].pop("replay_id"), "replay_id")
    require_equal({name: shown[name] for name in event["data"]}, event["data"], "the rest")
    require_equal(2, event["data"]["replayed_count"], "replayed_count")


@case(
    id="system.filters-apply",
    requirement="SYSTEM-7",
    profile="filtering",
    kills=["tells-everything-to-everybody"],
)
def filters_apply(world: World) -> None:
    """An endpoint of `_system` with a filter gets what passes it, and nothing else."""
    one, other, listener = world.app(), world.app(), world.hook()
    rules = {"payload.app_slug": {"$in": [one, other]}, "payload.last_status_code": 503}
    events = ["delivery.dead_letter"]
    with listening(world, listener, events=events, filter_rules=rules) as hearing:
        world.endpoint(other, world.hook(status(500)), retry_policy=AT_ONCE)
        publish_in_turn(world, other, 1)
        endpoint = world.endpoint(one, world.hook(status(503)), retry_policy=AT_ONCE)
        publish_in_turn(world, one, 1)
        told(world, listener, endpoint["id"], 1)
        path = (SYSTEM, hearing["id"])
        rows = world.api.call("endpoints.list_deliveries", *path, expect=200).json()["data"]

    require_equal(1, len(rows), "deliveries to the listener")
    slugs = [json.loads(got.body)["data"]["app_slug"] for got in listener.requests]
    require_equal([one], slugs, "apps whose events arrived")


@case(
    id="system.nothing-about-itself",
    requirement="SYSTEM-5",
    profile="system",
    kills=["tells-about-itself"],
)
def nothing_about_itself(world: World) -> None:
    """What becomes of an endpoint of `_system` is told to nobody, and nobody publishes there."""
    app, listener, hook = world.app(), world.hook(), world.hook(status(410))
    with (
        listening(world, listener, events=["endpoint.disabled"]),
        listening(world, hook, events=["endpoint.disabled"]) as gone,
    ):
        endpoint = world.endpoint(app, world.hook(status(410)))
        publish_in_turn(world, app, 1)
        told(world, listener, endpoint["id"], 1)
        deadline = time.monotonic() + world.patience
        path = (SYSTEM, gone["id"])
        while world.api.call("endpoints.get", *path, expect=200).json()["active"]:
            if time.monotonic() > deadline:
                raise Unmet("endpoint of _system that answers 410", "disabled", "active")
            time.sleep(0.1)
        # Whatever is told later comes behind what is already waiting.
        another = world.app()
        other = world.endpoint(another, world.hook(status(410)))
        publish_in_turn(world, another, 1)
        told(world, listener, other["id"], 1)
        about_itself = [
            one
            for one in listener.requests
            if one.arrived and json.loads(one.body)["data"]["endpoint_id"] == gone["id"]
        ]
    body: Document = {"event_name": "endpoint.failing", "payload": {}}
    refused = world.api.call("trigger.send", SYSTEM, expect=403, body=body)

    require_equal(0, len(about_itself), "events about the endpoint of _system")
    require_equal("forbidden", refused.code, "code")


@case(
    id="system.told-as-documented",
    requirement="SYSTEM-1",
    profile="system",
    kills=["tells-nobody-what-happens"],
)
def told_as_documented(world: World) -> None:
    """A dead letter and a disabled endpoint are messages of `_system`, in the documented form."""
    app, listener = world.app(), world.hook()
    hook = world.hook(status(500), status(410))
    with listening(world, listener):
        endpoint = world.endpoint(app, hook, retry_policy=AT_ONCE)
        publish_in_turn(world, app, 2)
        events = told(world, listener, endpoint["id"], 2)
        ids = [
            one.header("webhook-id") or ""
            for one in listener.requests
            if endpoint["id"].encode() in one.body
        ]
        messages = [world.api.call("messages.get", SYSTEM, each, expect=200).json() for each in ids]

    names = ["delivery.dead_letter", "endpoint.disabled"]
    require_equal(names, sorted(event["type"] for event in events), "types")
    require_equal(names, sorted(message["event_name"] for message in messages), "messages")


@case(
    id="system.ten-endpoints-at-most",
    requirement="SYSTEM-8",
    profile="system",
    kills=["fills-the-system-app"],
)
def ten_endpoints_at_most(world: World) -> None:
    """In the environment `test`, where no case listens, the eleventh endpoint is 409."""
    tester, _ = world.key(["admin"], environment="test")
    api, hook = world.api.using(tester), world.hook()
    api.call("apps.get_or_create", SYSTEM, expect=200, body={})
    query = {"include_total": "true"}
    present = api.call("endpoints.list", SYSTEM, expect=200, query=query).json()["total_count"]
    made: list[str] = []
    try:
        answers = [
            api.call("endpoints.create", SYSTEM, body={"url": hook.url, "active": False})
            for _ in range(MOST_ENDPOINTS + 1 - present)
        ]
        made = [answer.json()["id"] for answer in answers if answer.status == 201]
    finally:
        for endpoint_id in made:
            api.call("endpoints.delete", SYSTEM, endpoint_id)

    require_equal(MOST_ENDPOINTS - present, len(made), "endpoints that could be created")
    last = (answers[-1].status, answers[-1].code)
    require_equal((409, "too_many_endpoints"), last, "status and code of one more")
