"""What was accepted, what arrived, and the verdict over both. Times are seconds of one clock."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import Any, Final, Protocol

Pair = tuple[str, str]
"""A message's id and an endpoint's name: one delivery, as the demo counts it."""

UNFINISHED: Final = ("pending", "sending")
ACCOUNTED_FOR: Final = ("held", "failed", "dead_letter", "cancelled", *UNFINISHED)
"""States in which the server shows that a delivery did not arrive (yet), and why."""
SETTLING_S: Final = 1.0
"""How long after its restart the server works off the backlog: the end of the kill window."""


class Subscriber(Protocol):
    """What the ledger must know of an endpoint."""

    @property
    def name(self) -> str: ...
    @property
    def sound(self) -> bool: ...
    @property
    def prompt(self) -> bool: ...
    def wants(self, event_name: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Publication:
    """An event whose publishing call was answered 202, at `accepted_at`."""

    event_name: str
    payload: Mapping[str, Any]
    message_id: str
    called_at: float
    accepted_at: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request at a receiver. `fault` says why its signature did not verify."""

    endpoint: str
    message_id: str
    at: float
    status: int | None
    payload: object
    fault: str | None

    @property
    def taken(self) -> bool:
        """Whether the receiver's answer was a success."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Shown:
    """What the server's API says of a delivery at the end."""

    delivery_id: str
    status: str
    attempt_count: int


@dataclass(frozen=True, slots=True)
class Outage:
    """The kill, the new process, and the moment it was ready.

    What arrived before `restarted_at` was sent by the old process.
    """

    killed_at: float
    restarted_at: float
    ready_at: float

    def touches(self, start: float, end: float) -> bool:
        """Whether the span lies in it, or in the second after it."""
        return start <= self.ready_at + SETTLING_S and end >= self.killed_at


@dataclass(frozen=True, slots=True)
class Tally:
    """An endpoint's part: deliveries owed to it, taken by it, and requests beyond the first."""

    owed: int
    taken: int
    retries: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds until the first request, over `count` first attempts."""

    count: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The history, checked. Everything that is not named otherwise counts deliveries."""

    accepted_events: int
    owed: int
    delivered: int
    states: Mapping[str, int]
    attempts: int
    requests: int
    retried: int
    verified: int
    faults: tuple[str, ...]
    altered: int
    unexpected: int
    repeats_by_kill: int
    repeats_otherwise: int
    lost: tuple[Pair, ...]
    unfinished: int
    since_accepted: Latency
    since_called: Latency

    @property
    def passed(self) -> bool:
        """Nothing lost, forged, altered or unfinished."""
        bad = (self.lost, self.faults, self.altered, self.unexpected, self.unfinished)
        return not any(bad)


@dataclass(slots=True)
class Ledger:
    """Takes notes while the demo runs; `judge` compares them with what the server shows."""

    subscribers: tuple[Subscriber, ...]
    publications: dict[str, Publication] = field(default_factory=dict[str, Publication])
    receipts: list[Receipt] = field(default_factory=list[Receipt])
    _owed: Counter[str] = field(default_factory=Counter[str])
    _taken: dict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))
    _seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))
    _requests: Counter[str] = field(default_factory=Counter[str])

    def accepted(self, publication: Publication) -> None:
        self.publications[publication.message_id] = publication
        self._owed.update(one.name for one in self._subscribers_of(publication))

    def received(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)
        self._requests[receipt.endpoint] += 1
        self._seen[receipt.endpoint].add(receipt.message_id)
        if receipt.taken:
            self._taken[receipt.endpoint].add(receipt.message_id)

    def tally(self, endpoint: str) -> Tally:
        """How far an endpoint is."""
        retries = self._requests[endpoint] - len(self._seen[endpoint])
        return Tally(self._owed[endpoint], len(self._taken[endpoint]), retries)

    def arrivals(self) -> dict[Pair, list[Receipt]]:
        """All requests of each delivery, in their order."""
        found: dict[Pair, list[Receipt]] = defaultdict(list)
        for receipt in self.receipts:
            found[receipt.message_id, receipt.endpoint].append(receipt)
        return found

    def latencies(self, outage: Outage | None) -> Iterator[tuple[Publication, Receipt]]:
        """First attempts at prompt receivers outside the kill window, with their events."""
        arrivals = self.arrivals()
        for publication, subscriber in self._deliveries():
            requests = arrivals.get((publication.message_id, subscriber.name))
            if not subscriber.prompt or not requests:
                continue
            if outage is None or not outage.touches(publication.called_at, requests[0].at):
                yield publication, requests[0]

    def judge(self, shown: Mapping[Pair, Shown], outage: Outage | None) -> Verdict:
        """Hold the history against what the server shows of every delivery."""
        arrivals = self.arrivals()
        owed = [(one.message_id, subscriber.name) for one, subscriber in self._deliveries()]
        missing = [pair for pair in owed if not _arrived(arrivals.get(pair, ()))]
        states = Counter(state.status for state in shown.values())
        repeats = [repeat for each in arrivals.values() for repeat in _repeats(each)]
        timed = list(self.latencies(outage))
        by_kill = sum(_explained(first, second, outage) for first, second in repeats)
        return Verdict(
            accepted_events=len(self.publications),
            owed=len(owed),
            delivered=len(owed) - len(missing),
            states=dict(states),
            attempts=sum(state.attempt_count for state in shown.values()),
            requests=len(self.receipts),
            retried=sum(state.attempt_count > 1 for state in shown.values()),
            verified=sum(receipt.fault is None for receipt in self.receipts),
            faults=tuple(receipt.fault for receipt in self.receipts if receipt.fault is not None),
            altered=sum(self._altered(receipt) for receipt in self.receipts),
            unexpected=sum(not self._expected(receipt) for receipt in self.receipts),
            repeats_by_kill=by_kill,
            repeats_otherwise=len(repeats) - by_kill,
            lost=tuple(pair for pair in missing if not _accounted_for(shown.get(pair))),
            unfinished=sum(states[status] for status in UNFINISHED),
            since_accepted=_latency(first.at - event.accepted_at for event, first in timed),
            since_called=_latency(first.at - event.called_at for event, first in timed),
        )

    def _subscribers_of(self, publication: Publication) -> Iterator[Subscriber]:
        return (one for one in self.subscribers if one.wants(publication.event_name))

    def _deliveries(self) -> Iterator[tuple[Publication, Subscriber]]:
        for publication in self.publications.values():
            for subscriber in self._subscribers_of(publication):
                yield publication, subscriber

    def _altered(self, receipt: Receipt) -> bool:
        publication = self.publications.get(receipt.message_id)
        if publication is None or receipt.fault is not None:
            return False
        return receipt.payload != publication.payload

    def _expected(self, receipt: Receipt) -> bool:
        publication = self.publications.get(receipt.message_id)
        return publication is not None and any(
            one.name == receipt.endpoint for one in self._subscribers_of(publication)
        )


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed; 0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(1, ceil(len(ordered) * share)) - 1]


def _latency(seconds: Iterable[float]) -> Latency:
    # A request that overtook the 202 waited for nothing.
    waits = [max(0.0, each) * 1000 for each in seconds]
    return Latency(len(waits), percentile(waits, 0.50), percentile(waits, 0.99))


def _arrived(requests: Iterable[Receipt]) -> bool:
    return any(receipt.taken for receipt in requests)


def _accounted_for(state: Shown | None) -> bool:
    # "delivered" is not among these states: the receiver would have to know of it.
    return state is not None and state.status in ACCOUNTED_FOR


def _repeats(requests: list[Receipt]) -> Iterator[tuple[Receipt, Receipt]]:
    taken = [receipt for receipt in requests if receipt.taken]
    return pairwise(taken)


def _explained(first: Receipt, second: Receipt, outage: Outage | None) -> bool:
    return outage is not None and first.at < outage.restarted_at <= second.at
