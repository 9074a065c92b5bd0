"""Ordering: what a key costs an event, and that what waits for others costs nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hookwright_benchmarks.results import Row, at_most
from hookwright_benchmarks.rig import costs, ordered
from hookwright_benchmarks.rig.backlog import Backlog
from hookwright_benchmarks.suites.plan import Plan
from hookwright_benchmarks.suites.turns import medians
from hookwright_benchmarks.suites.writer import drop, noisy_backlog

_MESSAGES = 100
_IN_LANE = 20
_DUE = 20_000


def order(plan: Plan) -> Iterator[Row]:
    """Events with and without a key, then a claim beside a lane in which very many wait."""
    yield from _keys(plan)
    yield from _lane(plan)


def _keys(plan: Plan) -> Iterator[Row]:
    plan.say("order: events without a key, with keys of their own, with one key")
    backlog = Backlog(plan.fresh_place())
    urls = [f"http://127.0.0.1:9/{name}" for name in ("none", "own", "one")]
    none, own, one = backlog.endpoints(urls, max_concurrency=1000)
    work = ordered.Work(backlog, plan.postgres.pid if plan.is_production else 0)
    rounds = plan.of(3, 1)

    def measure(endpoint_id: str, keys: Sequence[str | None]) -> Callable[[], float]:
        return lambda: sum(work.cpu_us(endpoint_id, keys) for _ in range(rounds)) / rounds

    found = medians(
        plan,
        {
            "none": measure(none, [None] * _MESSAGES),
            "own": measure(own, [f"customer {n}" for n in range(_MESSAGES)]),
            "one": measure(one, ["customer"] * _IN_LANE),
        },
    )
    backlog.close()
    drop(plan, backlog.place)
    how = (
        f"{_MESSAGES} messages with one delivery are published side by side; all CPU, the "
        "database's too, of acceptance, claim and record, without HTTP."
    )
    yield Row(
        "order",
        f"CPU a delivery, {_MESSAGES} ordering keys ÷ without a key",
        "ratio",
        _ratios(found["own"], found["none"]),
        None,
        how,
    )
    yield Row(
        "order",
        f"CPU a delivery, {_IN_LANE} deliveries with the same key ÷ without a key",
        "ratio",
        _ratios(found["one"], found["none"]),
        None,
        "These go one at a time: a claim and a record, each a transaction, for each of them, which "
        "the others share.",
    )
    yield Row("order", "CPU a delivery without a key", "µs", tuple(found["none"]))


def _lane(plan: Plan) -> Iterator[Row]:
    many = plan.of(100_000, 2_000)
    plan.say(f"order: writing {many:,} deliveries that wait in a lane")
    free, beside = noisy_backlog(plan, _DUE), noisy_backlog(plan, _DUE)
    short = ordered.block(free, 2)
    long = ordered.block(beside, many)
    found = medians(
        plan,
        {
            "free": lambda: costs.undone_ms(free.database, costs.fair_claim, costs.CLAIM),
            "beside": lambda: costs.undone_ms(beside.database, costs.fair_claim, costs.CLAIM),
            "short": lambda: costs.undone_ms(free.database, short, 1),
            "long": lambda: costs.undone_ms(beside.database, long, 1),
        },
    )
    for each in (free, beside):
        each.close()
        drop(plan, each.place)
    unit = costs.unit_of(shared=plan.is_production)
    yield Row(
        "order",
        f"claim of {costs.CLAIM} while {many:,} wait in a lane ÷ 1",
        "ratio",
        _ratios(found["beside"], found["free"]),
        at_most(1.2),
        f"200 endpoints with {_DUE:,} due; the lane's first waits for its next attempt. In {unit}.",
    )
    yield Row(
        "order",
        f"the first of a lane ends and lets one go: {many:,} wait ÷ 1",
        "ratio",
        _ratios(found["long"], found["short"]),
        at_most(1.5),
        f"In {unit}; undone, so without the commit.",
    )
    yield Row("order", "the first of a lane ends and lets one go", unit, tuple(found["long"]))


def _ratios(some: Sequence[float], others: Sequence[float]) -> tuple[float, ...]:
    return tuple(a / b for a, b in zip(some, others, strict=True))
