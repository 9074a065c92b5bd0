"""Judges a run by its history, in the manner of Jepsen's total-queue checker.

Instants are seconds of one monotonic clock. A *pair* is an endpoint's name and a message's id.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

Outcome = Literal["ok", "fail", "unknown"]
Pair = tuple[str, str]

UNRECORDED_S = 2.0
"""An answered delivery is written down within this time; what a kill later than that is to explain
must be an `interrupted` attempt in the database too."""
_SKEW_S = 0.5
_STALL_S = 10.0  # by so much a machine under load puts off what is to be written down or read
_SEEN_EARLY_S = 0.005


@dataclass(frozen=True, slots=True)
class Publish:
    """One idempotency key. `unknown`: no answer told whether the message was accepted."""

    key: str
    outcome: Outcome
    digest: str
    message_id: str | None = None
    sent_at: float = 0.0
    """When it was first sent; like `answered_at` only where recovery is judged."""
    answered_at: float = 0.0
    ordering_key: str | None = None
    """Those with the same one were accepted in the order in which the history holds them."""
    event_name: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request at the sink. `answered_at`: when a 2xx was sent; `cut_at`: when the sender hung
    up before any answer. `digests`: of the payload, one of them must be its publish's."""

    endpoint: str
    message_id: str
    key: str
    digests: frozenset[str]
    verified: bool
    at: float
    answered_at: float | None
    cut_at: float | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """`publishing`: how many publishes were without an answer at that moment."""

    at: float
    kind: str
    publishing: int
    counted: bool = True


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message in the database at the end; `interrupted` counts such attempts by endpoint."""

    id: str
    endpoint_count: int
    interrupted: Mapping[str, int]
    """Has one entry for each delivery row that is no replay."""
    event_name: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """All that happened; every message is meant for all `endpoints`, unless `routes` names those
    of its event."""

    endpoints: tuple[str, ...]
    publishes: Sequence[Publish]
    receipts: Sequence[Receipt]
    kills: Sequence[Kill] = ()
    messages: Sequence[StoredMessage] = ()
    routes: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    given_up: frozenset[Pair] = frozenset()
    """Deliveries that may end without a receipt: nothing else was expected of their endpoint."""

    def endpoints_of(self, event_name: str) -> Sequence[str]:
        """Whom messages of this event are meant for."""
        return self.routes.get(event_name, self.endpoints)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts, and for everything that must not be the cases themselves."""

    publishes: Mapping[Outcome, int]
    receipts: int
    recovered: int
    """Publishes without an answer that were delivered all the same."""
    duplicates: int
    """Receipts after the receiver had already said 2xx to that message."""
    in_flight: int
    """Deliveries that were being sent at a kill."""
    resumed_after_s: tuple[float, ...]
    """For each of those, the time to its next attempt, in order; from the last kill before that,
    since a kill may come before everything has been taken up again."""
    waited_s: tuple[float, ...]
    """The same from the kill that cut it off, through all further kills."""
    idle_kills: tuple[str, ...]
    """Counted kills that hit nothing in flight: they prove nothing."""
    faults: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """By kind, only kinds with a case."""

    @property
    def sound(self) -> bool:
        return not self.faults


FAULTS = (
    "lost",  # answered 202, not received by every endpoint
    "stranded",  # in the database, not received by every endpoint
    "forgotten",  # answered 202, not in the database
    "unexpected",  # received, but never published or refused
    "corrupted",  # received with another payload than published
    "unverified",  # received with a signature that does not verify
    "accepted_twice",  # one idempotency key, several messages
    "partial_fan_outs",  # delivery rows are not those that the message promises
    "unexplained_duplicates",  # received again without a kill in between
    "not_resumed",  # in flight at a kill, never attempted again
    "inversions",  # received after a later one with the same ordering key
    "not_marked",  # in flight at a kill, without an attempt row that says `interrupted`
)


def judge(history: History) -> Verdict:
    """The verdict on a run that has been healed and drained."""
    by_pair = receipts_by_pair(history.receipts)
    hit = _in_flight(history)
    waits, not_resumed = _resumed(hit, by_pair)
    repeated = list(duplicates(by_pair))
    found = {
        **delivery_faults(history, by_pair),
        **receipt_faults(history),
        **_row_faults(history, hit),
        "unexplained_duplicates": _unexplained(repeated, history),
        "not_resumed": not_resumed,
        "inversions": inversions(history),
    }
    counted = [kill for kill in history.kills if kill.counted]
    return Verdict(
        publishes=outcomes(history.publishes),
        receipts=len(history.receipts),
        recovered=recovered(history),
        duplicates=len(repeated),
        in_flight=sum(len(receipts) for receipts in hit.values()),
        resumed_after_s=tuple(sorted(since_last for since_last, _ in waits)),
        waited_s=tuple(sorted(waited for _, waited in waits)),
        idle_kills=tuple(
            f"{kill.kind} at {kill.at:.3f}"
            for kill in counted
            if not (hit.get(kill.at) and kill.publishing)
        ),
        faults={kind: tuple(found[kind]) for kind in FAULTS if found[kind]},
    )


def receipts_by_pair(receipts: Iterable[Receipt]) -> dict[Pair, list[Receipt]]:
    """Each pair's receipts in the order in which they came."""
    by_pair: dict[Pair, list[Receipt]] = defaultdict(list)
    for receipt in sorted(receipts, key=lambda r: r.at):
        by_pair[receipt.endpoint, receipt.message_id].append(receipt)
    return by_pair


def outcomes(publishes: Iterable[Publish]) -> dict[Outcome, int]:
    """How many publishes ended how."""
    counts: dict[Outcome, int] = {"ok": 0, "fail": 0, "unknown": 0}
    for publish in publishes:
        counts[publish.outcome] += 1
    return counts


def recovered(history: History) -> int:
    """Publishes without an answer that were delivered all the same."""
    received = {receipt.key for receipt in history.receipts}
    return sum(p.outcome == "unknown" and p.key in received for p in history.publishes)


def delivery_faults(
    history: History, by_pair: Mapping[Pair, Sequence[Receipt]]
) -> dict[str, list[str]]:
    """`lost`, `stranded` and `forgotten`."""
    accounted = by_pair.keys() | history.given_up
    stored = {message.id: message for message in history.messages}
    accepted = {p.message_id: p for p in history.publishes if p.outcome == "ok" and p.message_id}
    return {
        "lost": [
            f"{publish.key} ({message_id}) at {endpoint}"
            for message_id, publish in accepted.items()
            for endpoint in history.endpoints_of(publish.event_name)
            if (endpoint, message_id) not in accounted
        ],
        "stranded": [
            f"{message_id} at {endpoint}"
            for message_id in sorted(stored - accepted.keys())
            for endpoint in history.endpoints_of(stored[message_id].event_name)
            if (endpoint, message_id) not in accounted
        ],
        "forgotten": [
            f"{publish.key} ({message_id})"
            for message_id, publish in accepted.items()
            if message_id not in stored
        ],
    }


def receipt_faults(history: History) -> dict[str, list[str]]:
    """`unexpected`, `corrupted`, `unverified` and `accepted_twice`."""
    published = {publish.key: publish for publish in history.publishes}
    ids: dict[str, set[str]] = defaultdict(set)
    faults: dict[str, list[str]] = {"unexpected": [], "corrupted": [], "unverified": []}
    for receipt in history.receipts:
        name = f"{receipt.key or '?'} ({receipt.message_id}) at {receipt.endpoint}"
        publish = published.get(receipt.key)
        if not receipt.verified:
            faults["unverified"].append(name)
        elif publish is None or publish.outcome == "fail":
            faults["unexpected"].append(name)
        else:
            ids[receipt.key].add(receipt.message_id)
            if publish.digest not in receipt.digests:
                faults["corrupted"].append(name)
    for publish in history.publishes:
        if publish.message_id is not None:
            ids[publish.key].add(publish.message_id)
    faults["accepted_twice"] = [f"{key}: {sorted(of)}" for key, of in ids.items() if len(of) > 1]
    return faults


def inversions(history: History) -> list[str]:
    """Receipts, repeated ones too, that came after one of a later message of the same order."""
    places = {
        publish.key: (publish.ordering_key, place)
        for place, publish in enumerate(history.publishes)
        if publish.ordering_key is not None
    }
    furthest: dict[tuple[str, str], int] = {}
    found: list[str] = []
    for receipt in sorted(history.receipts, key=lambda r: r.at):
        if receipt.key not in places:
            continue
        lane, place = places[receipt.key]
        before = furthest.get((receipt.endpoint, lane), -1)
        if place < before:
            later = history.publishes[before].key
            found.append(f"{receipt.key} after {later} at {receipt.endpoint}: {receipt.at:.3f}")
        furthest[receipt.endpoint, lane] = max(place, before)
    return found


def partial_fan_outs(history: History) -> list[str]:
    """Messages whose delivery rows are not one for each endpoint that they are meant for."""
    return [
        f"{m.id}: promised {m.endpoint_count}, has {sorted(m.interrupted)}"
        for m in history.messages
        for wanted in (set(history.endpoints_of(m.event_name)),)
        if set(m.interrupted) != wanted or m.endpoint_count != len(wanted)
    ]


def _row_faults(history: History, hit: Mapping[float, Sequence[Receipt]]) -> dict[str, list[str]]:
    expected: dict[Pair, int] = defaultdict(int)
    for receipts in hit.values():
        for pair in {(receipt.endpoint, receipt.message_id) for receipt in receipts}:
            expected[pair] += 1
    marked = {
        (endpoint, message.id): count
        for message in history.messages
        for endpoint, count in message.interrupted.items()
    }
    return {
        "partial_fan_outs": partial_fan_outs(history),
        "not_marked": [
            f"{pair[1]} at {pair[0]}: {marked.get(pair, 0)} of {count}"
            for pair, count in expected.items()
            if marked.get(pair, 0) < count
        ],
    }


def _in_flight(history: History) -> dict[float, list[Receipt]]:
    """By the instant of the kill: the requests that it cut off."""
    hit: dict[float, list[Receipt]] = {kill.at: [] for kill in history.kills}
    instants = sorted(hit)
    for receipt in history.receipts:
        place = bisect_left(instants, receipt.at)
        if receipt.cut_at is None or place == len(instants):
            continue
        if receipt.cut_at >= instants[place] - _SEEN_EARLY_S:
            hit[instants[place]].append(receipt)
    return hit


def _resumed(
    hit: Mapping[float, Sequence[Receipt]], by_pair: Mapping[Pair, Sequence[Receipt]]
) -> tuple[list[tuple[float, float]], list[str]]:
    instants = sorted(hit)
    waits: list[tuple[float, float]] = []
    never: list[str] = []
    for at, receipts in hit.items():
        for receipt in receipts:
            pair = (receipt.endpoint, receipt.message_id)
            later = [each.at for each in by_pair[pair] if each.at > at]
            if later:
                last_kill = instants[bisect_left(instants, later[0]) - 1]
                waits.append((later[0] - last_kill, later[0] - at))
            else:
                never.append(f"{receipt.message_id} at {receipt.endpoint}")
    return waits, never


def duplicates(by_pair: Mapping[Pair, Sequence[Receipt]]) -> Iterable[tuple[Receipt, Receipt]]:
    """Receipts that follow one with a 2xx, each with that one."""
    for receipts in by_pair.values():
        answered: Receipt | None = None
        for before, after in pairwise(receipts):
            answered = before if before.answered_at is not None else answered
            if answered is not None:
                yield answered, after


def _unexplained(repeated: Iterable[tuple[Receipt, Receipt]], history: History) -> list[str]:
    left = {
        (endpoint, message.id): count
        for message in history.messages
        for endpoint, count in message.interrupted.items()
    }
    found: list[str] = []
    for before, after in repeated:
        pair = before.endpoint, before.message_id
        left[pair] = left.get(pair, 0) - 1
        if any(_explains(kill, before, after) for kill in history.kills):
            continue
        # Where the machine stalled, the database says what a kill cut off.
        between = any(before.at - _STALL_S <= kill.at <= after.at for kill in history.kills)
        if not between or left[pair] < 0:
            found.append(f"{pair[1]} at {pair[0]}: {before.at:.3f} and {after.at:.3f}")
    return found


def _explains(kill: Kill, before: Receipt, after: Receipt) -> bool:
    """The kill came before the answer could be written down. The receiver may have read a
    request, and answered it, only after its sender had died."""
    answered_at = before.answered_at if before.answered_at is not None else before.at
    return kill.at <= after.at and -_SKEW_S <= kill.at - answered_at <= UNRECORDED_S
