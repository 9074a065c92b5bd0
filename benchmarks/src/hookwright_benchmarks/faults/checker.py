"""Judges a campaign: what was lost, doubled or spoiled, and whether a fault explains it.

Pure. Instants are seconds of one monotonic clock; a *pair* is an endpoint's name and a message's
id. What a publish and a receipt are, and most of what can be wrong with them, is the history's of
the kill campaign.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hookwright_benchmarks.faults.recovery import Recovery, recoveries
from hookwright_benchmarks.kill_campaign.history import (
    History,
    Outcome,
    Pair,
    Publish,
    Receipt,
    StoredMessage,
    delivery_faults,
    duplicates,
    outcomes,
    partial_fan_outs,
    receipt_faults,
    receipts_by_pair,
    recovered,
)

Part = Literal["api", "worker", "postgres", "redis", "sink"]

RECOVERY_LIMIT_S = 15.0
_SKEW_S = 0.5
_TERMINAL = frozenset({"delivered", "failed", "dead_letter", "cancelled"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault, from `began` until everything was put right again (`ended`).

    `recovers_from`: from when recovery counts, the kill itself or the end of what lasted.
    `touches`: the parts that it disturbs; a link's are both its ends. `lingers_s`: how long after
    `ended` it may still be felt, because somebody holds a connection that is dead.
    `delays`: deliveries can come to a stop by it, so that the recovery from others begins anew.
    `requests_open` and `unsettled` are what was in flight when it began.
    """

    kind: str
    target: str
    touches: frozenset[Part]
    began: float
    recovers_from: float
    ended: float
    requests_open: int
    unsettled: int
    lingers_s: float = 2.0
    delays: bool = True

    @property
    def counts(self) -> bool:
        """A fault that hit nothing in flight proves nothing."""
        return self.requests_open > 0 or self.unsettled > 0

    def is_felt_at(self, at: float) -> bool:
        return self.began - _SKEW_S <= at <= self.ended + self.lingers_s


@dataclass(frozen=True, slots=True)
class ServerError:
    """An answer 5xx. `retry_after`: whether it named a time."""

    at: float
    status: int
    code: str
    retry_after: bool


@dataclass(frozen=True, slots=True)
class Transition:
    """A delivery's change of status, in the order of the commits; `writer` names the process.

    `taken_back`: it was taken from a dead session, which anybody may do.
    """

    delivery_id: str
    before: str
    after: str
    fence: int
    writer: str
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a whole campaign left behind. `attempts`: rows by pair, also those interrupted;
    `audit`: findings of the server's own doctor."""

    endpoints: Sequence[str]
    publishes: Sequence[Publish]
    receipts: Sequence[Receipt]
    faults: Sequence[Fault]
    messages: Sequence[StoredMessage]
    attempts: Mapping[Pair, int] = field(default_factory=dict[Pair, int])
    errors: Sequence[ServerError] = ()
    transitions: Iterable[Transition] = ()
    unfinished: int = 0
    audit: Sequence[str] = ()


VIOLATIONS: Mapping[str, str] = {
    "lost": "answered 202, not received by every endpoint",
    "stranded": "stored, not received by every endpoint",
    "forgotten": "answered 202, not stored",
    "unexpected": "received, never published or refused",
    "corrupted": "received with another payload",
    "unverified": "received with a bad signature",
    "accepted_twice": "one idempotency key, several messages",
    "partial_fan_outs": "not the delivery rows that were promised",
    "unexplained_duplicates": "received again without a fault to explain it",
    "unrecorded_attempts": "received more often than there are attempt rows",
    "stale_completions": "a result written under a lost lease",
    "terminal_changed": "a finished delivery changed again",
    "errors_by_redis": "API 5xx while Redis, and nothing else that answers, was disturbed",
    "errors_unexplained": "API 5xx without a fault to explain it",
    "errors_malformed": "API 5xx other than 503 with Retry-After",
    "not_recovered": "never delivered again after a fault",
    "late_recoveries": f"recovery p99 above {RECOVERY_LIMIT_S:g} s",
    "unfinished": "neither delivered nor given up at the end",
    "audit": "rules of `hookwright-server doctor` that rows break",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts, and for everything that must not be the cases themselves."""

    outcomes: Mapping[Outcome, int]
    recovered_unknown: int
    receipts: int
    duplicates: int
    transitions: int
    errors: Mapping[str, int]
    """API 5xx by what explains them."""
    recoveries: tuple[Recovery, ...]
    counted: tuple[Fault, ...]
    idle: tuple[Fault, ...]
    violations: Mapping[str, tuple[str, ...]]

    @property
    def sound(self) -> bool:
        return not self.violations


def judge(evidence: Evidence) -> Verdict:
    """The verdict on a campaign that has been healed and drained."""
    history = History(
        tuple(evidence.endpoints), evidence.publishes, evidence.receipts, (), evidence.messages
    )
    by_pair = receipts_by_pair(evidence.receipts)
    repeated = list(duplicates(by_pair))
    counted = tuple(fault for fault in evidence.faults if fault.counts)
    found = recoveries(counted, evidence.publishes, evidence.endpoints, by_pair)
    causes = _causes(evidence.errors, evidence.faults)
    stale, changed, transitions = _lease_violations(evidence.transitions)
    violations: dict[str, list[str]] = {
        **delivery_faults(history, by_pair),
        **receipt_faults(history),
        "partial_fan_outs": partial_fan_outs(history),
        "unexplained_duplicates": _unexplained(repeated, evidence.faults),
        "unrecorded_attempts": _unrecorded(by_pair, evidence.attempts),
        "stale_completions": stale,
        "terminal_changed": changed,
        "errors_by_redis": causes["redis"],
        "errors_unexplained": causes["nothing"],
        "errors_malformed": [
            _error_text(error)
            for error in evidence.errors
            if error.status != 503 or not error.retry_after
        ],
        "not_recovered": [
            f"{each.fault.kind} at {each.fault.target}"
            for each in found
            if each.since_last_s is None
        ],
        "late_recoveries": _late(found),
        "unfinished": [f"{evidence.unfinished} deliveries"] if evidence.unfinished else [],
        "audit": list(evidence.audit),
    }
    return Verdict(
        outcomes=outcomes(evidence.publishes),
        recovered_unknown=recovered(history),
        receipts=len(evidence.receipts),
        duplicates=len(repeated),
        transitions=transitions,
        errors={cause: len(cases) for cause, cases in causes.items()},
        recoveries=tuple(found),
        counted=counted,
        idle=tuple(fault for fault in evidence.faults if not fault.counts),
        violations={name: tuple(violations[name]) for name in VIOLATIONS if violations[name]},
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of an ordered, not empty sequence does not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _late(found: Sequence[Recovery]) -> list[str]:
    known = [(each.since_last_s, each.fault) for each in found if each.since_last_s is not None]
    times = sorted(seconds for seconds, _ in known)
    if not times or percentile(times, 0.99) <= RECOVERY_LIMIT_S:
        return []
    return [
        f"{seconds:.1f} s after {fault.kind} at {fault.target}"
        for seconds, fault in known
        if seconds > RECOVERY_LIMIT_S
    ]


def _causes(errors: Iterable[ServerError], faults: Sequence[Fault]) -> dict[str, list[str]]:
    """The errors by the part that explains them; who answers through what comes first."""
    causes: dict[str, list[str]] = {"postgres": [], "api": [], "redis": [], "nothing": []}
    for error in errors:
        felt = {part for fault in faults if fault.is_felt_at(error.at) for part in fault.touches}
        cause = next((part for part in ("postgres", "api", "redis") if part in felt), "nothing")
        causes[cause].append(_error_text(error))
    return causes


def _error_text(error: ServerError) -> str:
    named = "with" if error.retry_after else "without"
    return f"{error.status} {error.code} {named} Retry-After at {error.at:.3f}"


def _unexplained(repeated: Iterable[tuple[Receipt, Receipt]], faults: Sequence[Fault]) -> list[str]:
    """A duplicate needs a fault, between answer and record, of what has to do with recording."""
    relevant = [f for f in faults if f.touches & {"worker", "postgres", "sink"}]
    return [
        f"{before.message_id} at {before.endpoint}: {before.at:.3f} and {after.at:.3f}"
        for before, after in repeated
        if not any(_explains(fault, before, after) for fault in relevant)
    ]


def _explains(fault: Fault, before: Receipt, after: Receipt) -> bool:
    """It began before the answer could be written down, and before the repetition."""
    answered_at = before.answered_at if before.answered_at is not None else before.at
    return (fault.began <= after.at and fault.is_felt_at(answered_at)) or (
        answered_at <= fault.began <= min(after.at, answered_at + fault.lingers_s)
    )


def _unrecorded(
    by_pair: Mapping[Pair, Sequence[Receipt]], attempts: Mapping[Pair, int]
) -> list[str]:
    if not attempts:
        return []
    return [
        f"{pair[1]} at {pair[0]}: {len(receipts)} received, {attempts.get(pair, 0)} recorded"
        for pair, receipts in by_pair.items()
        if len(receipts) > attempts.get(pair, 0)
    ]


def _lease_violations(transitions: Iterable[Transition]) -> tuple[list[str], list[str], int]:
    """Completions by other than the holder of the lease, and changes after the end."""
    holders: dict[str, tuple[str, int]] = {}
    stale: list[str] = []
    changed: list[str] = []
    count = 0
    for step in transitions:
        count += 1
        text = f"{step.delivery_id}: {step.before} to {step.after} by {step.writer}"
        if step.before in _TERMINAL:
            changed.append(text)
        if step.after == "sending":
            holders[step.delivery_id] = step.writer, step.fence
        elif step.taken_back:
            holders.pop(step.delivery_id, None)
        elif holders.pop(step.delivery_id, None) != (step.writer, step.fence):
            stale.append(text)
    return stale, changed, count
