"""Events with an `ordering_key`: whose turn it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from itertools import pairwise

from hookwright_conformance.answers import Answer, delayed, held, status
from hookwright_conformance.case import case
from hookwright_conformance.errors import Unmet, require, require_equal
from hookwright_conformance.receiver import Hook, Received
from hookwright_conformance.world import FINAL, Document, World

SLOW_S = 0.15
LONG = {"delays_seconds": [3600], "jitter": 0}
ONCE: Document = {"delays_seconds": [], "jitter": 0}


def publish(world: World, app: str, number: int, key: str = "one", **fields: object) -> str:
    """Publish event `number`; its first delivery."""
    accepted = world.publish(app, {"number": number}, ordering_key=key, **fields)
    return str(accepted["delivery_ids"][0])


def publish_together(world: World, app: str, *numbers: int) -> list[str]:
    """Publish these events before any of them is answered; the first delivery of each."""
    payloads: list[Document] = [{"number": number} for number in numbers]
    return world.publish_together(app, *payloads, ordering_key="one")


def numbers(world: World, hook: Hook, count: int) -> list[int]:
    """The events of the first `count` requests, in their order."""
    got = hook.wait_for(count, count * world.patience)
    return [int(json.loads(one.body)["data"]["number"]) for one in got[:count]]


def require_apart(requests: Sequence[Received]) -> None:
    """No request of a slow endpoint came before it had answered the one before."""
    for before, after in pairwise(requests):
        gap = after.began - before.arrived
        require(gap > 0.9 * SLOW_S, "gap", f"the {SLOW_S} s of the answer before", f"{gap:.3f} s")


def require_blocked(world: World, app: str, deliveries: Sequence[str]) -> None:
    """They wait for their turn: no attempt, and none is planned."""
    for each in deliveries:
        found = world.delivery(app, each)
        shown = (found["status"], found["attempt_count"], found["next_attempt_at"])
        require_equal(("pending", 0, None), shown, "status, attempts, next_attempt_at of the next")


def blocked(world: World, app: str, *answers: Answer) -> tuple[Hook, str]:
    """An endpoint whose first delivery has failed and waits for an hour."""
    hook = world.hook(*answers)
    world.endpoint(app, hook, retry_policy=LONG)
    first = publish(world, app, 1)
    world.attempted(app, first, 1)
    return hook, first


@case(
    id="ordering.one-at-a-time",
    requirement="ORDER-1",
    profile="ordering",
    kills=["ignores-ordering-keys"],
)
def one_at_a_time(world: World) -> None:
    """A batch of three and three more to a slow endpoint: in order, none before another's end."""
    app, gate = world.app(), threading.Event()
    hook = world.hook(held(gate), delayed(SLOW_S, 200))
    world.endpoint(app, hook, timeout_seconds=30)
    _, *others = publish_together(world, app, 1, 2, 3)
    hook.wait_for(1, world.patience)
    require_blocked(world, app, others)
    hook.stays_at(1, 0.3)
    gate.set()
    for number in (4, 5, 6):
        publish(world, app, number)
    found = numbers(world, hook, 6)

    require_equal([1, 2, 3, 4, 5, 6], found, "order of arrival")
    require_apart(hook.requests[1:])


@case(
    id="ordering.failing-head-blocks",
    requirement="ORDER-2",
    profile="ordering",
    kills=["ignores-ordering-keys"],
)
def failing_head_blocks(world: World) -> None:
    """The first delivery needs three attempts; the second one waits, and comes fourth."""
    app, gate = world.app(), threading.Event()
    hook = world.hook(status(500), held(gate, 503), status(200))
    policy = {"delays_seconds": [0.2, 0.2], "jitter": 0}
    world.endpoint(app, hook, retry_policy=policy, timeout_seconds=30)
    first, second = publish_together(world, app, 1, 2)
    world.attempted(app, first, 1)
    require_blocked(world, app, [second])
    gate.set()
    found = numbers(world, hook, 4)

    require_equal([1, 1, 1, 2], found, "order of arrival")


@case(
    id="ordering.held-ones-go-in-order",
    requirement="ORDER-2",
    profile="ordering",
    kills=["ignores-ordering-keys"],
)
def held_ones_go_in_order(world: World) -> None:
    """Published while the endpoint is disabled, four come one by one once it is enabled."""
    app, gate = world.app(), threading.Event()
    hook = world.hook(held(gate), delayed(SLOW_S, 200))
    endpoint = world.endpoint(app, hook, active=False, timeout_seconds=30)
    sent = [publish(world, app, number) for number in (1, 2, 3, 4)]
    statuses = {world.delivery(app, each)["status"] for each in sent}
    world.api.call("endpoints.enable", app, endpoint["id"], expect=200, body={})
    hook.wait_for(1, world.patience)
    require_blocked(world, app, sent[1:])
    gate.set()
    found = numbers(world, hook, 4)

    require_equal({"held"}, statuses, "status while disabled")
    require_equal([1, 2, 3, 4], found, "order of arrival")
    require_apart(hook.requests[1:])


@case(
    id="ordering.ended-head-lets-go",
    requirement="ORDER-3",
    profile="ordering",
    kills=["only-success-lets-go"],
)
def ended_head_lets_go(world: World) -> None:
    """Refused for good, out of attempts or cancelled: the second one comes."""
    for answer, end in ((status(400), "failed"), (status(500), "dead_letter")):
        app, hook = world.app(), world.hook(answer, status(200))
        world.endpoint(app, hook, retry_policy=ONCE)
        first, second = publish_together(world, app, 1, 2)
        world.finished(app, first, end)
        world.finished(app, second, "delivered")
    app = world.app()
    hook, first = blocked(world, app, status(500), status(200))
    second = publish(world, app, 2)
    hook.stays_at(1, 0.3)
    world.api.call("deliveries.cancel", app, first, expect=200)
    world.finished(app, second, "delivered")


@case(
    id="ordering.expired-head-lets-go",
    requirement="ORDER-3",
    profile="ordering",
    kills=["ignores-ordering-keys"],
)
def expired_head_lets_go(world: World) -> None:
    """The first waits for its second attempt when it expires: then the second one comes."""
    app, first, attempts = "", "", 0
    for seconds in world.windows(6):
        app, hook = world.app(), world.hook(status(500), status(200))
        world.endpoint(app, hook, retry_policy=LONG)
        first = publish(world, app, 1, expires_at=world.later(seconds))
        second = publish(world, app, 2)
        attempts = world.delivery_once(app, first, _tried_or_over, "an attempt")["attempt_count"]
        if attempts == 0:
            continue  # it expired before it was sent
        try:
            require_blocked(world, app, [second])
            hook.stays_at(1, 0.3)
        except Unmet:
            if world.delivery(app, first)["status"] == "pending":
                raise
            continue  # it had expired meanwhile
        world.finished(app, second, "delivered", seconds + world.patience)
        break

    require_equal(1, attempts, "attempts of the first one before it expired")
    require_equal("expired", world.delivery(app, first)["cancel_reason"], "cancel_reason")


def _tried_or_over(delivery: Document) -> bool:
    return delivery["attempt_count"] > 0 or delivery["status"] in FINAL


@case(
    id="ordering.keys-are-independent",
    requirement="ORDER-4",
    profile="ordering",
    kills=["one-order-for-all-keys"],
)
def keys_are_independent(world: World) -> None:
    """Behind a delivery that waits: another key, no key, and the same key to another endpoint."""
    app = world.app()
    hook, first = blocked(world, app, status(500), status(200))
    before = {"id": world.delivery(app, first)["endpoint_id"]}
    other = world.endpoint(app, world.hook())
    accepted = world.publish(app, {"number": 2}, ordering_key="one")
    waiting, elsewhere = world.deliveries_to(app, accepted, before, other)
    free = [
        *world.publish(app, {"number": 3}, ordering_key="two")["delivery_ids"],
        *world.publish(app, {"number": 4})["delivery_ids"],
        elsewhere,
    ]
    for each in free:
        world.finished(app, each, "delivered")

    require_equal("pending", world.delivery(app, waiting)["status"], "status of the one behind")
    require_equal({1, 3, 4}, set(numbers(world, hook, 3)), "what has come")


@case(
    id="ordering.by-hand-is-outside",
    requirement="ORDER-5",
    profile="ordering",
    kills=["retries-take-their-place-again"],
)
def by_hand_is_outside(world: World) -> None:
    """Behind a delivery that waits, retry and replay go at once; nothing waits for the retried."""
    app = world.app()
    hook = world.hook(status(400), status(500), status(200))
    world.endpoint(app, hook, retry_policy=LONG)
    failed, waiting = publish(world, app, 1), publish(world, app, 2)
    world.finished(app, failed, "failed")
    world.attempted(app, waiting, 1)
    replay = world.api.call("deliveries.replay", app, failed, expect=201).json()
    world.finished(app, str(replay["id"]), "delivered")
    hook.script(status(500))
    world.api.call("deliveries.retry", app, failed, expect=200)
    retried = world.attempted(app, failed, 2)
    hook.script(status(200))
    world.api.call("deliveries.cancel", app, waiting, expect=200)
    third = publish(world, app, 3)
    world.finished(app, third, "delivered")

    shown = (replay["ordering_key"], replay["sequence"])
    require_equal((None, None), shown, "ordering_key and sequence of the replay")
    require_equal("pending", retried["status"], "status of the retried one")


@case(
    id="ordering.deliver-at-is-refused",
    requirement="ORDER-6",
    profile="ordering",
    kills=["schedules-ordered-events"],
)
def deliver_at_is_refused(world: World) -> None:
    """422 not_schedulable; in a batch it is the code of that event, and the others are taken."""
    app = world.app()
    event: Document = {"event_name": "case.event", "payload": {}, "ordering_key": "one"}
    scheduled = event | {"deliver_at": world.later(60)}
    refused = world.api.call("trigger.send", app, expect=422, body=scheduled)
    batch = {"events": [scheduled, event]}
    results = world.api.call("trigger.send_batch", app, expect=202, body=batch).json()["results"]

    require_equal("not_schedulable", refused.code, "code")
    require_equal([False, True], [one["success"] for one in results], "success in the batch")
    require_equal("not_schedulable", results[0]["error"]["code"], "code in the batch")


@case(
    id="ordering.sequence-has-no-gaps",
    requirement="ORDER-7",
    profile="ordering",
    kills=["loses-the-idempotency-key"],
)
def sequence_has_no_gaps(world: World) -> None:
    """Beside a repeat, a dry run, a refused event and another key: 1, 2, 3; null without a key."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook, events=["case.event"])
    body: Document = {"event_name": "case.event", "payload": {"number": 1}, "ordering_key": "one"}
    headers = {"Idempotency-Key": world.token()}
    first, _ = (
        world.api.call("trigger.send", app, expect=202, body=body, headers=headers).json()
        for _ in range(2)
    )
    world.publish(app, {"number": 0}, ordering_key="one", dry_run=True)
    world.publish(app, {"number": 0}, ordering_key="one", event_name="case.other")
    unknown = body | {"endpoint_ids": ["ep_unknown"]}
    world.api.call("trigger.send", app, expect=422, body=unknown)
    ids = [str(first["delivery_ids"][0]), publish(world, app, 2), publish(world, app, 1, key="two")]
    ids += [publish(world, app, 3), str(world.publish(app, {"number": 4})["delivery_ids"][0])]
    found = [world.finished(app, each, "delivered") for each in ids]

    shown = [(one["ordering_key"], one["sequence"]) for one in found]
    expected = [("one", 1), ("one", 2), ("two", 1), ("one", 3), (None, None)]
    require_equal(expected, shown, "ordering_key and sequence")
