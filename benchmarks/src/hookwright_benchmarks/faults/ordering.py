"""Whether events with an ordering key came in order. Pure.

Each key's events are published by one publisher, the next one only once the last was accepted: so
the order in which they were accepted is known, whatever the server says about it; the numbers that
it gave must agree. For the rest only what the receiver saw itself counts: a successor is early when
its first request came before the receiver first said 2xx to a predecessor that it did say 2xx to in
the end. A repetition is nothing new.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from hookwright_benchmarks.kill_campaign.history import Pair, Publish, Receipt

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Order:
    """How many deliveries had to keep an order, and those that did not.

    `inversions`: sent before a predecessor had been delivered, or with no greater number. `gaps`:
    delivered, although a predecessor never was and has not ended in another way; or a number that
    was left out."""

    judged: int
    inversions: tuple[str, ...]
    gaps: tuple[str, ...]


def order_kept(
    publishes: Iterable[Publish],
    routes: Mapping[str, Sequence[str]],
    by_pair: Mapping[Pair, Sequence[Receipt]],
    ended_otherwise: frozenset[Pair],
    sequences: Mapping[Pair, int],
) -> Order:
    """Looks at every endpoint and key. `ended_otherwise`: failed, dead-lettered or cancelled
    deliveries, which let their successors go; `sequences`: the numbers that the server gave."""
    chains: dict[tuple[str, str], list[str]] = defaultdict(list)
    for publish in sorted(publishes, key=lambda each: each.sent_at):
        if publish.ordering_key is None or publish.message_id is None:
            continue
        for endpoint in routes.get(publish.event_name, ()):
            chains[endpoint, publish.ordering_key].append(publish.message_id)
    found: list[tuple[list[str], list[str]]] = []
    for (endpoint, _), ids in chains.items():
        pairs = [(endpoint, message_id) for message_id in ids]
        found.append(_of_chain(endpoint, pairs, by_pair, ended_otherwise))
        found.append(_of_numbers([(pair, sequences[pair]) for pair in pairs if pair in sequences]))
    return Order(
        sum(len(ids) for ids in chains.values()),
        tuple(text for inversions, _ in found for text in inversions),
        tuple(text for _, gaps in found for text in gaps),
    )


def _of_chain(
    endpoint: str,
    pairs: Sequence[Pair],
    by_pair: Mapping[Pair, Sequence[Receipt]],
    ended_otherwise: frozenset[Pair],
) -> tuple[list[str], list[str]]:
    delivered = [_delivered_at(by_pair.get(pair, ())) for pair in pairs]
    settled = [
        0.0 if at == _NEVER else at
        for at in delivered  # what never came delays nobody
    ]
    latest_before = [0.0, *accumulate(settled, max)]
    last = max((n for n, at in enumerate(delivered) if at != _NEVER), default=0)
    inversions = [
        f"{message_id} at {endpoint}: sent {before - receipts[0].at:.3f} s too early"
        for (_, message_id), before in zip(pairs, latest_before, strict=False)
        if (receipts := by_pair.get((endpoint, message_id))) and receipts[0].at < before
    ]
    gaps = [
        f"{pair[1]} at {endpoint}: skipped"
        for pair, at in zip(pairs[:last], delivered, strict=False)
        if at == _NEVER and pair not in ended_otherwise
    ]
    return inversions, gaps


def _of_numbers(numbered: Sequence[tuple[Pair, int]]) -> tuple[list[str], list[str]]:
    inversions: list[str] = []
    gaps: list[str] = []
    for (_, before), ((endpoint, message_id), number) in pairwise(numbered):
        text = f"{message_id} at {endpoint}: number {number} after {before}"
        if number <= before:
            inversions.append(text)
        elif number > before + 1:
            gaps.append(text)
    return inversions, gaps


def _delivered_at(receipts: Iterable[Receipt]) -> float:
    return min((r.answered_at for r in receipts if r.answered_at is not None), default=_NEVER)
