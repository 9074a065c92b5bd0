"""What a server whose clock can be moved (`test_clock.advance`) remembers, and for how long.

These cases run one after the other, when all others are over: the clock is everybody's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from hookwright_conformance import oracle
from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.receiver import Hook, Received
from hookwright_conformance.route import wait_asked_for
from hookwright_conformance.world import Document, World

HOUR, DAY = "PT1H", "P1D"
NEARLY_A_DAY = "PT23H59M"
MOVING_S = 180.0


def advance(world: World, duration: str) -> None:
    """Move the clock; everything due by then has run. That may be much: what others have left in
    weeks is erased, or came due."""
    api, body = world.api.within(MOVING_S), {"advance": duration}
    deadline = time.monotonic() + MOVING_S
    while (answer := api.call("test_clock.advance", body=body)).status == 503:
        if time.monotonic() > deadline:
            break
        time.sleep(wait_asked_for(answer))
        body = {"advance": "PT0S"}  # it has moved, and is not done yet
    require_equal(200, answer.status, "status of test_clock.advance")


def signed_by(request: Received, keys: Sequence[str]) -> list[bool]:
    """Whether each of the keys verifies the request at the time that it was signed."""
    now = float(request.header("webhook-timestamp") or 0)
    headers = dict(request.headers)
    return [oracle.verify([key], headers, request.body, now).valid for key in keys]


def verifying_key(world: World, app: str, endpoint: Document) -> str:
    """What verifies the endpoint's signatures: its secret, or its public key."""
    if endpoint["signing"]["scheme"] == "v1":
        return str(endpoint["signing_secret"])
    shown = world.api.call("endpoints.get_secret_public_key", app, endpoint["id"], expect=200)
    return str(shown.json()["public_key"])


def latest(world: World, app: str, hook: Hook) -> Received:
    """Publish one more event; the request that comes of it."""
    count = len(hook.requests)
    world.publish(app)
    return hook.wait_for(count + 1, world.patience)[-1]


@case(
    id="clock.rotation-overlap-ends",
    requirement="SIGN-5",
    profile="test-clock",
    kills=["overlaps-last-longer"],
)
def rotation_overlap_ends(world: World) -> None:
    """For an hour both secrets sign, of either scheme; then the new one alone."""
    for scheme in ("v1", "v1a"):
        app, hook = world.app(), world.hook()
        endpoint = world.endpoint(app, hook, signing={"scheme": scheme})
        old = verifying_key(world, app, endpoint)
        body = {"overlap_seconds": 3600}
        path = (app, endpoint["id"])
        rotated = world.api.call("endpoints.rotate_secret", *path, expect=200, body=body).json()
        new = verifying_key(world, app, {**endpoint, **rotated})
        advance(world, "PT59M")
        during = signed_by(latest(world, app, hook), [new, old])
        advance(world, "PT2M")
        afterwards = signed_by(latest(world, app, hook), [new, old])

        require_equal([True, True], during, f"{scheme}: new and old after 59 minutes")
        require_equal([True, False], afterwards, f"{scheme}: new and old after an hour")


@case(
    id="clock.the-default-overlap-is-a-day",
    requirement="SIGN-5",
    profile="test-clock",
    kills=["overlaps-last-longer"],
)
def the_default_overlap_is_a_day(world: World) -> None:
    """An app's secret that is rotated without saying more signs for 24 hours beside the new one."""
    created = world.create_app()
    app, hook = created["slug"], world.hook()
    world.endpoint(app, hook, signing={"source": "app"})
    rotated = world.api.call("apps.rotate_secret", app, expect=200).json()
    keys = [rotated["signing_secret"], created["signing_secret"]]
    advance(world, NEARLY_A_DAY)
    require_equal([True, True], signed_by(latest(world, app, hook), keys), "both after 23 h 59 min")
    advance(world, "PT2M")

    require_equal([True, False], signed_by(latest(world, app, hook), keys), "both after a day")


@case(
    id="clock.switching-the-source-keeps-both-for-a-day",
    requirement="SIGN-8",
    profile="test-clock",
    kills=["switches-last-longer"],
)
def switching_the_source_keeps_both_for_a_day(world: World) -> None:
    """The endpoint's and the app's secret sign for 24 hours; then the app's alone."""
    created = world.create_app()
    app, hook = created["slug"], world.hook()
    endpoint = world.endpoint(app, hook)
    keys = [created["signing_secret"], endpoint["signing_secret"]]
    body = {"signing": {"source": "app"}}
    world.api.call("endpoints.update", app, endpoint["id"], expect=200, body=body)
    advance(world, NEARLY_A_DAY)
    require_equal([True, True], signed_by(latest(world, app, hook), keys), "both after 23 h 59 min")
    advance(world, "PT2M")

    require_equal([True, False], signed_by(latest(world, app, hook), keys), "both after a day")


@case(
    id="clock.switching-the-scheme-keeps-both-for-a-day",
    requirement="SIGN-12",
    profile="test-clock",
    kills=["switches-last-longer"],
)
def switching_the_scheme_keeps_both_for_a_day(world: World) -> None:
    """The secret of before signs for 24 hours beside the new key; then that one alone."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook)
    path = (app, endpoint["id"])
    body = {"signing": {"scheme": "v1a"}}
    world.api.call("endpoints.update", *path, expect=200, body=body)
    shown = world.api.call("endpoints.get_secret_public_key", *path, expect=200).json()
    keys = [shown["public_key"], endpoint["signing_secret"]]
    advance(world, NEARLY_A_DAY)
    require_equal([True, True], signed_by(latest(world, app, hook), keys), "both after 23 h 59 min")
    advance(world, "PT2M")

    require_equal([True, False], signed_by(latest(world, app, hook), keys), "both after a day")


@case(
    id="clock.idempotency-keys-last-a-day",
    requirement="IDEM-8",
    profile="test-clock",
    kills=["loses-the-idempotency-key", "remembers-keys-for-a-week"],
)
def idempotency_keys_last_a_day(world: World) -> None:
    """A repeat after 23 h 59 min gets the first response; two minutes later the key is free."""
    app, headers = world.app(), {"Idempotency-Key": world.token()}
    body: Document = {"event_name": "case.event", "payload": {"n": 1}}

    def publish(**fields: Any) -> str:
        sent = {**body, **fields}
        answer = world.api.call("trigger.send", app, expect=202, body=sent, headers=headers)
        return str(answer.json()["message_id"])

    first = publish()
    advance(world, NEARLY_A_DAY)
    require_equal(first, publish(), "message of a repeat after 23 h 59 min")
    advance(world, "PT2M")
    later = publish(payload={"n": 2})

    require(later != first, "message of a repeat after a day", "another", "the same")
    require_equal(later, publish(payload={"n": 2}), "message of a repeat of the second event")
