"""The store alone: group commit, inserts into a large table, and the claim at depth."""

from __future__ import annotations

import itertools
import math
import random
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from statistics import median

from hookwright_benchmarks.results import Row, at_least, at_most
from hookwright_benchmarks.rig.backlog import Backlog
from hookwright_benchmarks.suites.plan import Plan
from hookwright_server.clock import SystemClock
from hookwright_server.store import worker_sessions
from hookwright_server.store.claims import Leased, Share
from hookwright_server.store.database import Connection
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.sqlite import SqliteDatabase
from hookwright_server.store.writer import WriterLimits

_THREADS = 64
_PAYLOAD = b'{"pad":"%b"}' % (b"x" * 480)
_SESSION = "wrk_bench"
_CLAIM = 500
_ENDPOINTS = 200
_PLAIN_INDEX = "CREATE INDEX bench_due ON deliveries (next_attempt_at) WHERE status = 'pending'"
_PLAIN_DUE = """
SELECT d.rowid, d.id, d.message_id, d.endpoint_id, d.event_name, d.attempt_count,
    d.uncounted_attempts, d.fence + 1, d.created_at, m.created_at, m.payload
FROM deliveries AS d INDEXED BY bench_due CROSS JOIN messages AS m ON m.id = d.message_id
WHERE d.status = 'pending' AND d.next_attempt_at <= ? ORDER BY d.next_attempt_at LIMIT ?
"""
_PLAIN_LEASE = (
    "UPDATE deliveries SET status = 'sending', lease_session = ?, fence = ? WHERE rowid = ?"
)


def group_commit(plan: Plan) -> Iterator[Row]:
    """Accepted messages a second with and without grouping, at equal durability."""
    grouped, single = _store(plan, None), _store(plan, WriterLimits(group=1))
    rates: dict[str, list[float]] = {"grouped": [], "single": []}
    for run in range(plan.runs):
        plan.say(f"group-commit: run {run + 1} of {plan.runs}")
        rates["single"].append(_accepted_per_s(single, plan.of(4.0, 0.3)))
        rates["grouped"].append(_accepted_per_s(grouped, plan.of(4.0, 0.3)))
    for store, _ in (grouped, single):
        store.close()
    ratios = tuple(a / b for a, b in zip(rates["grouped"], rates["single"], strict=True))
    yield Row(
        "group-commit",
        "writer alone, accepts/s: group commit ÷ one transaction each",
        "ratio",
        ratios,
        at_least(3),
        f"The store alone, {_THREADS} threads, 2 deliveries a message, no HTTP before it; the "
        "second writer is the same with groups of one job. Not the promise of ingest through HTTP, "
        "whose ratio is smaller; and it grows with what fdatasync costs, which load makes dearer.",
    )
    yield Row(
        "group-commit", "writer alone, accepts/s with group commit", "1/s", tuple(rates["grouped"])
    )
    yield Row("group-commit", "writer alone, accepts/s one by one", "1/s", tuple(rates["single"]))


def _store(plan: Plan, limits: WriterLimits | None) -> tuple[Backlog, list[str]]:
    backlog = Backlog(plan.fresh_folder() / "bench.db", limits)
    return backlog, backlog.endpoints(["http://127.0.0.1:9/"] * 2)


def _accepted_per_s(store: tuple[Backlog, list[str]], seconds: float) -> float:
    backlog, endpoint_ids = store
    until = time.monotonic() + seconds
    counts: list[int] = []

    def publish() -> None:
        accepted = 0
        while time.monotonic() < until:
            now_ms = time.time_ns() // 1_000_000
            backlog.database.accept(backlog.acceptance(endpoint_ids, _PAYLOAD, now_ms))
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
    rows = plan.of(1_000_000, 100_000)
    plan.say(f"depth: writing {rows:,} pending deliveries")
    path = plan.fresh_folder() / "deep.db"
    deep, endpoint_ids = _deep(path, rows)
    empty, empty_ids = _store(plan, None)
    inserts: list[float] = []
    fair: list[float] = []
    plain: list[float] = []
    other = _with_plain_index(path)
    for run in range(plan.runs):
        plan.say(f"depth: run {run + 1} of {plan.runs}")
        took = defaultdict[str, list[float]](list)
        # In turn, one by one: whatever else the machine does then falls on all of them alike.
        for _ in range(plan.of(40, 3)):
            took["fair"].append(_undone_ms(deep.database, _fair_claim))
            took["plain"].append(_undone_ms(other, _plain_claim))
            took["full"].append(_insert_ms(deep, endpoint_ids[:2]))
            took["empty"].append(_insert_ms(empty, empty_ids))
        fair.append(median(took["fair"]))
        plain.append(median(took["plain"]))
        inserts.append(median(took["full"]) / median(took["empty"]))
    other.close()
    for store in (deep, empty):
        store.close()
    yield Row(
        "depth",
        f"claim of 500, one endpoint with 90 % of {rows:,} pending ÷ plain claim",
        "ratio",
        tuple(a / b for a, b in zip(fair, plain, strict=True)),
        at_most(1.5),
        f"{_ENDPOINTS} endpoints; the plain claim takes the oldest 500 by an index on time, so "
        "only the one endpoint's. CPU time, medians; both read messages and write leases. What the "
        "endpoints' own rows and the turns cost is left out: it grows with how many are served.",
    )
    yield Row("depth", "fair claim of 500", "ms CPU", tuple(fair))
    yield Row("depth", "plain claim of 500", "ms CPU", tuple(plain))
    yield Row(
        "depth",
        f"insert of 100 messages with 2 deliveries at {rows:,} rows ÷ empty",
        "ratio",
        tuple(inserts),
        at_most(1.3),
        "CPU time of the transaction, commit included.",
    )


def _deep(path: Path, rows: int) -> tuple[Backlog, list[str]]:
    backlog = Backlog(path)
    endpoint_ids = backlog.endpoints([f"http://127.0.0.1:9/{n}" for n in range(_ENDPOINTS)])
    noisy, *others = endpoint_ids
    oldest = itertools.repeat([noisy], int(rows * 0.9))
    rest = ([random.choice(others)] for _ in itertools.count())
    backlog.fill(itertools.chain(oldest, rest), rows, _PAYLOAD)
    now_ms = SystemClock().now_ms()
    backlog.database.write(lambda tx: worker_sessions.start(tx, _SESSION, now_ms, alone=True))
    return backlog, endpoint_ids


class _Undo(Exception):
    """Ends a transaction that was only measured."""


def _undone_ms(database: SqliteDatabase, work: Callable[[Connection], int]) -> float:
    """The CPU milliseconds of `work`, which is undone."""
    taken: list[float] = []

    def measured(tx: Connection) -> None:
        began = time.thread_time()
        claimed = work(tx)
        taken.append((time.thread_time() - began) * 1000)
        if claimed != _CLAIM:
            raise RuntimeError(f"{claimed} deliveries were claimed, not {_CLAIM}")
        raise _Undo

    with suppress(_Undo):
        database.write(measured)
    return taken[-1]


def _fair_claim(tx: Connection) -> int:
    """The server's own statements: who waits, then some of each; evenly, as at the first turn."""
    now_ms, hot = SystemClock().now_ms(), hot_sql(tx)
    shares: list[Share] = []
    left = _CLAIM
    waiting = hot.queue(tx, now_ms, {}).waiting
    for served, each in enumerate(waiting):
        count = min(each.claimable, math.ceil(left / (len(waiting) - served)))
        shares.append(Share(each.endpoint_id, count))
        left -= count
    return len(hot.lease(tx, _SESSION, now_ms, shares))


def _plain_claim(tx: Connection) -> int:
    raw = tx.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    rows = raw.execute(_PLAIN_DUE, (SystemClock().now_ms(), _CLAIM)).fetchall()
    raw.executemany(_PLAIN_LEASE, ((_SESSION, row[7], row[0]) for row in rows))
    return len([Leased(*row[1:]) for row in rows])


def _with_plain_index(path: Path) -> SqliteDatabase:
    """A copy of the database with the index that a plain claim needs."""
    copy = path.with_name("plain.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute(_PLAIN_INDEX)
        target.commit()
    return SqliteDatabase(copy)


def _insert_ms(backlog: Backlog, endpoint_ids: list[str]) -> float:
    """The CPU milliseconds of one transaction of 100 messages, its commit included."""
    now_ms = SystemClock().now_ms()
    group = [backlog.acceptance(endpoint_ids, _PAYLOAD, now_ms) for _ in range(100)]
    with backlog.database.engine.connect() as connection:
        began = time.thread_time()
        with connection.begin():
            hot_sql(connection).accept(connection, group)
        return (time.thread_time() - began) * 1000
