"""How long after each fault deliveries flowed again.

A fault is recovered from when everything that had been accepted before has been delivered, and a
message published after it has been delivered as well. The time counts from the end of the fault,
or from the kill. Where another fault that delays deliveries comes before that, both times are
told: from the last such fault, and through all of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from hookwright_benchmarks.kill_campaign.history import Pair, Publish, Receipt

if TYPE_CHECKING:
    from hookwright_benchmarks.faults.record import Fault

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Recovery:
    """`backlog_s`: until the last delivery that was due or under way had been made; 0: none was.
    `fresh_s`: until the first message published later had been delivered everywhere.
    `since_last_s`: until both, from the last fault that came before that and delays deliveries.
    None: it never came to that."""

    fault: Fault
    backlog_s: float | None
    fresh_s: float | None
    since_last_s: float | None

    @property
    def through_all_s(self) -> float | None:
        if self.backlog_s is None or self.fresh_s is None:
            return None
        return max(self.backlog_s, self.fresh_s)


@dataclass(frozen=True, slots=True)
class _Event:
    sent_at: float
    accepted_at: float
    delivered_at: float


def recoveries(
    faults: Sequence[Fault],
    publishes: Iterable[Publish],
    endpoints: Sequence[str],
    by_pair: Mapping[Pair, Sequence[Receipt]],
) -> list[Recovery]:
    """One for each fault. Faults at the very end, after which nothing was published any more,
    are judged by the backlog alone."""
    events = [
        _Event(p.sent_at, p.answered_at, _delivered_at(p.message_id, endpoints, by_pair))
        for p in publishes
        if p.outcome == "ok" and p.message_id is not None
    ]
    backlog, fresh = _Backlog(events), _Fresh(events)
    restarts = sorted(fault.recovers_from for fault in faults if fault.delays)
    found: list[Recovery] = []
    for fault in faults:
        since = fault.recovers_from
        cleared_at, flowed_at = backlog.cleared_at(since), fresh.flowed_at(since)
        end = max(cleared_at, flowed_at)
        before = bisect_right(restarts, end)
        last = max(since, restarts[before - 1]) if before else since
        found.append(
            Recovery(
                fault,
                _span(since, cleared_at),
                _span(since, flowed_at),
                _span(last, end),
            )
        )
    return found


def _span(since: float, at: float) -> float | None:
    return None if at == _NEVER else max(0.0, at - since)


class _Backlog:
    """When everything accepted up to an instant had been delivered."""

    def __init__(self, events: Iterable[_Event]) -> None:
        ordered = sorted(events, key=lambda event: event.accepted_at)
        self._accepted = [event.accepted_at for event in ordered]
        self._latest = list(accumulate((event.delivered_at for event in ordered), max))

    def cleared_at(self, since: float) -> float:
        count = bisect_right(self._accepted, since)
        return max(since, self._latest[count - 1]) if count else since


class _Fresh:
    """When the first message sent after an instant had been delivered."""

    def __init__(self, events: Iterable[_Event]) -> None:
        ordered = sorted(events, key=lambda event: event.sent_at)
        self._sent = [event.sent_at for event in ordered]
        latest_first = (event.delivered_at for event in reversed(ordered))
        self._earliest = list(accumulate(latest_first, min))[::-1]

    def flowed_at(self, since: float) -> float:
        place = bisect_left(self._sent, since)
        return self._earliest[place] if place < len(self._earliest) else since


def _delivered_at(
    message_id: str, endpoints: Iterable[str], by_pair: Mapping[Pair, Sequence[Receipt]]
) -> float:
    """When the last of the endpoints had first said 2xx."""
    return max(
        min(
            (
                receipt.answered_at
                for receipt in by_pair.get((endpoint, message_id), ())
                if receipt.answered_at is not None
            ),
            default=_NEVER,
        )
        for endpoint in endpoints
    )
