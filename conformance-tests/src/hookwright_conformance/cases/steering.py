"""Cancelling, expunging and replaying, one delivery or message at a time."""

from __future__ import annotations

import threading

from hookwright_conformance.answers import held, status
from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.world import FINAL, Document, World

LONG = {"delays_seconds": [3600], "jitter": 0}
SOON = {"delays_seconds": [0.1], "jitter": 0, "max_attempts": 5}


def waiting(world: World, app: str, **event: object) -> Document:
    """A message whose one delivery has failed once and waits for an hour."""
    world.endpoint(app, world.hook(status(500)), retry_policy=LONG)
    accepted = world.publish(app, **event)
    world.attempted(app, accepted["delivery_ids"][0], 1)
    return accepted


@case(
    id="steering.waiting-is-cancelled",
    requirement="STEER-1",
    profile="steering",
    kills=["cancels-nothing-that-waits"],
)
def waiting_is_cancelled(world: World) -> None:
    """A pending and a held delivery end as cancelled (user); a delivered one stays delivered."""
    app, hook = world.app(), world.hook()
    pending = waiting(world, app)["delivery_ids"][0]
    held_app = world.app()
    world.endpoint(held_app, hook, active=False)
    held = world.publish(held_app)["delivery_ids"][0]
    done_app = world.app()
    world.endpoint(done_app, hook)
    done = world.publish(done_app)["delivery_ids"][0]
    world.finished(done_app, done, "delivered")

    for where, delivery_id in ((app, pending), (held_app, held)):
        found = world.api.call("deliveries.cancel", where, delivery_id, expect=200).json()
        shown = (found["status"], found["cancel_reason"], found["next_attempt_at"])
        require_equal(("cancelled", "user", None), shown, "status, reason, next attempt")
    found = world.api.call("deliveries.cancel", done_app, done, expect=200).json()
    require_equal("delivered", found["status"], "status of a delivered one")


@case(
    id="steering.attempt-under-way-finishes",
    requirement="STEER-2",
    profile="steering",
    kills=["cancelling-spares-what-is-sent"],
)
def attempt_under_way_finishes(world: World) -> None:
    """Cancelled during a slow attempt that fails: no second one comes, and it ends as cancelled."""
    app, gate = world.app(), threading.Event()
    hook = world.hook(held(gate, 500))
    world.endpoint(app, hook, retry_policy=SOON, timeout_seconds=30)
    delivery_id = world.publish(app)["delivery_ids"][0]
    hook.wait_for(1, world.patience)
    during = world.api.call("deliveries.cancel", app, delivery_id, expect=200).json()
    gate.set()
    found = world.finished(app, delivery_id, "cancelled")

    require_equal("sending", during["status"], "status during the attempt")
    shown = (found["cancel_reason"], found["attempt_count"])
    require_equal(("user", 1), shown, "reason and attempts")
    hook.stays_at(1, 0.5)


@case(
    id="steering.message-is-cancelled",
    requirement="STEER-3",
    profile="steering",
    kills=["cancels-nothing-that-waits"],
)
def message_is_cancelled(world: World) -> None:
    """Two deliveries wait, one is being sent, one is delivered: the counts and the ends say so."""
    app, gate = world.app(), threading.Event()
    good, slow = world.hook(), world.hook(held(gate, 500))
    endpoints = [
        world.endpoint(app, good),
        world.endpoint(app, slow, retry_policy=SOON, timeout_seconds=30),
        world.endpoint(app, good, active=False),
        world.endpoint(app, good, active=False),
    ]
    accepted = world.publish(app)
    done, sending, *others = world.deliveries_to(app, accepted, *endpoints)
    world.finished(app, done, "delivered")
    slow.wait_for(1, world.patience)
    counts = world.api.call("messages.cancel", app, accepted["message_id"], expect=200).json()
    gate.set()

    shown = (counts["cancelled_count"], counts["sending_count"])
    require_equal((2, 1), shown, "cancelled_count, sending_count")
    for delivery_id in (sending, *others):
        world.finished(app, delivery_id, "cancelled")


@case(
    id="steering.expunged-payload-is-gone",
    requirement="STEER-4",
    profile="steering",
    kills=["expunging-erases-nothing", "cancels-nothing-that-waits"],
)
def expunged_payload_is_gone(world: World) -> None:
    """The message shows no payload, its delivery is there, and it was cancelled."""
    app = world.app()
    accepted = waiting(world, app, payload={"secret": "value"})
    message = world.api.call("messages.expunge", app, accepted["message_id"], expect=200).json()
    shown = world.api.call("messages.get", app, accepted["message_id"], expect=200)

    require(message["expunged_at"] is not None, "expunged_at", "an instant", None)
    require(b"value" not in shown.body, "payload", "nothing of it", shown.body)
    require_equal(None, shown.json()["payload"], "payload")
    found = [(row["status"], row["attempt_count"]) for row in shown.json()["deliveries"]]
    require_equal([("cancelled", 1)], found, "deliveries")


@case(
    id="steering.expunged-is-not-sent-again",
    requirement="STEER-5",
    profile="steering",
    kills=["expunging-erases-nothing"],
)
def expunged_is_not_sent_again(world: World) -> None:
    """Retry and replay of an expunged message are 409 payload_expunged."""
    app, hook = world.app(), world.hook(status(400))
    world.endpoint(app, hook)
    accepted = world.publish(app)
    delivery_id = accepted["delivery_ids"][0]
    world.finished(app, delivery_id, "failed")
    world.api.call("messages.expunge", app, accepted["message_id"], expect=200)

    for operation in ("deliveries.retry", "deliveries.replay"):
        refused = world.api.call(operation, app, delivery_id, expect=409)
        require_equal("payload_expunged", refused.code, f"code of {operation}")
    hook.stays_at(1, 0.5)


@case(
    id="steering.replay-is-a-new-delivery",
    requirement="STEER-6",
    profile="steering",
    kills=["new-webhook-id-per-attempt"],
)
def replay_is_a_new_delivery(world: World) -> None:
    """Delivered, replayed: another delivery, the same webhook-id and body; the old one stays."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    accepted = world.publish(app, {"n": 1})
    old = world.finished(app, accepted["delivery_ids"][0], "delivered")
    new = world.api.call("deliveries.replay", app, old["id"], expect=201).json()
    world.finished(app, new["id"], "delivered")
    first, second = hook.wait_for(2, world.patience)

    require_equal(old["id"], new["replay_of"], "replay_of")
    require(old["id"] != new["id"], "id", "another one", new["id"])
    ids = [one.header("webhook-id") for one in (first, second)]
    require_equal([accepted["message_id"]] * 2, ids, "webhook-id")
    require_equal(first.body, second.body, "body")
    require_equal(old, world.delivery(app, old["id"]), "the old delivery")


@case(
    id="steering.unfinished-is-not-replayed",
    requirement="STEER-7",
    profile="steering",
    kills=["replays-what-has-not-ended"],
)
def unfinished_is_not_replayed(world: World) -> None:
    """A waiting delivery is 409 delivery_not_replayable, a deleted endpoint endpoint_deleted."""
    app = world.app()
    delivery_id = waiting(world, app)["delivery_ids"][0]
    refused = world.api.call("deliveries.replay", app, delivery_id, expect=409)
    endpoint_id = world.delivery(app, delivery_id)["endpoint_id"]
    world.api.call("endpoints.delete", app, endpoint_id, expect=204)
    gone = world.api.call("deliveries.replay", app, delivery_id, expect=409)

    codes = (refused.code, gone.code)
    require_equal(("delivery_not_replayable", "endpoint_deleted"), codes, "codes")


@case(
    id="steering.replay-is-held",
    requirement="STEER-8",
    profile="steering",
    kills=["disables-nothing"],
)
def replay_is_held(world: World) -> None:
    """To a disabled endpoint nothing is sent until it is enabled."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)
    delivery_id = world.publish(app)["delivery_ids"][0]
    world.finished(app, delivery_id, "delivered")
    world.api.call("endpoints.disable", app, endpoint["id"], expect=200)
    new = world.api.call("deliveries.replay", app, delivery_id, expect=201).json()
    hook.stays_at(1, 0.5)
    world.api.call("endpoints.enable", app, endpoint["id"], expect=200)

    require_equal("held", new["status"], "status")
    world.finished(app, new["id"], "delivered")


@case(
    id="steering.expired-is-replayed-not-retried",
    requirement="STEER-9",
    profile="steering",
    kills=["retries-what-has-expired"],
)
def expired_is_replayed_not_retried(world: World) -> None:
    """After expires_at a failed delivery cannot be retried, but replayed."""
    app, delivery_id, ended = "", "", Document()
    for seconds in world.windows(5):
        app, hook = world.app(), world.hook(status(400), status(200))
        world.endpoint(app, hook)
        expires_at = world.later(seconds)
        delivery_id = world.publish(app, expires_at=expires_at)["delivery_ids"][0]
        ended = world.delivery_once(app, delivery_id, lambda now: now["status"] in FINAL, "an end")
        if ended["cancel_reason"] != "expired":  # it was sent in time
            world.wait_until(expires_at)
            break
    require_equal("failed", ended["status"], "status of what was sent before it expired")
    refused = world.api.call("deliveries.retry", app, delivery_id, expect=409)
    new = world.api.call("deliveries.replay", app, delivery_id, expect=201).json()

    require_equal("delivery_not_retryable", refused.code, "code")
    world.finished(app, new["id"], "delivered")


@case(
    id="steering.endpoint-lists-its-deliveries",
    requirement="STEER-10",
    profile="core",
    kills=["lists-deliveries-of-other-endpoints"],
)
def endpoint_lists_its_deliveries(world: World) -> None:
    """Both lists have the same rows."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook, active=False)
    world.endpoint(app, hook, active=False)
    for _ in range(3):
        world.publish(app)
    own = world.api.call("endpoints.list_deliveries", app, endpoint["id"], expect=200).json()
    query = {"endpoint_id": endpoint["id"]}
    listed = world.api.call("deliveries.list", app, expect=200, query=query).json()

    require_equal(3, len(own["data"]), "rows")
    require_equal(listed["data"], own["data"], "rows of both lists")
