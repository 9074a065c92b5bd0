"""Replay tasks: by ids, by range, counted, cancelled."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from hookwright_conformance.answers import status
from hookwright_conformance.case import case
from hookwright_conformance.errors import Unmet, require, require_equal
from hookwright_conformance.receiver import Hook
from hookwright_conformance.route import Response
from hookwright_conformance.world import Document, World

ONCE: Document = {"delays_seconds": [], "jitter": 0}
LONG_AGO = "2000-01-01T00:00:00Z"
MANY = [f"del_{number}" for number in range(500)]
"""As much work as one task by ids may be."""


def create(world: World, app: str, **body: object) -> Document:
    """A new task."""
    return dict(world.api.call("deliveries.create_replay", app, expect=202, body=body).json())


def completed(world: World, app: str, task: Document) -> Document:
    """The task once it is completed."""
    deadline = time.monotonic() + world.patience
    while True:
        found = world.api.call("deliveries.get_replay", app, task["id"], expect=200).json()
        if found["status"] == "completed":
            return dict(found)
        if time.monotonic() > deadline:
            raise Unmet(f"replay task {task['id']}", "completed", found["status"])
        time.sleep(0.1)


def _has_ended(delivery: Document) -> bool:
    return delivery["completed_at"] is not None


def counts(task: Document) -> tuple[int, ...]:
    """Total, processed, replayed, skipped."""
    names = ("total_count", "processed_count", "replayed_count", "skipped_count")
    return tuple(int(task[name]) for name in names)


def dead(world: World, app: str, count: int, *, apart: bool = False) -> tuple[Hook, list[str]]:
    """Deliveries that are dead letters, and their endpoint, which answers 200 from now on. `apart`:
    each is of a later instant than the one before."""
    hook = world.hook(status(500))
    world.endpoint(app, hook, retry_policy=ONCE)
    ids: list[str] = []
    for _ in range(count):
        ids.append(str(world.publish(app)["delivery_ids"][0]))
        if apart:
            world.tick()
    for delivery_id in ids:
        world.finished(app, delivery_id, "dead_letter")
    hook.script(status(200))
    return hook, ids


@case(
    id="replays.by-ids",
    requirement="REPLAY-1",
    profile="replay",
    kills=["counts-skipped-as-replayed"],
)
def by_ids(world: World) -> None:
    """Two ended deliveries are replayed; a waiting one and an unknown id are skipped."""
    app = world.app()
    hook, ids = dead(world, app, 2)
    other = world.endpoint(app, world.hook(), active=False)
    held = world.publish(app, endpoint_ids=[other["id"]])["delivery_ids"][0]
    task = create(world, app, delivery_ids=[*ids, held, "del_unknown"])
    task = completed(world, app, task)
    got = hook.wait_for(4, world.patience)

    require_equal((4, 4, 2, 2), counts(task), "total, processed, replayed, skipped")
    require_equal(2, len({one.header("webhook-id") for one in got}), "different webhook-ids")


@case(
    id="replays.by-range",
    requirement="REPLAY-2",
    profile="replay",
    kills=["replays-whatever-lies-in-the-range"],
)
def by_range(world: World) -> None:
    """Without statuses only the unsuccessful ones are replayed, the oldest first, and once."""
    app = world.app()
    _, ids = dead(world, app, 3, apart=True)
    after = world.delivery(app, ids[0])["created_at"]
    delivered = world.publish(app)["delivery_ids"][0]
    world.finished(app, delivered, "delivered")
    task = completed(world, app, create(world, app, after=after, max_count=2))
    again = completed(world, app, create(world, app, after=after))
    rows = world.api.call("deliveries.list", app, expect=200).json()["data"]
    sources = sorted(row["replay_of"] for row in rows if row["replay_of"])

    require_equal((2, 2, 2, 0), counts(task), "counts of the first task")
    require_equal((3, 3, 3, 0), counts(again), "counts of the second task")
    require_equal(sorted([*ids[:2], *ids]), sources, "replayed deliveries")


@case(
    id="replays.range-is-narrowed",
    requirement="REPLAY-2",
    profile="replay",
    kills=["replays-other-events"],
)
def range_is_narrowed(world: World) -> None:
    """By event, by endpoint, by status, and by both ends of the time, counted by dry runs."""
    app, hook = world.app(), world.hook(status(500))
    one = world.endpoint(app, hook, retry_policy=ONCE)
    world.endpoint(app, world.hook(status(404)), retry_policy=ONCE)
    ids: list[str] = []
    for name in ("case.a", "case.a", "case.b"):
        ids += world.publish(app, event_name=name)["delivery_ids"]
        if len(ids) == 4:
            world.tick()
    ended = [world.delivery_once(app, id_, _has_ended, "an end") for id_ in ids]
    begin, end = ended[0]["created_at"], ended[-1]["created_at"]
    for count, fields in (
        (6, {}),
        (4, {"event_name": "case.a"}),
        (3, {"endpoint_id": one["id"]}),
        (1, {"endpoint_id": one["id"], "event_name": "case.b"}),
        (3, {"statuses": ["failed"]}),
        (0, {"statuses": ["delivered", "cancelled"]}),
        (4, {"before": end}),
        (2, {"after": end}),
        (5, {"max_count": 5}),
    ):
        task = create(world, app, **{"after": begin, **fields}, dry_run=True)
        require_equal(count, task["total_count"], f"total_count for {fields}")
    narrow = {"endpoint_id": one["id"], "event_name": "case.b"}
    done = completed(world, app, create(world, app, after=begin, **narrow))

    require_equal((1, 1, 1, 0), counts(done), "total, processed, replayed, skipped")


@case(
    id="replays.progress-adds-up",
    requirement="REPLAY-3",
    profile="replay",
    kills=["hides-what-it-skips"],
)
def progress_adds_up(world: World) -> None:
    """Each reading adds up, and the end is dated; the list shows the task."""
    app = world.app()
    _, ids = dead(world, app, 5)
    made = create(world, app, delivery_ids=[*ids, "del_unknown"])
    task = completed(world, app, made)
    for each in (made, task):
        _, processed, replayed, skipped = counts(each)
        require_equal(processed, replayed + skipped, "replayed and skipped")
    listed = world.api.call("deliveries.list_replays", app, expect=200).json()["data"]

    require_equal([task], listed, "list")
    require_equal(False, None in (task["started_at"], task["completed_at"]), "missing instants")


@case(
    id="replays.dry-run-counts",
    requirement="REPLAY-4",
    profile="replay",
    kills=["replays-in-a-dry-run"],
)
def dry_run_counts(world: World) -> None:
    """The count is right and nothing comes of it; its key is free for another one."""
    app = world.app()
    hook, ids = dead(world, app, 3, apart=True)
    body = {"after": world.delivery(app, ids[1])["created_at"], "dry_run": True}
    headers = {"Idempotency-Key": world.token()}
    task, other = (
        world.api.call(
            "deliveries.create_replay", app, expect=202, body=each, headers=headers
        ).json()
        for each in (body, body | {"max_count": 1})
    )
    hook.stays_at(3, 1.5)
    listed = world.api.call("deliveries.list_replays", app, expect=200).json()["data"]

    require_equal((2, True), (task["total_count"], task["dry_run"]), "total_count, dry_run")
    require_equal(1, other["total_count"], "total_count of another with the same key")
    require_equal([], listed, "tasks")


@case(
    id="replays.cancelled-task-stays",
    requirement="REPLAY-5",
    profile="replay",
    kills=["cancels-no-replay-task"],
)
def cancelled_task_stays(world: World) -> None:
    """Cancelled before its end it is cancelled; after its end it stays completed."""
    app = world.app()

    def cancel(task: Document) -> Document:
        path = (app, task["id"])
        return dict(world.api.call("deliveries.cancel_replay", *path, expect=200).json())

    done = completed(world, app, create(world, app, delivery_ids=["del_unknown"]))
    require_equal(done, cancel(done), "a completed task when it is cancelled")
    for _ in range(20):  # each may come to its end before it is cancelled
        *others, task = [create(world, app, delivery_ids=MANY) for _ in range(3)]
        first = cancel(task)
        ended = first["status"] in ("cancelled", "completed")
        require(ended, "status", "cancelled, or completed before", first["status"])
        require_equal(first, cancel(task), "the task when it is cancelled again")
        if first["status"] == "cancelled":
            return
        for other in others:  # of a fourth one the answer would be 409
            completed(world, app, other)
    raise Unmet(
        "a task that is cancelled before its end",
        "at least one of 20",
        "not observed: all had ended before they were cancelled",
    )


@case(
    id="replays.three-at-a-time",
    requirement="REPLAY-6",
    profile="replay",
    kills=["takes-any-number-of-replays"],
)
def three_at_a_time(world: World) -> None:
    """Of many tasks at once never more than three have not ended; the others are refused."""
    app = world.app()
    body = {"delivery_ids": MANY}

    def ask(_: int) -> tuple[Response, int]:
        answer = world.api.call("deliveries.create_replay", app, body=body)
        tasks = world.api.call("deliveries.list_replays", app, expect=200).json()["data"]
        return answer, sum(task["status"] in ("queued", "running") for task in tasks)

    for _ in range(10):  # they may come to their ends faster than they are asked for
        with ThreadPoolExecutor(12) as pool:
            answers, unfinished = zip(*pool.map(ask, range(12)), strict=True)
        refused = {(answer.status, answer.code) for answer in answers if answer.status != 202}
        require(refused <= {(409, "too_many_replays")}, "refusals", "409 too_many_replays", refused)
        most = max(unfinished)
        require(most <= 3, "tasks that have not ended", "at most 3", most)
        if refused:
            return
    raise Unmet(
        "a task beyond three that have not ended",
        "at least one of 120 asked for",
        "not observed: all had ended before the next was asked for",
    )


@case(
    id="replays.contradictions-are-refused",
    requirement="REPLAY-7",
    profile="replay",
    kills=["replays-any-range"],
)
def contradictions_are_refused(world: World) -> None:
    """Neither ids nor a range, both, and a range of 32 days: 400."""
    app = world.app()
    bad: list[Document] = [
        {},
        {"delivery_ids": ["del_x"], "after": LONG_AGO},
        {"after": LONG_AGO, "before": "2000-02-02T00:00:00Z"},
    ]
    for body in bad:
        refused = world.api.call("deliveries.create_replay", app, expect=400, body=body)
        require_equal("validation_error", refused.code, f"code for {sorted(body)}")
