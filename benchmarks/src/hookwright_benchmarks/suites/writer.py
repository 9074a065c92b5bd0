"""The store alone: group commit, and the claim when one endpoint has a million pending."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

from hookwright_benchmarks.results import Row, at_least, at_most
from hookwright_benchmarks.rig import bulk, costs
from hookwright_benchmarks.rig.backlog import ACCOUNT, Backlog
from hookwright_benchmarks.rig.server import Place
from hookwright_benchmarks.suites.plan import Plan
from hookwright_server.store.opening import OpenDatabase, open_database
from hookwright_server.store.writer import WriterLimits

_THREADS = 64
_ENDPOINTS = 200
_NOISY = 0.9


def group_commit(plan: Plan) -> Iterator[Row]:
    """Accepted messages a second with and without grouping, at equal durability."""
    grouped, single = store(plan), store(plan, WriterLimits(group=1))
    rates: dict[str, list[float]] = {"grouped": [], "single": []}
    for run in range(plan.runs):
        plan.say(f"group-commit: run {run + 1} of {plan.runs}")
        rates["single"].append(_accepted_per_s(single, plan.of(4.0, 0.3)))
        rates["grouped"].append(_accepted_per_s(grouped, plan.of(4.0, 0.3)))
    for each, _ in (grouped, single):
        each.close()
        drop(plan, each.place)
    ratios = tuple(a / b for a, b in zip(rates["grouped"], rates["single"], strict=True))
    yield Row(
        "group-commit",
        "writer alone, accepts/s: group commit ÷ one transaction each",
        "ratio",
        ratios,
        at_least(3),
        f"The store alone, {_THREADS} threads, 2 deliveries a message, no HTTP before it; the "
        "second writer is the same with groups of one job, on one connection. Not the promise of "
        "ingest through HTTP; and it grows with what fdatasync costs, which load makes dearer.",
    )
    yield Row(
        "group-commit", "writer alone, accepts/s with group commit", "1/s", tuple(rates["grouped"])
    )
    yield Row("group-commit", "writer alone, accepts/s one by one", "1/s", tuple(rates["single"]))


def store(plan: Plan, limits: WriterLimits | None = None) -> tuple[Backlog, list[str]]:
    """A fresh database with an app of two endpoints, and the ids of these."""
    backlog = Backlog(plan.fresh_place(), limits)
    return backlog, backlog.endpoints(["http://127.0.0.1:9/"] * 2)


def _accepted_per_s(place: tuple[Backlog, list[str]], seconds: float) -> float:
    backlog, endpoint_ids = place
    until = time.monotonic() + seconds
    counts: list[int] = []

    def publish() -> None:
        accepted = 0
        while time.monotonic() < until:
            now_ms = time.time_ns() // 1_000_000
            backlog.database.accept(backlog.acceptance(endpoint_ids, costs.PAYLOAD, now_ms))
            accepted += 1
        counts.append(accepted)

    threads = [threading.Thread(target=publish) for _ in range(_THREADS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


def depth(plan: Plan) -> Iterator[Row]:
    """A million pending deliveries, 90 % of them of one endpoint, which are also the oldest."""
    rows = plan.of(1_000_000, 20_000)
    plan.say(f"depth: writing {rows:,} pending deliveries")
    deep = noisy_backlog(plan, rows)
    deep_ids = deep.endpoints(["http://127.0.0.1:9/"] * 2)
    empty, empty_ids = store(plan)
    other = _with_plain_index(plan, deep)
    runs = defaultdict[str, list[float]](list)
    for run in range(plan.runs):
        plan.say(f"depth: run {run + 1} of {plan.runs}")
        took = defaultdict[str, list[float]](list)
        # In turn, one by one: whatever else the machine does then falls on all of them alike.
        for _ in range(plan.of(40, 3)):
            took["fair"].append(costs.undone_ms(deep.database, costs.fair_claim, costs.CLAIM))
            took["plain"].append(costs.undone_ms(other, costs.plain_claim, costs.CLAIM))
            took["full"].append(costs.insert_ms(deep, deep_ids))
            took["empty"].append(costs.insert_ms(empty, empty_ids))
        for name, values in took.items():
            runs[name].append(median(values))
    other.close()
    for each in (deep, empty):
        each.close()
        drop(plan, each.place)
    unit = costs.unit_of(shared=plan.is_production)
    yield Row(
        "depth",
        f"claim of 500, one endpoint with 90 % of {rows:,} pending ÷ plain claim",
        "ratio",
        tuple(a / b for a, b in zip(runs["fair"], runs["plain"], strict=True)),
        at_most(1.5),
        f"{_ENDPOINTS} endpoints; the plain claim takes the oldest 500 by an index on time, so "
        f"only the one endpoint's. In {unit}; both read messages and write leases. What the "
        "endpoints' own rows and the turns cost is left out: it grows with how many are served.",
    )
    yield Row("depth", "fair claim of 500", unit, tuple(runs["fair"]))
    yield Row("depth", "plain claim of 500", unit, tuple(runs["plain"]))
    yield Row(
        "depth",
        f"insert of 100 messages with 2 deliveries at {rows:,} pending ÷ empty",
        "ratio",
        tuple(a / b for a, b in zip(runs["full"], runs["empty"], strict=True)),
        at_most(1.3),
        "The transaction, commit included.",
    )


def noisy_backlog(plan: Plan, rows: int, endpoints: int = _ENDPOINTS) -> Backlog:
    """So many pending deliveries; the first endpoint has nine tenths, and the oldest, of them."""
    backlog = Backlog(plan.fresh_place())
    noisy, *others = backlog.endpoints([f"http://127.0.0.1:9/{n}" for n in range(endpoints)])
    created = time.time_ns() // 1_000_000 - 3_600_000
    owner = (ACCOUNT, "test", backlog.app_id)
    many = int(rows * _NOISY)
    bulk.fill(
        backlog.place,
        [
            bulk.Batch(*owner, [noisy], many, created),
            bulk.Batch(*owner, others, rows - many, created, first=many),
        ],
    )
    costs.begin_session(backlog.database)
    return backlog


def _with_plain_index(plan: Plan, deep: Backlog) -> OpenDatabase:
    """A copy of the database with the index that a plain claim needs.

    A copy, because a fair claim's statements might be planned with that index.
    """
    if plan.is_production:
        deep.database.close()  # nobody may be connected to what is copied
        place = plan.postgres.new_database(like=deep.place)
        bulk.run(place, costs.PLAIN_INDEX)
        deep.database = open_database(deep.place)
        return open_database(place)
    path = Path(deep.place)
    copy = path.with_name("plain.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute(costs.PLAIN_INDEX)
        target.commit()
    return open_database(copy)


def drop(plan: Plan, place: Place) -> None:
    """Give the disk back."""
    if plan.is_production:
        plan.postgres.drop(str(place))
    else:
        Path(place).unlink()
