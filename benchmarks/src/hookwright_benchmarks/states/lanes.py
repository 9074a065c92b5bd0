"""What an ordering key promises, beside what the model says of it (ORDER-1, 2 and 7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hookwright_benchmarks.states.divergence import same
from hookwright_benchmarks.states.receiver import Receipt

if TYPE_CHECKING:
    from hookwright_benchmarks.states.things import Delivery


def one_at_a_time(lanes: Iterable[Sequence[Delivery]], now: int) -> None:
    """Numbers have no gaps; behind the first that is open nothing was tried or is due."""
    for lane in lanes:
        what = f"deliveries to {lane[0].endpoint.id} with the same key"
        same([*range(1, len(lane) + 1)], [each.sequence for each in lane], what)
        accepted = [each.created_at for each in lane]
        same(sorted(accepted), accepted, what)
        under_way = [each for each in lane if each.is_ordered and not each.is_over]
        for each in under_way[1:]:
            same(None, each.reads(now)[3], f"{what}: {each.id} waits")
            same(0, len(each.attempts), f"{what}: attempts of {each.id}, which waits")
        for first in under_way[:1]:
            if not first.is_loose(now) and first.status == "pending":
                same(False, first.due_at is None, f"{what}: {first.id} is first, and due never")


def in_order(expected: Sequence[Receipt], got: Sequence[Receipt]) -> None:
    """What a receiver got with the same key came in its order.

    But for messages of which something was retried or replayed by hand meanwhile.
    """
    free = {(each.path, each.message_id) for each in expected if each.ordering_key is None}
    lanes: dict[tuple[str, str], list[str]] = {}
    for each in expected:
        if each.ordering_key is not None and (each.path, each.message_id) not in free:
            lanes.setdefault((each.path, each.ordering_key), []).append(each.message_id)
    for (path, key), mine in lanes.items():
        theirs = [r.message_id for r in got if r.path == path and r.message_id in mine]
        same(mine, theirs, f"the order in which {path} got what has the key {key!r}")
