"""Whether everything is accounted for at the end: what was held, what was replayed. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hookwright_benchmarks.kill_campaign.history import Pair, Publish, Receipt

_GIVEN_UP = frozenset({"failed", "dead_letter"})
_ENDED = frozenset({"completed", "cancelled"})
_RECORDED_MS = 20_000


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery row at the end, instants in epoch ms; `replay_of`: the delivery it repeats,
    `sequence`: its number among those of its endpoint and ordering key."""

    id: str
    pair: Pair
    status: str
    created_at: int
    completed_at: int | None
    attempts: int
    replay_of: str | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A replay task that was answered 202: of these deliveries, or of those of an event in a range
    that have been delivered. The ranges of a campaign do not overlap, and its ids are not in them.
    Instants are epoch ms."""

    id: str
    made_at: int
    delivery_ids: frozenset[str] = frozenset()
    event_name: str = ""
    after: int = 0
    before: int = 0


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A replay task's row at the end."""

    id: str
    status: str
    processed: int
    replayed: int
    skipped: int
    total: int


def held_lost(
    publishes: Iterable[Publish],
    closing: Iterable[str],
    routes: Mapping[str, Sequence[str]],
    rows: Mapping[Pair, Sequence[StoredDelivery]],
    by_pair: Mapping[Pair, Sequence[Receipt]],
) -> list[str]:
    """Accepted events that an endpoint which was disabled in between has neither received nor
    visibly given up: `delivered` needs a 2xx of the receiver, `failed` an answer of it that is
    none; a dead letter may never have reached it."""
    found: list[str] = []
    for publish in publishes:
        if publish.outcome != "ok" or publish.message_id is None:
            continue
        for name in set(closing) & set(routes.get(publish.event_name, ())):
            pair = (name, publish.message_id)
            statuses = [row.status for row in rows.get(pair, ()) if row.replay_of is None]
            if not _is_accounted(statuses, by_pair.get(pair, ())):
                found.append(f"{publish.key} ({publish.message_id}) at {name}: {statuses}")
    return found


def _is_accounted(statuses: Sequence[str], receipts: Sequence[Receipt]) -> bool:
    match statuses:
        case ["delivered"]:
            return any(receipt.answered_at is not None for receipt in receipts)
        case ["failed"]:
            return any(receipt.answered_at is None for receipt in receipts)
        case ["dead_letter"]:
            return True
        case _:
            return False


def given_up(rows: Iterable[StoredDelivery]) -> frozenset[Pair]:
    """Deliveries that ended without having been delivered."""
    return frozenset(row.pair for row in rows if row.status in {*_GIVEN_UP, "cancelled"})


def tasks_stuck(tasks: Iterable[StoredTask]) -> list[str]:
    """Replay tasks that have not ended."""
    return [f"{task.id}: {task.status}" for task in tasks if task.status not in _ENDED]


def replays_lost(
    tasks: Sequence[Task],
    stored: Sequence[StoredTask],
    rows: Sequence[StoredDelivery],
    by_pair: Mapping[Pair, Sequence[Receipt]],
    event_of: Mapping[str, str],
) -> list[str]:
    """Tasks that are gone or whose figures are wrong, deliveries that a task left out or replayed
    twice, and replays that never came. `event_of`: the event of each message."""
    found = {task.id: task for task in stored}
    replays = Counter(row.replay_of for row in rows if row.replay_of is not None)
    wanted = _Wanted(rows, event_of)
    return [
        *(text for task in tasks for text in _of_task(task, found, wanted.of(task), replays)),
        *_repeated(replays),
        *_never_came(rows, by_pair),
    ]


class _Wanted:
    """What each task is about."""

    def __init__(self, rows: Iterable[StoredDelivery], event_of: Mapping[str, str]) -> None:
        self._by_id = {row.id: row for row in rows if row.replay_of is None}
        self._by_event: dict[str, list[StoredDelivery]] = defaultdict(list)
        for row in self._by_id.values():
            self._by_event[event_of.get(row.pair[1], "")].append(row)

    def of(self, task: Task) -> list[StoredDelivery]:
        if task.delivery_ids:
            return [self._by_id[each] for each in task.delivery_ids if each in self._by_id]
        return [
            row
            for row in self._by_event[task.event_name]
            if task.after <= row.created_at < task.before
        ]


def _of_task(
    task: Task,
    stored: Mapping[str, StoredTask],
    wanted: Sequence[StoredDelivery],
    replays: Mapping[str, int],
) -> Iterator[str]:
    row = stored.get(task.id)
    if row is None:
        yield f"{task.id}: answered 202, not stored"
        return
    made = sum(replays.get(each.id, 0) for each in wanted)
    if row.replayed != made or row.processed != row.replayed + row.skipped:
        yield (
            f"{task.id} ({row.status}): {made} replays, but processed {row.processed},"
            f" replayed {row.replayed}, skipped {row.skipped}"
        )
    if row.status == "completed":
        yield from (
            f"{task.id}: {each.id} left out"
            for each in wanted
            if not replays.get(each.id) and _was_due(task, each)
        )


def _was_due(task: Task, row: StoredDelivery) -> bool:
    """Delivered before the task was made. Of ids this was seen; in a range a delivery may have been
    written down later than it ended."""
    slack_ms = 0 if task.delivery_ids else _RECORDED_MS
    ended_at = row.completed_at
    return row.status == "delivered" and ended_at is not None and ended_at < task.made_at - slack_ms


def _repeated(replays: Mapping[str, int]) -> Iterator[str]:
    for replayed, count in replays.items():
        if count > 1:
            yield f"{replayed}: replayed {count} times"


def _never_came(
    rows: Iterable[StoredDelivery], by_pair: Mapping[Pair, Sequence[Receipt]]
) -> Iterator[str]:
    delivered: Counter[Pair] = Counter()
    replayed: set[Pair] = set()
    for row in rows:
        delivered[row.pair] += row.status == "delivered"
        if row.replay_of is not None:
            replayed.add(row.pair)
            if row.status != "delivered":
                yield f"{row.id} of {row.replay_of}: {row.status}"
    for pair in replayed:
        answered = sum(receipt.answered_at is not None for receipt in by_pair.get(pair, ()))
        if answered < delivered[pair]:
            yield f"{pair[1]} at {pair[0]}: {delivered[pair]} delivered, {answered} received"
