"""Tags, times, dry runs and batches."""

from __future__ import annotations

import json
import time

from hookwright_conformance.answers import status
from hookwright_conformance.case import case
from hookwright_conformance.errors import Unmet, require, require_equal
from hookwright_conformance.world import Document, World, instant

REPLAYED = "idempotency-replayed"


def event(**fields: object) -> Document:
    """An event of a batch."""
    return {"event_name": "case.event", "payload": {}, **fields}


@case(
    id="publishing.tags-find-messages",
    requirement="PUBLISH-1",
    profile="publishing",
    kills=["finds-any-tag"],
)
def tags_find_messages(world: World) -> None:
    """Each tag finds its messages and no others."""
    app = world.app()
    both = world.publish(app, tags=["red", "big one"])["message_id"]
    red = world.publish(app, tags=["red"])["message_id"]
    world.publish(app)
    for tag, expected in (("red", [red, both]), ("big one", [both]), ("re", [])):
        query = {"tag": tag}
        page = world.api.call("messages.list", app, expect=200, query=query).json()

        found = [row["id"] for row in page["data"]]
        require_equal(sorted(expected), sorted(found), f"messages tagged {tag}")


@case(
    id="publishing.deliver-at-is-awaited",
    requirement="PUBLISH-2",
    profile="publishing",
    kills=["delivers-at-once", "delivers-two-seconds-early"],
)
def deliver_at_is_awaited(world: World) -> None:
    """With deliver_at some seconds ahead nothing comes before, and then it comes."""
    app, ahead = world.app(), world.ahead()
    hook, at, seconds, planned = world.hook(), "", 0.0, Document()
    for seconds in world.windows(5):
        hook = world.hook()
        endpoint = world.endpoint(app, hook)
        at = world.later(seconds)
        accepted = world.publish(app, deliver_at=at, endpoint_ids=[endpoint["id"]])
        planned = world.delivery(app, accepted["delivery_ids"][0])
        if (planned["status"], planned["attempt_count"]) == ("pending", 0):
            break  # it was looked at in time
    delivery_id = planned["id"]

    require_equal(at, planned["next_attempt_at"], "next_attempt_at")
    (request,) = hook.wait_for(1, seconds + world.patience)
    early = instant(at).timestamp() - (request.wall + ahead)
    require(early <= 0, "request", f"not before {at}", f"{early:.3f} s early")
    world.finished(app, delivery_id, "delivered")
    (attempt,) = world.attempts(app, delivery_id)
    in_time = instant(attempt["created_at"]) >= instant(at)
    require(in_time, "created_at of the attempt", f"not before {at}", attempt["created_at"])
    accepted = world.api.call("messages.get", app, planned["message_id"], expect=200).json()
    timestamp = json.loads(request.body)["timestamp"]
    require_equal(accepted["created_at"], timestamp, "timestamp of the body")


@case(
    id="publishing.expired-is-not-sent",
    requirement="PUBLISH-3",
    profile="publishing",
    kills=["sends-what-has-expired"],
)
def expired_is_not_sent(world: World) -> None:
    """A retry that is planned behind expires_at never comes; a held delivery expires as well."""
    for seconds in world.windows(5):
        app, hook, wait = world.app(), world.hook(status(500)), seconds + 1
        policy = {"delays_seconds": [wait], "jitter": 0}
        active = world.endpoint(app, hook, retry_policy=policy)
        disabled = world.endpoint(app, hook, active=False)
        accepted = world.publish(app, expires_at=world.later(seconds))
        for delivery_id in world.deliveries_to(app, accepted, active, disabled):
            found = world.finished(app, delivery_id, "cancelled", seconds + world.patience)
            require_equal("expired", found["cancel_reason"], "cancel_reason")
        if hook.requests:  # otherwise it expired before its first attempt
            planned = hook.requests[0].ended_at + wait
            hook.stays_at(1, planned + 1.5 - time.monotonic())
            return
    raise Unmet("the first attempt", "before the delivery expired", "none")


@case(
    id="publishing.impossible-times-are-refused",
    requirement="PUBLISH-4",
    profile="publishing",
    kills=["takes-impossible-times"],
)
def impossible_times_are_refused(world: World) -> None:
    """An end in the past, an end before the beginning, a beginning in 60 days: 400."""
    app = world.app()
    bad: list[Document] = [
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": world.later(60), "deliver_at": world.later(120)},
        {"deliver_at": world.later(60 * 86_400)},
    ]
    for fields in bad:
        refused = world.api.call("trigger.send", app, expect=400, body=event(**fields))
        require_equal("validation_error", refused.code, f"code for {sorted(fields)}")


@case(
    id="publishing.dry-run-writes-nothing",
    requirement="PUBLISH-5",
    profile="publishing",
    kills=["dry-runs-are-wet"],
)
def dry_run_writes_nothing(world: World) -> None:
    """The answer counts the endpoints; no message is there, and the key is still free."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    world.endpoint(app, hook, events=["other"])
    headers = {"Idempotency-Key": world.token()}
    dry = world.api.call(
        "trigger.send", app, expect=202, body=event(dry_run=True), headers=headers
    ).json()
    found = world.api.call("messages.list", app, expect=200).json()
    hook.stays_at(0, 0.5)
    real = world.api.call("trigger.send", app, expect=202, body=event(), headers=headers)

    nothing: list[str] = []
    shown = (dry["endpoint_count"], dry["filtered_count"], dry["delivery_ids"], dry["dry_run"])
    require_equal((1, 1, nothing, True), shown, "endpoints, filtered, deliveries, dry_run")
    require_equal([], found["data"], "messages")
    require_equal(None, real.header(REPLAYED), "Idempotency-Replayed of the event itself")


@case(
    id="publishing.batch-judges-each-event",
    requirement="PUBLISH-6",
    profile="publishing",
    kills=["one-bad-event-spoils-the-batch"],
)
def batch_judges_each_event(world: World) -> None:
    """One bad event among good ones is named, the others are delivered."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    events = [event(), event(endpoint_ids=["ep_unknown"]), event()]
    answer = world.api.call("trigger.send_batch", app, expect=202, body={"events": events}).json()
    one, bad, two = answer["results"]
    got = {each.header("webhook-id") for each in hook.wait_for(2, world.patience)}

    counts = [answer[name] for name in ("total", "accepted", "rejected", "delivery_count")]
    require_equal([3, 2, 1, 2], counts, "total, accepted, rejected, deliveries")
    require_equal([0, 1, 2], [each["index"] for each in answer["results"]], "indexes")
    require_equal("unknown_endpoint", bad["error"]["code"], "code of the bad one")
    require_equal({one["message_id"], two["message_id"]}, got, "webhook-ids")


@case(
    id="publishing.malformed-batch-publishes-nothing",
    requirement="PUBLISH-7",
    profile="publishing",
    kills=["takes-any-batch"],
)
def malformed_batch_publishes_nothing(world: World) -> None:
    """No events, 501 events, an event without a name: 400, and no message."""
    app = world.app()
    bad: list[list[Document]] = [[], [event()] * 501, [event(), {"payload": {}}]]
    for events in bad:
        refused = world.api.call("trigger.send_batch", app, expect=400, body={"events": events})
        require_equal("validation_error", refused.code, "code")

    found = world.api.call("messages.list", app, expect=200).json()
    require_equal([], found["data"], "messages")


@case(
    id="publishing.batch-keeps-the-bytes",
    requirement="PUBLISH-8",
    profile="publishing",
    kills=["reserialises-the-payload"],
)
def batch_keeps_the_bytes(world: World) -> None:
    """Numbers beyond a double, key order, escapes and spaces, each with its own event."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    payloads = [b'{"b":1.0,  "a":12345678901234567890.10}', rb'{"\u00e4":"\/","n":[ ]}']
    items = b",".join(b'{"event_name":"a","payload":%b}' % payload for payload in payloads)
    raw = b'{"events":[%b]}' % items
    answer = world.api.call("trigger.send_batch", app, expect=202, raw=raw).json()
    bodies = {one.header("webhook-id"): one.body for one in hook.wait_for(2, world.patience)}

    for each, payload in zip(answer["results"], payloads, strict=True):
        body = bodies[each["message_id"]]
        require(body.endswith(b'"data":%b}' % payload), "body", payload, body)


@case(
    id="publishing.batch-is-repeated-safely",
    requirement="PUBLISH-9",
    profile="publishing",
    kills=["loses-the-idempotency-key", "one-bad-event-spoils-the-batch"],
)
def batch_is_repeated_safely(world: World) -> None:
    """The same key and batch answer the same and publish once; another batch is 422."""
    app, headers = world.app(), {"Idempotency-Key": world.token()}
    body = {"events": [event(), event(endpoint_ids=["ep_unknown"])]}
    first, second = (
        world.api.call("trigger.send_batch", app, expect=202, body=body, headers=headers)
        for _ in range(2)
    )
    other = {"events": [event()]}
    refused = world.api.call("trigger.send_batch", app, expect=422, body=other, headers=headers)
    found = world.api.call("messages.list", app, expect=200).json()

    require_equal(first.json(), second.json(), "body of the repeat")
    require_equal("true", second.header(REPLAYED), "Idempotency-Replayed of the repeat")
    require_equal("idempotency_key_reused", refused.code, "code")
    require_equal(1, len(found["data"]), "messages")


@case(
    id="publishing.event-ids-find-messages",
    requirement="PUBLISH-11",
    profile="publishing",
    kills=["finds-any-event-id"],
)
def event_ids_find_messages(world: World) -> None:
    """Two messages share an id, one has another, one has none; each is found by what it has."""
    app = world.app()
    first, second = (world.publish(app, event_id="order 7")["message_id"] for _ in range(2))
    third = world.publish(app, event_id="order 70", event_name="case.other")["message_id"]
    fourth = world.publish(app)["message_id"]
    for query, expected in (
        ({"event_id": "order 7"}, [second, first]),
        ({"event_id": "order 70"}, [third]),
        ({"event_id": "order"}, []),
        ({"event_name": "case.other"}, [third]),
        ({"event_name": "case.event", "event_id": "order 70"}, []),
    ):
        page = world.api.call("messages.list", app, expect=200, query=query).json()
        found = [row["id"] for row in page["data"]]
        require_equal(sorted(expected), sorted(found), f"messages for {query}")

    ids = [
        world.api.call("messages.get", app, message_id, expect=200).json()["event_id"]
        for message_id in (first, fourth)
    ]
    require_equal(["order 7", None], ids, "event_id")


@case(
    id="publishing.batch-counts-as-its-events",
    requirement="PUBLISH-10",
    profile="limits",
    kills=["counts-a-batch-once"],
)
def batch_counts_as_its_events(world: World) -> None:
    """The answer's rate limit headers tell it; a batch beyond the window is taken whole."""
    for quota, count, left in ((5, 3, "2"), (2, 5, "0")):
        app = world.app(rate_limit_per_second=quota)
        body = {"events": [event()] * count}
        answer = world.api.call("trigger.send_batch", app, expect=202, body=body)

        require_equal(count, answer.json()["accepted"], "accepted")
        told = (answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining"))
        require_equal((str(quota), left), told, "limit, remaining")
