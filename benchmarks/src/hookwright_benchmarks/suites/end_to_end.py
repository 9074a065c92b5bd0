"""From the published event to the receiver, all on this machine: rates, loss, latency, cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from hookwright_benchmarks.results import Row, Target, at_least, at_most
from hookwright_benchmarks.rig import limit
from hookwright_benchmarks.rig.server import Embedded
from hookwright_benchmarks.rig.stand import Stand, Trial, percentile, stand
from hookwright_benchmarks.suites.plan import Plan

_PROBE_CONNECTIONS = 32
_STEP, _LEAST_RATE = 0.9, 20.0
_SOON_MS = 1_000.0
_PAYLOADS = (500, 7_000)

PROCESS_KINDS: Mapping[str, Sequence[str]] = {
    "embedded": ("door", "api", "worker"),
    "production": ("door", "api", "worker", "postgres", "redis"),
}
"""Whose CPU is counted; `door` is the parent, which relays."""
_STORAGE = (
    "At 300 messages/s with 500 B; rows, indexes and full-page images since the last checkpoint."
)

Found = defaultdict[str, list[float]]


def throughput(plan: Plan) -> Iterator[Row]:
    """The highest constant rate of arrival that the server keeps up with.

    In the production form the embedded one takes turns with it.
    """
    found: Found = defaultdict(list)
    with ExitStack() as stack:
        bench = stack.enter_context(stand(plan.server(), plan.fresh_folder()))
        other: Stand | None = None
        if plan.is_production:
            embedded = Embedded(plan.fresh_folder())
            other = stack.enter_context(stand(embedded, plan.fresh_folder()))
        for each in (bench, other):
            if each is not None:
                each.publish(rate=50, seconds=plan.of(2.0, 0.5), payload_bytes=500)
        for run in range(plan.runs):
            wrk = limit.requests_per_second(bench.sink_port, plan.of(3, 1), plan.folder)
            found["wrk"].append(wrk)
            for payload in _PAYLOADS:
                plan.say(f"throughput: run {run + 1} of {plan.runs}, payload {payload} bytes")
                trial = _sustained(bench, plan, payload)
                _note(found, payload, trial, wrk)
                if payload == _PAYLOADS[0] and other is not None:
                    plan.say(f"throughput: run {run + 1} of {plan.runs}, embedded for comparison")
                    rate = _sustained(other, plan, payload).delivered_per_s
                    found["embedded"].append(rate)
                    found["forms"].append(rate / trial.delivered_per_s)
        if plan.is_production:
            _note_storage(found, bench, plan)
    return iter(_throughput_rows(plan, found))


def _note_storage(found: Found, bench: Stand, plan: Plan) -> None:
    """What a message adds to Postgres' log and to its files, vacuum and checkpoints left out."""
    place = str(bench.server.place)
    wal, size = plan.postgres.wal_bytes(), plan.postgres.size_bytes(place)
    trial = bench.publish(rate=300, seconds=plan.of(8.0, 0.5), payload_bytes=500)
    for name, grown in (
        ("wal", plan.postgres.wal_bytes() - wal),
        ("disk", plan.postgres.size_bytes(place) - size),
    ):
        found[name].append(grown / max(1, trial.accepted) / 1000)


def _sustained(bench: Stand, plan: Plan, payload: int) -> Trial:
    """The trial at the highest rate that is kept up with, searched both ways from a probe.

    The closed loop of the probe only says where to begin: its 32 connections are no limit.
    """
    probe = bench.publish(
        rate=0,
        seconds=plan.of(2.0, 0.5),
        payload_bytes=payload,
        connections=_PROBE_CONNECTIONS,
    )

    def at(rate: float) -> Trial:
        trial = bench.publish(rate=rate, seconds=plan.of(5.0, 1.0), payload_bytes=payload)
        verdict = "kept up" if _kept_up(trial) else "too fast"
        plan.say(f"throughput: {rate:,.0f}/s, {verdict}")
        return trial

    rate = probe.accepted_per_s
    best = at(rate)
    if plan.quick:
        return best
    while not _kept_up(best) and rate > _LEAST_RATE:
        rate *= _STEP
        best = at(rate)
        if _kept_up(best):
            return best
    if not _kept_up(best):
        return best  # it shows in what was received and how late
    while _kept_up(higher := at(rate := rate / _STEP)):
        best = higher
    return best


def _kept_up(trial: Trial) -> bool:
    """All accepted and delivered, and no queue grew: neither of requests nor of deliveries."""
    return (
        trial.accepted == trial.sent
        and trial.received == trial.wanted
        and trial.late_ms <= _SOON_MS
        and percentile(trial.answer_ms, 0.99) <= _SOON_MS
    )


def _note(found: Found, payload: int, trial: Trial, wrk: float) -> None:
    values = {
        "accepted": trial.accepted_per_s,
        "received": 100 * trial.received_share,
        "duplicates": trial.duplicates,
        "not genuine": trial.not_genuine,
        "share": trial.delivered_per_s / wrk,
        "answer p50": percentile(trial.answer_ms, 0.5),
        "answer p99": percentile(trial.answer_ms, 0.99),
        "arrival p50": percentile(trial.arrival_ms, 0.5),
        "arrival p99": percentile(trial.arrival_ms, 0.99),
        **trial.micros_per_message,
    }
    for name, value in values.items():
        found[f"{payload} {name}"].append(value)


def _throughput_rows(plan: Plan, found: Found) -> Iterator[Row]:
    def row(key: str, promise: str, unit: str, target: Target | None = None, note: str = "") -> Row:
        return Row("throughput", promise, unit, tuple(found[key]), target, note)

    small, large = _PAYLOADS
    how = (
        "Open loop, 2 endpoints a message, 10 apps, an Idempotency-Key on every request; the "
        "highest rate, in steps of a tenth, at which all is accepted and delivered within a second "
        "and the next step is not."
    )
    yield row(f"{small} accepted", "accepted messages/s, 500 B", "1/s", at_least(700), how)
    yield row(f"{large} accepted", "accepted messages/s, 7 KB", "1/s")
    yield row("wrk", f"limit: {limit.name()} on the same sink", "1/s")
    yield row(
        f"{small} share",
        "deliveries/s ÷ limit on the same sink",
        "ratio",
        at_least(0.06),
        "The sink answers the limit's requests without verifying; deliveries it verifies.",
    )
    yield row(f"{small} received", "received of what was accepted, 500 B", "%", at_least(100))
    yield row(f"{large} received", "received of what was accepted, 7 KB", "%", at_least(100))
    yield row(f"{small} not genuine", "deliveries whose signature is wrong", "", at_most(0))
    yield row(f"{small} duplicates", "duplicates", "")
    for which, what in (("answer", "due → 202"), ("arrival", "202 → received")):
        for part in ("p50", "p99"):
            promise = f"{what} at the sustained rate, {part}"
            yield row(f"{small} {which} {part}", promise, "ms")
    for kind in PROCESS_KINDS[plan.back_end]:
        yield row(f"{small} {kind}", f"CPU of {kind} a message, with 2 deliveries", "µs")
    if plan.is_production:
        yield row("embedded", "deliveries/s of the embedded form in turn with it", "1/s")
        yield row(
            "forms",
            "embedded ÷ production, deliveries/s end to end",
            "ratio",
            at_least(0.7),
            "Both searched in turn on the same machine: 1 `api` process, 1 `worker`.",
        )
        yield row("wal", "log (WAL) a message, with 2 deliveries", "KB", None, _STORAGE)
        yield row("disk", "growth of the database a message, with 2 deliveries", "KB", None)


def latency(plan: Plan) -> Iterator[Row]:
    """How soon a delivery arrives after its 202, at 50 messages a second."""
    found: Found = defaultdict(list)
    with stand(plan.server(), plan.fresh_folder()) as bench:
        bench.publish(rate=50, seconds=plan.of(3.0, 0.5), payload_bytes=500)
        for run in range(plan.runs):
            plan.say(f"latency: run {run + 1} of {plan.runs}")
            trial = bench.publish(rate=50, seconds=plan.of(15.0, 1.0), payload_bytes=500)
            for part, share in (("p50", 0.5), ("p99", 0.99)):
                found[f"arrival {part}"].append(percentile(trial.arrival_ms, share))
                found[f"answer {part}"].append(percentile(trial.answer_ms, share))
    for part, most in (("p50", plan.by_form(1.0, 3.0)), ("p99", plan.by_form(5.0, 20.0))):
        yield Row(
            "latency",
            f"202 → received at 50 messages/s, {part}",
            "ms",
            tuple(found[f"arrival {part}"]),
            at_most(most),
        )
    for part in ("p50", "p99"):
        values = tuple(found[f"answer {part}"])
        yield Row("latency", f"due → 202 at 50 messages/s, {part}", "ms", values)


def api_cost(plan: Plan) -> Iterator[Row]:
    """What accepting costs by itself: messages of an app without endpoints."""
    found: Found = defaultdict(list)
    with stand(plan.server(), plan.fresh_folder()) as bench:
        for run in range(plan.runs):
            plan.say(f"api-cost: run {run + 1} of {plan.runs}")
            for name, keyed in (("keyed", True), ("plain", False)):
                trial = bench.publish(
                    to_nobody=True,
                    rate=0,
                    connections=_PROBE_CONNECTIONS,
                    seconds=plan.of(4.0, 0.5),
                    payload_bytes=500,
                    idempotency_keys=keyed,
                )
                for kind, micros in trial.micros_per_message.items():
                    found[f"{name} {kind}"].append(micros)
    note = "Closed loop, 32 connections, an app without endpoints; all threads of the process."
    for kind in PROCESS_KINDS[plan.back_end]:
        values = tuple(found[f"keyed {kind}"])
        yield Row("api-cost", f"CPU of {kind} an accepted message", "µs", values, None, note)
        note = ""
    yield Row("api-cost", "CPU of api without Idempotency-Key", "µs", tuple(found["plain api"]))
