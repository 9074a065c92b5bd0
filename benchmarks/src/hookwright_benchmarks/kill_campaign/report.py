"""A campaign's result, for programs and for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hookwright_benchmarks.kill_campaign.campaign import RESUME_LIMIT_S, Result
from hookwright_benchmarks.kill_campaign.history import FAULTS

_MEANINGS = {
    "lost": "answered 202, not received by every endpoint",
    "stranded": "stored, not received by every endpoint",
    "forgotten": "answered 202, not stored",
    "unexpected": "received, never published or refused",
    "corrupted": "received with another payload",
    "unverified": "received with a bad signature",
    "accepted_twice": "one idempotency key, several messages",
    "partial_fan_outs": "not the delivery rows that were promised",
    "unexplained_duplicates": "received again without a kill in between",
    "inversions": "received after a later one of its ordering key",
    "not_resumed": "cut off by a kill, never sent again",
    "not_marked": "cut off by a kill, no attempt says `interrupted`",
}


def document(result: Result) -> dict[str, Any]:
    """Everything that was found; each zero with the 95 % upper bound 3/N of its rate."""
    verdict, messages = result.verdict, _messages(result)
    return {
        "sound": result.sound,
        "seed": result.plan.seed,
        "kills": {"counted": result.plan.kills, "by_kind": dict(result.kills)},
        "publishes": dict(verdict.publishes),
        "messages": messages,
        "receipts": verdict.receipts,
        "recovered": verdict.recovered,
        "duplicates": verdict.duplicates,
        "faults": {
            kind: {
                "count": len(verdict.faults.get(kind, ())),
                "upper_bound_95": _bound(len(verdict.faults.get(kind, ())), _trials(result, kind)),
                "cases": list(verdict.faults.get(kind, ()))[:10],
            }
            for kind in FAULTS
        },
        "idle_kills": list(verdict.idle_kills),
        "in_flight_at_kills": verdict.in_flight,
        "resumed_after_seconds": _spread(verdict.resumed_after_s),
        "waited_through_further_kills_seconds": _spread(verdict.waited_s),
        "resume_limit_seconds": RESUME_LIMIT_S,
        "restart_seconds": _spread(result.restart_s),
        "delivery_statuses": dict(result.statuses),
        "exit_code_after_sigterm": result.exit_code,
        "doctor": {"exit_code": result.doctor_code, "findings": result.doctor.get("findings")},
        "wall_seconds": round(result.wall_s, 1),
    }


def lines(result: Result) -> Iterator[str]:
    """The same, to read."""
    told = document(result)
    kinds = ", ".join(f"{count} {kind}" for kind, count in told["kills"]["by_kind"].items())
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in told["publishes"].items())
    yield f"kills          {told['kills']['counted']} with work in flight (all: {kinds})"
    yield f"publishes      {outcomes}; {told['recovered']} of the unknown were delivered"
    yield f"messages       {told['messages']} stored, {told['receipts']} receipts"
    yield f"duplicates     {told['duplicates']}, each after a kill and with the same webhook-id"
    yield f"in flight      {told['in_flight_at_kills']} deliveries were cut off"
    yield f"sent again     {_spread_text(told['resumed_after_seconds'])} after the kill"
    waited = told["waited_through_further_kills_seconds"]
    yield f"               {_spread_text(waited)} when further kills came first"
    yield f"restart        {_spread_text(told['restart_seconds'])}"
    yield f"SIGTERM        exit code {told['exit_code_after_sigterm']}"
    yield f"doctor         exit code {told['doctor']['exit_code']}"
    yield f"seed, time     {told['seed']}, {told['wall_seconds']} s"
    yield ""
    for kind, fault in told["faults"].items():
        bound = "" if fault["count"] else f"(95 %: below {fault['upper_bound_95']:.2g})"
        yield f"{kind:<23} {fault['count']:>6}  {bound:<22} {_MEANINGS[kind]}"
        yield from (f"    {case}" for case in fault["cases"])
    yield from (f"kill without work in flight: {kill}" for kill in told["idle_kills"])
    yield ""
    yield "All is well." if told["sound"] else "Something is wrong; see above."


def _messages(result: Result) -> int:
    endpoints = len(result.plan.behaviours)
    return sum(result.statuses.values()) // endpoints


def _trials(result: Result, kind: str) -> int:
    """Of how many the faults would be: deliveries cut off, receipts, deliveries or messages."""
    verdict = result.verdict
    if kind in ("not_resumed", "not_marked"):
        return verdict.in_flight
    if kind in ("unexpected", "corrupted", "unverified", "unexplained_duplicates", "inversions"):
        return verdict.receipts
    if kind == "lost":
        return verdict.publishes["ok"] * len(result.plan.behaviours)
    return _messages(result)


def _bound(count: int, trials: int) -> float | None:
    """The rule of three: no case in N trials keeps the rate below 3/N with 95 % confidence."""
    return 3 / trials if count == 0 and trials else None


def _spread(ordered: Sequence[float]) -> dict[str, float] | None:
    if not ordered:
        return None
    return {
        "p50": round(ordered[len(ordered) // 2], 3),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
        "max": round(ordered[-1], 3),
    }


def _spread_text(spread: dict[str, float] | None) -> str:
    if spread is None:
        return "never"
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in spread.items())
