"""How cost grows: with endpoints, with the backlog, with history, and with processes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from hookwright_benchmarks.results import Row, at_most
from hookwright_benchmarks.rig import bulk, costs
from hookwright_benchmarks.rig.backlog import ACCOUNT, Backlog
from hookwright_benchmarks.rig.stand import Trial, stand
from hookwright_benchmarks.suites.plan import Plan
from hookwright_benchmarks.suites.reads import reads
from hookwright_benchmarks.suites.turns import medians, row
from hookwright_benchmarks.suites.writer import drop, noisy_backlog, store
from hookwright_server.store.deliveries import DeliveryFilter

ENDPOINTS = (10, 100, 1_000, 10_000)
BACKLOGS = (10_000, 100_000, 1_000_000)
PROCESSES = ((1, 1), (2, 1), (1, 2), (2, 2))
_HISTORY = {"embedded": 1_000_000, "production": 10_000_000}
_PENDING_BESIDE = 1_000_000
_SMALL = 10_000
_CONNECTIONS = 32
_NO_URL = "http://127.0.0.1:9/"


def scale(plan: Plan) -> Iterator[Row]:
    """Everything; `processes` in the production form only."""
    yield from _endpoints(plan)
    yield from _backlog(plan)
    yield from _history(plan)
    yield from reads(plan)
    if plan.is_production:
        yield from _processes(plan)


def _endpoints(plan: Plan) -> Iterator[Row]:
    unit = costs.unit_of(shared=plan.is_production)
    for count in plan.of(ENDPOINTS, ENDPOINTS[:2]):
        plan.say(f"scale: {count:,} endpoints with due deliveries")
        backlog = Backlog(plan.fresh_place())
        ids = backlog.endpoints([_NO_URL] * count, max_concurrency=100)
        created = time.time_ns() // 1_000_000 - 3_600_000
        due = max(20_000, 4 * count)
        owner = (ACCOUNT, "test", backlog.app_id)
        bulk.fill(backlog.place, [bulk.Batch(*owner, ids, due, created)])
        costs.begin_session(backlog.database)
        look = partial(costs.undone_ms, backlog.database, costs.look)
        claim = partial(costs.undone_ms, backlog.database, costs.fair_claim)
        found = medians(plan, {"look": look, "claim": claim})
        backlog.close()
        drop(plan, backlog.place)
        yield row(plan, f"finding who waits, {count:,} endpoints", unit, found["look"])
        yield row(plan, f"claim of 500 at most, {count:,} endpoints", unit, found["claim"])


def _backlog(plan: Plan) -> Iterator[Row]:
    unit = costs.unit_of(shared=plan.is_production)
    for rows in plan.of(BACKLOGS, BACKLOGS[:1]):
        plan.say(f"scale: {rows:,} pending deliveries")
        backlog = noisy_backlog(plan, rows)
        claim = partial(costs.undone_ms, backlog.database, costs.fair_claim, costs.CLAIM)
        found = medians(plan, {"claim": claim})
        backlog.close()
        drop(plan, backlog.place)
        yield row(plan, f"claim of 500, {rows:,} pending", unit, found["claim"])


@dataclass(frozen=True, slots=True)
class _Past:
    """A database with a history: who gets new deliveries, and an id in the middle."""

    backlog: Backlog
    busy: list[str]
    spare: list[str]
    middle: str


def _with_history(plan: Plan, finished: int, pending: int) -> _Past:
    backlog = Backlog(plan.fresh_place())
    busy = backlog.endpoints([_NO_URL] * 200)
    spare = backlog.endpoints([_NO_URL] * 2, max_concurrency=1_000)
    long_ago = time.time_ns() // 1_000_000 - 20 * 86_400_000
    owner = (ACCOUNT, "test", backlog.app_id)
    bulk.fill(
        backlog.place,
        [
            bulk.Batch(*owner, busy, finished, long_ago, fan_out=2, pending=False),
            bulk.Batch(*owner, busy, pending, long_ago + finished // 100, first=finished),
        ],
    )
    costs.begin_session(backlog.database)
    return _Past(backlog, busy, spare, bulk.delivery_id(long_ago, finished // 2))


def _history(plan: Plan) -> Iterator[Row]:
    finished = plan.of(_HISTORY[plan.back_end], 20_000)
    beside = plan.of(_PENDING_BESIDE, 5_000)
    plan.say(f"scale: writing {finished:,} finished and {beside:,} pending deliveries")
    began = time.monotonic()
    large = _with_history(plan, finished, beside)
    plan.say(f"scale: written in {time.monotonic() - began:.0f} s")
    small = _with_history(plan, _SMALL, _SMALL)
    empty, empty_ids = store(plan)
    costs.begin_session(empty.database)

    def both(work: Callable[[_Past], float], name: str) -> dict[str, Callable[[], float]]:
        return {f"{name} large": lambda: work(large), f"{name} small": lambda: work(small)}

    measures = {
        "insert large": lambda: costs.insert_ms(large.backlog, large.spare),
        "insert small": lambda: costs.insert_ms(empty, empty_ids),
        **both(_claim_ms, "claim"),
        **both(lambda past: costs.settle_ms(past.backlog, past.spare), "settle"),
        **both(lambda past: _page_ms(past, DeliveryFilter()), "page"),
        **both(lambda past: _page_ms(past, DeliveryFilter(endpoint_id=past.busy[7])), "endpoint"),
        **both(lambda past: _page_ms(past, DeliveryFilter(), past.middle), "middle"),
    }
    found = medians(plan, measures)
    for each in (large.backlog, small.backlog, empty):
        each.close()
        drop(plan, each.place)
    rows = finished + beside
    yield from _history_rows(plan, found, rows)


def _claim_ms(past: _Past) -> float:
    return costs.undone_ms(past.backlog.database, costs.fair_claim, costs.CLAIM)


def _page_ms(past: _Past, wanted: DeliveryFilter, before: str | None = None) -> float:
    return costs.page_ms(past.backlog.database, wanted, before)


def _history_rows(plan: Plan, found: Mapping[str, list[float]], rows: int) -> Iterator[Row]:
    unit = costs.unit_of(shared=plan.is_production)
    against = f"at {rows:,} deliveries ÷ at {2 * _SMALL:,}"
    for name, promise, target in (
        (
            "insert",
            f"insert of 100 messages with 2 deliveries at {rows:,} deliveries ÷ empty",
            at_most(1.3),
        ),
        ("claim", f"claim of 500 {against}", None),
        ("settle", f"results of 100 {against}", None),
        ("page", f"page of 50 deliveries {against}", at_most(2)),
        ("endpoint", f"page of 50 of one endpoint {against}", at_most(2)),
        ("middle", f"page of 50 from the middle {against}", at_most(2)),
    ):
        large, small = found[f"{name} large"], found[f"{name} small"]
        ratios = [a / b for a, b in zip(large, small, strict=True)]
        yield row(plan, promise, "ratio", ratios, target)
        yield row(plan, f"the larger of these: {name}", unit, large)


def _processes(plan: Plan) -> Iterator[Row]:
    trials: defaultdict[tuple[int, int], list[Trial]] = defaultdict(list)
    wal: list[float] = []
    for run in range(plan.runs):
        for processes, workers in PROCESSES:
            plan.say(
                f"scale: run {run + 1} of {plan.runs}, {processes} API processes, {workers} workers"
            )
            server = plan.production(processes=processes, workers=workers)
            with stand(server, plan.fresh_folder()) as bench:
                bench.publish(rate=100, seconds=plan.of(1.0, 0.3), payload_bytes=500)
                before = plan.postgres.wal_bytes()
                trial = bench.publish(
                    rate=0,
                    connections=_CONNECTIONS,
                    seconds=plan.of(4.0, 0.5),
                    payload_bytes=500,
                )
                written = plan.postgres.wal_bytes() - before
            trials[processes, workers].append(trial)
            if (processes, workers) == PROCESSES[0]:
                wal.append(written / max(1, trial.accepted) / 1000)
    for (processes, workers), made in trials.items():
        form = f"{processes} API, {workers} worker"
        yield row(plan, f"{form}: accepted", "1/s", [each.accepted_per_s for each in made])
        yield row(plan, f"{form}: delivered", "1/s", [each.delivered_per_s for each in made])
        for kind in made[0].cost.by_kind:
            values = [each.micros_per_message[kind] for each in made]
            yield row(plan, f"{form}: CPU of {kind} a message", "µs", values)
    yield row(plan, "log (WAL) a message, with 2 deliveries", "KB", wal)
