"""How long after each fault deliveries flowed again.

A fault is recovered from when everything that had been accepted before has been delivered, and a
message published after it has been delivered as well. The time counts from the end of the fault,
or from the kill, and goes on through whatever further faults come in between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from hookwright_benchmarks.kill_campaign.history import Pair, Publish, Receipt

if TYPE_CHECKING:
    from hookwright_benchmarks.faults.checker import Fault

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Recovery:
    """`backlog_s`: until the last delivery that was due or under way had been made; 0: none was.
    `fresh_s`: until the first message published later had been delivered everywhere.
    `alone`: no other fault was active or not yet recovered from meanwhile. None: it never came to that."""

    fault: Fault
    backlog_s: float | None
    fresh_s: float | None
    alone: bool

    @property
    def seconds(self) -> float | None:
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
    times = [
        (backlog.cleared_at(f.recovers_from), fresh.flowed_at(f.recovers_from)) for f in faults
    ]
    spans = [(f.began, max(f.ended, *both)) for f, both in zip(faults, times, strict=True)]
    return [
        Recovery(
            fault,
            _since(fault, cleared_at),
            _since(fault, flowed_at),
            alone=sum(began < span[1] and ended > span[0] for began, ended in spans) == 1,
        )
        for fault, (cleared_at, flowed_at), span in zip(faults, times, spans, strict=True)
    ]


def _since(fault: Fault, at: float) -> float | None:
    return None if at == _NEVER else max(0.0, at - fault.recovers_from)


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
