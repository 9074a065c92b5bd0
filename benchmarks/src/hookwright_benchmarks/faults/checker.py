"""Judges a campaign: what was lost, doubled or spoiled, and whether a fault explains it.

Pure. Instants are seconds of one monotonic clock; a *pair* is an endpoint's name and a message's
id. What a publish and a receipt are, and most of what can be wrong with them, is the history's of
the kill campaign.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hookwright_benchmarks.faults.accounts import (
    StoredDelivery,
    StoredTask,
    Task,
    given_up,
    held_lost,
    replays_lost,
    tasks_stuck,
)
from hookwright_benchmarks.faults.keyring import Secret, Signed, signature_faults
from hookwright_benchmarks.faults.leases import lease_violations
from hookwright_benchmarks.faults.ordering import order_kept
from hookwright_benchmarks.faults.reasons import (
    causes_of,
    disturbed,
    error_text,
    repetitions,
    unexplained,
)
from hookwright_benchmarks.faults.record import Fault, ServerError, Transition
from hookwright_benchmarks.faults.recovery import Recovery, recoveries
from hookwright_benchmarks.kill_campaign.history import (
    History,
    Outcome,
    Pair,
    Publish,
    Receipt,
    StoredMessage,
    delivery_faults,
    outcomes,
    partial_fan_outs,
    receipt_faults,
    receipts_by_pair,
    recovered,
)

RECOVERY_LIMIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a whole campaign left behind.

    `endpoints`: those that recovery is measured at; `routes`: whom each event is meant for, unless
    for these; `closing`: endpoints that are disabled now and then. `tasks`: the replay tasks that
    were answered 202. `signed`: each receipt's signatures, to be compared with `secrets`. `audit`:
    findings of the server's own doctor.
    """

    endpoints: Sequence[str]
    publishes: Sequence[Publish]
    receipts: Sequence[Receipt]
    faults: Sequence[Fault]
    messages: Sequence[StoredMessage]
    routes: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    closing: frozenset[str] = frozenset()
    deliveries: Sequence[StoredDelivery] = ()
    tasks: Sequence[Task] = ()
    stored_tasks: Sequence[StoredTask] = ()
    signed: Sequence[Signed] = ()
    secrets: Mapping[str, Sequence[Secret]] = field(default_factory=dict[str, Sequence[Secret]])
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
    "unverified": "received without a signature of any secret that was valid then",
    "wrong_signers": "received without each valid secret's signature, or with an ended one's",
    "accepted_twice": "one idempotency key, several messages",
    "partial_fan_outs": "not the delivery rows that were promised",
    "unexplained_duplicates": "received again without a fault to explain it",
    "unrecorded_attempts": "received more often than there are attempt rows",
    "ordering_inversions": "sent before an earlier event of its key was delivered",
    "ordering_gaps": "delivered, and an earlier event of its key never",
    "replays_lost": "replayed and not received, left out, or miscounted",
    "tasks_stuck": "replay tasks that never ended",
    "held_lost": "accepted for an endpoint that was disabled, neither received nor given up",
    "stale_completions": "a result written under a lost lease",
    "terminal_changed": "a finished delivery changed again",
    "errors_by_redis": "API 5xx while Redis, and nothing else that explains it, was disturbed",
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
    ordered: int = 0
    """Deliveries that had to keep an order."""
    replays: int = 0
    tasks: int = 0
    """Replay tasks."""
    for_closing: int = 0
    """Deliveries to endpoints that were disabled now and then."""

    @property
    def sound(self) -> bool:
        return not self.violations


def judge(evidence: Evidence) -> Verdict:
    """The verdict on a campaign that has been healed and drained."""
    rows = _rows_by_pair(evidence.deliveries)
    history = _history(evidence)
    by_pair = receipts_by_pair(evidence.receipts)
    replays = _replays(evidence.deliveries)
    repeated = list(repetitions(by_pair, replays))
    counted = tuple(fault for fault in evidence.faults if fault.counts)
    steady = [p for p in evidence.publishes if _is_steady(p, evidence)]
    found = recoveries(counted, steady, evidence.endpoints, by_pair)
    causes = causes_of(evidence.errors, evidence.faults)
    stale, changed, transitions = lease_violations(evidence.transitions)
    order = order_kept(
        evidence.publishes,
        evidence.routes,
        by_pair,
        given_up(evidence.deliveries),
        {row.pair: row.sequence for row in evidence.deliveries if row.sequence is not None},
    )
    received = receipt_faults(history)
    signatures = signature_faults(evidence.signed, evidence.secrets, disturbed(evidence.faults))
    violations: dict[str, list[str]] = {
        **delivery_faults(history, by_pair),
        **received,
        **signatures,
        "unverified": received["unverified"] + signatures["unverified"],
        "partial_fan_outs": partial_fan_outs(history),
        "unexplained_duplicates": unexplained(repeated, evidence.faults, replays),
        "unrecorded_attempts": _unrecorded(by_pair, rows),
        "ordering_inversions": list(order.inversions),
        "ordering_gaps": list(order.gaps),
        "replays_lost": replays_lost(
            evidence.tasks,
            evidence.stored_tasks,
            evidence.deliveries,
            by_pair,
            {message.id: message.event_name for message in evidence.messages},
        ),
        "tasks_stuck": tasks_stuck(evidence.stored_tasks),
        "held_lost": held_lost(
            evidence.publishes, evidence.closing, evidence.routes, rows, by_pair
        ),
        "stale_completions": stale,
        "terminal_changed": changed,
        "errors_by_redis": causes["redis"],
        "errors_unexplained": causes["nothing"],
        "errors_malformed": [
            error_text(error)
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
        duplicates=len(repeated) - sum(replays.values()),
        transitions=transitions,
        errors={cause: len(cases) for cause, cases in causes.items()},
        recoveries=tuple(found),
        counted=counted,
        idle=tuple(fault for fault in evidence.faults if not fault.counts),
        violations={name: tuple(violations[name]) for name in VIOLATIONS if violations[name]},
        ordered=order.judged,
        replays=sum(replays.values()),
        tasks=len(evidence.stored_tasks),
        for_closing=sum(row.pair[0] in evidence.closing for row in evidence.deliveries),
    )


def _history(evidence: Evidence) -> History:
    given_up_at_last = {
        row.pair
        for row in evidence.deliveries
        if row.pair[0] in evidence.closing and row.status == "dead_letter"
    }
    return History(
        tuple(evidence.endpoints),
        evidence.publishes,
        evidence.receipts,
        (),
        evidence.messages,
        evidence.routes,
        frozenset(given_up_at_last),
    )


def _is_steady(publish: Publish, evidence: Evidence) -> bool:
    meant_for = evidence.routes.get(publish.event_name, evidence.endpoints)
    return set(evidence.endpoints) <= set(meant_for)


def _rows_by_pair(rows: Iterable[StoredDelivery]) -> dict[Pair, list[StoredDelivery]]:
    by_pair: dict[Pair, list[StoredDelivery]] = defaultdict(list)
    for row in rows:
        by_pair[row.pair].append(row)
    return by_pair


def _replays(rows: Iterable[StoredDelivery]) -> Counter[Pair]:
    """How often each pair's receiver was to get the message again."""
    return Counter(row.pair for row in rows if row.replay_of is not None)


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


def _unrecorded(
    by_pair: Mapping[Pair, Sequence[Receipt]], rows: Mapping[Pair, Sequence[StoredDelivery]]
) -> list[str]:
    found: list[str] = []
    for pair, receipts in by_pair.items():
        recorded = sum(row.attempts for row in rows.get(pair, ()))
        if rows and len(receipts) > recorded:
            found.append(f"{pair[1]} at {pair[0]}: {len(receipts)} received, {recorded} recorded")
    return found
