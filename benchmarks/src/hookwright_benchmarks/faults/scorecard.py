"""What a campaign found: as JSON, as Markdown, and as a table for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from hookwright_benchmarks.faults.checker import RECOVERY_LIMIT_S, VIOLATIONS, percentile
from hookwright_benchmarks.faults.conductor import Result
from hookwright_benchmarks.faults.record import Fault
from hookwright_benchmarks.results import Machine

_CASES = 10
_OF_RECEIPTS = frozenset(
    {"unexpected", "corrupted", "unverified", "wrong_signers", "unexplained_duplicates"}
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When, where and of what a campaign was run. `left_out`: what could not be done, and why."""

    date: str
    commit: str
    seed: int
    machine: Machine
    versions: Mapping[str, str]
    left_out: Sequence[str] = ()


def document(results: Sequence[Result], about: Circumstances) -> dict[str, Any]:
    """Everything that was found; each zero with the 95 % upper bound 3/N of its rate."""
    return {
        "sound": all(result.sound for result in results),
        "date": about.date,
        "commit": about.commit,
        "seed": about.seed,
        "machine": asdict(about.machine),
        "versions": dict(about.versions),
        "left_out": list(about.left_out),
        "total": _figures(results),
        "recovery_limit_seconds": RECOVERY_LIMIT_S,
        "stages": {result.plan.name: _stage(result) for result in results},
    }


def markdown(told: Mapping[str, Any]) -> str:
    """The document as a page."""
    return "\n".join(_page(told)) + "\n"


def show(told: Mapping[str, Any], console: Console) -> None:
    """The document as tables on a terminal."""
    total = told["total"]
    summary = Table(title="Fault campaign", show_header=False)
    for name, value in _summary_rows(total):
        summary.add_row(name, value)
    console.print(summary)
    recovery = Table("after a fault of", "times", "p50 s", "p99 s", "max s", title="Recovery")
    for row in _recovery_rows(total):
        recovery.add_row(*row)
    console.print(recovery)
    for text in _wrongs(told):
        console.print(text, style="red", markup=False)
    console.print("All is well." if told["sound"] else "Something is wrong; see above.")


def fault_log(result: Result) -> Iterator[dict[str, Any]]:
    """Every fault that counted, with its times; for examining a campaign by hand."""
    for each in result.verdict.recoveries:
        fault = each.fault
        yield {
            "fault": f"{fault.target}: {fault.kind}",
            "began": round(fault.began, 3),
            "recovers_from": round(fault.recovers_from, 3),
            "ended": round(fault.ended, 3),
            "unsettled": fault.unsettled,
            "requests_open": fault.requests_open,
            "since_last_s": each.since_last_s,
            "through_all_s": each.through_all_s,
        }


def _stage(result: Result) -> dict[str, Any]:
    violations = result.verdict.violations
    return {
        **_figures([result]),
        "sound": result.sound,
        "exit_codes": dict(result.exit_codes),
        "refused": dict(result.refused),
        "delivery_statuses": dict(result.statuses),
        "wall_seconds": round(result.wall_s, 1),
        "messages_per_second": result.plan.per_second,
        "idle_faults": [f"{fault.target}: {fault.kind}" for fault in result.verdict.idle],
        "cases": {name: list(cases[:_CASES]) for name, cases in violations.items()},
    }


def _figures(results: Sequence[Result]) -> dict[str, Any]:
    verdicts = [result.verdict for result in results]
    return {
        "events": _summed(verdict.outcomes for verdict in verdicts),
        "unknown_but_delivered": sum(verdict.recovered_unknown for verdict in verdicts),
        "sent_again_by_publisher": sum(result.sent_again for result in results),
        "deliveries": sum(sum(result.statuses.values()) for result in results),
        "receipts": sum(verdict.receipts for verdict in verdicts),
        "transitions": sum(verdict.transitions for verdict in verdicts),
        "ordered_deliveries": sum(verdict.ordered for verdict in verdicts),
        "replay_tasks": sum(verdict.tasks for verdict in verdicts),
        "replays": sum(verdict.replays for verdict in verdicts),
        "secret_rotations": sum(result.steered.rotations for result in results),
        "automatic_disables": _summed(result.steered.disabled for result in results),
        "deliveries_to_closing_endpoints": sum(verdict.for_closing for verdict in verdicts),
        "faults": sum(len(verdict.counted) for verdict in verdicts),
        "faults_by_kind": dict(sorted(_summed(result.by_kind for result in results).items())),
        "idle_faults_not_counted": sum(len(verdict.idle) for verdict in verdicts),
        "in_flight_at_faults": {
            "deliveries": sum(f.unsettled for verdict in verdicts for f in verdict.counted),
            "requests": sum(f.requests_open for verdict in verdicts for f in verdict.counted),
        },
        "duplicates": sum(verdict.duplicates for verdict in verdicts),
        "api_5xx_by_cause": _summed(verdict.errors for verdict in verdicts),
        "violations": {name: _violation(results, name) for name in VIOLATIONS},
        "recovery_seconds": _recovery(results),
    }


def _violation(results: Sequence[Result], name: str) -> dict[str, Any]:
    count = sum(len(result.verdict.violations.get(name, ())) for result in results)
    trials = sum(_trials(result, name) for result in results)
    bound = 3 / trials if count == 0 and trials else None
    return {"count": count, "of": trials, "upper_bound_95": bound}


def _trials(result: Result, name: str) -> int:
    """Of how many these would be."""
    verdict = result.verdict
    deliveries = sum(result.statuses.values())
    if name in ("not_recovered", "late_recoveries"):
        return len(verdict.counted)
    if name in _OF_RECEIPTS:
        return verdict.receipts
    if name in ("ordering_inversions", "ordering_gaps"):
        return verdict.ordered
    if name in ("replays_lost", "tasks_stuck", "held_lost"):
        return {
            "replays_lost": verdict.replays,
            "tasks_stuck": verdict.tasks,
            "held_lost": verdict.for_closing,
        }[name]
    if name in ("stale_completions", "terminal_changed"):
        return verdict.transitions
    if name in ("errors_by_redis", "errors_unexplained", "errors_malformed"):
        return sum(verdict.outcomes.values()) + result.sent_again + result.calls
    if name in ("forgotten", "accepted_twice", "partial_fan_outs", "lost"):
        return verdict.outcomes["ok"]
    return deliveries


def _recovery(results: Sequence[Result]) -> dict[str, Any]:
    """Of all faults, and by the part that was hit."""
    found = [each for result in results for each in result.verdict.recoveries]
    groups: dict[str, list[float]] = {}
    for each in found:
        if each.since_last_s is not None:
            groups.setdefault(_part(each.fault), []).append(each.since_last_s)
    return {
        "all": _spread(each.since_last_s for each in found),
        "through_further_faults": _spread(each.through_all_s for each in found),
        "by_part": {group: _spread(times) for group, times in sorted(groups.items())},
    }


def _part(fault: Fault) -> str:
    if fault.target == "serve":
        return "serve, the embedded form"
    part = "".join(fault.touches) or "clock"
    return f"link to {part}" if fault.kind.startswith("link") else part


def _spread(times: Iterable[float | None]) -> dict[str, float] | None:
    ordered = sorted(each for each in times if each is not None)
    if not ordered:
        return None
    return {
        "count": len(ordered),
        "p50": round(percentile(ordered, 0.5), 2),
        "p99": round(percentile(ordered, 0.99), 2),
        "max": round(ordered[-1], 2),
    }


def _summed(counts: Iterable[Mapping[Any, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _summary_rows(total: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    events = total["events"]
    yield "events acknowledged", f"{events.get('ok', 0):,}"
    yield (
        "events without an answer",
        f"{events.get('unknown', 0):,}; {total['unknown_but_delivered']:,} of them were delivered",
    )
    yield "deliveries, receipts", f"{total['deliveries']:,}, {total['receipts']:,}"
    yield "faults with work in flight", f"{total['faults']:,}"
    in_flight = total["in_flight_at_faults"]
    yield (
        "in flight at these",
        f"{in_flight['deliveries']:,} deliveries, {in_flight['requests']:,} requests",
    )
    yield "duplicates, all at faults", f"{total['duplicates']:,}"
    yield "deliveries that had to keep an order", f"{total['ordered_deliveries']:,}"
    yield "replays, by how many tasks", f"{total['replays']:,}, {total['replay_tasks']:,}"
    yield "secrets rotated, each with an overlap", f"{total['secret_rotations']:,}"
    disables = total["automatic_disables"]
    yield (
        "endpoints disabled by the server, and enabled again",
        f"{sum(disables.values()):,}"
        + "".join(f"; {count:,} `{reason}`" for reason, count in sorted(disables.items())),
    )
    for name, meaning in VIOLATIONS.items():
        yield f"{name.replace('_', ' ')}: {meaning}", _zero(total["violations"][name])
    causes = total["api_5xx_by_cause"]
    yield "API 5xx by cause", ", ".join(f"{cause} {count:,}" for cause, count in causes.items())


def _zero(violation: Mapping[str, Any]) -> str:
    if violation["upper_bound_95"] is None:
        return f"{violation['count']:,}"
    return f"0 of {violation['of']:,} (95 %: below {violation['upper_bound_95']:.1e})"


def _recovery_rows(total: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    recovery = total["recovery_seconds"]
    named = [
        ("any part", recovery["all"]),
        ("any part, through all further faults", recovery["through_further_faults"]),
        *recovery["by_part"].items(),
    ]
    for name, spread in named:
        if spread is not None:
            figures = (f"{spread[key]:.2f}" for key in ("p50", "p99", "max"))
            yield (name, f"{spread['count']:,}", *figures)


def _wrongs(told: Mapping[str, Any]) -> Iterator[str]:
    for name, stage in told["stages"].items():
        for violation, cases in stage["cases"].items():
            yield f"{name}, {violation}: {VIOLATIONS[violation]}"
            yield from (f"    {case}" for case in cases)
        for program, code in stage["exit_codes"].items():
            if code:
                yield f"{name}: {program} ended with {code} after SIGTERM"


def _page(told: Mapping[str, Any]) -> Iterator[str]:
    total = told["total"]
    machine = told["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    yield "# Faults: what was lost"
    yield ""
    yield (
        "Written by `make faults` (with the JSON beside it); edit neither. Real processes on one"
        " machine: two `api`, two `worker`, Postgres, Redis, verifying receivers, an open load,"
        " and a disturbable link between every two of them. Meanwhile secrets are rotated, replay"
        " tasks run, some events have an ordering key, and some endpoints fail until the server"
        " disables them. Then the same with a disk that fills up, and the embedded form. How the"
        " figures come about stands below."
    )
    yield ""
    yield f"- Run on {told['date']} at commit {told['commit']}, seed {told['seed']}."
    yield (
        f"- Machine: {machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_gib']} GiB, {machine['system']}."
    )
    yield f"- Versions: {versions}."
    yield from (f"- Left out: {text}." for text in told["left_out"])
    yield ""
    yield "|  |  |"
    yield "|---|---|"
    yield from (f"| {name} | {value} |" for name, value in _summary_rows(total))
    yield ""
    yield from _sections(told)
    yield "## How it was measured"
    yield ""
    yield _NOTES.rstrip()


def _sections(told: Mapping[str, Any]) -> Iterator[str]:
    yield "## Recovery, seconds"
    yield ""
    yield "| after a fault of | times | p50 | p99 | max |"
    yield "|---|---|---|---|---|"
    yield from (f"| {' | '.join(row)} |" for row in _recovery_rows(told["total"]))
    yield ""
    yield "## Stages"
    yield ""
    yield "| stage | events acknowledged | faults | duplicates | messages/s due | seconds |"
    yield "|---|---|---|---|---|---|"
    for name, stage in told["stages"].items():
        yield (
            f"| {name} | {stage['events'].get('ok', 0):,} | {stage['faults']:,}"
            f" | {stage['duplicates']:,} | {stage['messages_per_second']:g}"
            f" | {stage['wall_seconds']:,.0f} |"
        )
    yield ""
    yield "## Faults by kind"
    yield ""
    yield "| target: fault | times |"
    yield "|---|---|"
    kinds = told["total"]["faults_by_kind"].items()
    yield from (f"| {kind} | {count} |" for kind, count in kinds)
    yield ""
    wrongs = list(_wrongs(told))
    if wrongs:
        yield from ("## What was wrong", "", "```", *wrongs, "```", "")


_NOTES = """\
- An event counts as lost when it was answered 202 and an endpoint never received it. What got
  no answer is sent again under the same idempotency key, as the SDK does it; 3 % never are, and
  stay unknown.
- A fault counts only when deliveries or requests were in flight when it began.
- Recovery counts from the kill, or from the end of a fault that lasts, until everything
  accepted before has been delivered and something published later as well. When another fault
  that can stop deliveries comes before that, the clock restarts with it; the second row does
  not restart it.
- Bounds: no case in N trials keeps the rate below 3/N with 95 % confidence.
- A duplicate is a receipt after the receiver had said 2xx. It is explained only by a fault of a
  worker, Postgres or the way to the receiver that was felt before the answer could be written
  down; always with the same `webhook-id` and an attempt row of its own.
- Order: each key's events are published one after another, the next once the last was
  accepted, so the order is known without asking the server. A receiver that fails every tenth
  time, and one that is disabled now and then, get them. An inversion: the first request of an
  event came before the receiver had said 2xx to an earlier one that it said 2xx to in the end. A
  gap: an event was delivered, and an earlier one never was, nor did it fail or end otherwise.
- Replay tasks run all the time, by ids and by ranges; some are cancelled. Each must end, its
  figures must be those of the rows that it made, what had ended before must not be left out or
  replayed twice, and each replay must have been received. A replay explains one more 2xx.
- Each of the five endpoints' secrets is rotated every 12 s or so, with an overlap of 25 s. Each
  receipt must be signed with a secret that was valid in the second that its `webhook-timestamp`
  names. It must also be signed with every secret that the receiver had been shown before, and with
  none that had ended: to 5 s, or to 20 s where a process may have stood still between the claim,
  which reads the secrets, and the signature.
- Two endpoints refuse everything until the server disables them, one with 410, one with 503 to
  20 dead letters in a row; a little later their receiver is mended and they are enabled. Each
  event for them must have been received, or stand as `failed` after an answer that was none of
  2xx, or as a dead letter.
- Stale completions and changes of finished deliveries are read from a trail that a trigger
  writes: each process has a database user of its own, so each change of status names who made
  it.
- 5xx caused by Redis: while no fault of Postgres or the API is felt. The first fifth of the
  faults disturbs nothing but Redis, so there every 5xx would be one. A fault of a worker explains
  none of publishing and reading: what it holds when it stops (the last place of an order) is
  waited for, by the next event of that order alone, until Postgres ends its transaction. It
  explains that a change of an endpoint, whose row it may hold, is asked to come again.
- Recovery grows with the load, since what piles up in an outage is worked off beside what goes
  on: on two cores a campaign of 100 events a second lost nothing either, but its recoveries had a
  p99 of 15.6 s, and the API answered 503 for longer after outages than is allowed for here.
- Half-open: the bytes of one direction vanish, and a connection that lost some stays mute for
  ever. Blackhole: both directions; at the end such connections are reset. Slice: 10 to 100 KB a
  second in small pieces.
- Clock jumps: the wall clock of one process goes an hour or a day ahead or back and returns,
  through a preloaded library that answers `clock_gettime(CLOCK_REALTIME)`, `gettimeofday` and
  `time`; monotonic clocks go on.
- Disk full: Postgres' and SQLite's files lie on a small tmpfs, which is filled to the last
  byte. A tmpfs makes nothing durable against a loss of power; that is not what is tested.
- Processes that die are started again after 0.2 s, as a service manager does it.
"""
