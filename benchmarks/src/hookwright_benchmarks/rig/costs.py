"""What single transactions cost, on either back end: claims, inserts, results, pages.

On SQLite that is CPU time of the one thread that does it all; on Postgres, which works in
processes of its own, it is the time that the client waits.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from hookwright_benchmarks.rig.backlog import ACCOUNT, Backlog
from hookwright_server.clock import SystemClock
from hookwright_server.store import deliveries, worker_sessions
from hookwright_server.store.claims import Leased, Round, Share
from hookwright_server.store.database import Connection
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.opening import OpenDatabase
from hookwright_server.store.pages import PageQuery
from hookwright_server.store.realm import Realm
from hookwright_server.store.results import NewAttempt, Settlement

SESSION = "wrk_bench"
CLAIM = 500
PAYLOAD = b'{"pad":"%b"}' % (b"x" * 480)
PLAIN_INDEX = "CREATE INDEX bench_due ON deliveries (next_attempt_at) WHERE status = 'pending'"
_PLAIN_DUE = """
SELECT d.rowid, d.id, d.message_id, d.endpoint_id, d.event_name, d.attempt_count,
    d.uncounted_attempts, d.fence + 1, d.created_at, m.created_at, m.payload
FROM deliveries AS d INDEXED BY bench_due CROSS JOIN messages AS m ON m.id = d.message_id
WHERE d.status = 'pending' AND d.next_attempt_at <= ? ORDER BY d.next_attempt_at LIMIT ?
"""
_PLAIN_LEASE = (
    "UPDATE deliveries SET status = 'sending', lease_session = ?, fence = ? WHERE rowid = ?"
)
_PLAIN_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM deliveries WHERE status = 'pending' AND next_attempt_at <= %s::bigint
    ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED
), leased AS (
    UPDATE deliveries AS d
    SET status = 'sending', lease_session = %s, fence = d.fence + 1
    FROM due WHERE d.id = due.id
    RETURNING d.id, d.message_id, d.endpoint_id, d.event_name, d.attempt_count,
        d.uncounted_attempts, d.fence, d.created_at
)
SELECT d.*, m.created_at, m.payload FROM leased AS d JOIN messages AS m ON m.id = d.message_id
"""


class _Undo(Exception):
    """Ends a transaction that was only measured."""


def is_shared(database: OpenDatabase) -> bool:
    """Whether it is Postgres."""
    return database.engine.dialect.name == "postgresql"


def clock_of(database: OpenDatabase) -> Callable[[], float]:
    """Seconds: what is counted on this back end."""
    return time.perf_counter if is_shared(database) else time.thread_time


def unit_of(*, shared: bool) -> str:
    return "ms" if shared else "ms CPU"


def begin_session(database: OpenDatabase) -> None:
    """Make the session that claims belong to."""
    now_ms = SystemClock().now_ms()
    database.write(lambda tx: worker_sessions.start(tx, SESSION, now_ms, alone=True))


def undone_ms(
    database: OpenDatabase, work: Callable[[Connection], int], expected: int | None = None
) -> float:
    """The milliseconds of `work`, which is undone; it returns how many rows it took."""
    clock = clock_of(database)
    taken: list[float] = []

    def measured(tx: Connection) -> None:
        began = clock()
        count = work(tx)
        taken.append((clock() - began) * 1000)
        if expected is not None and count != expected:
            raise RuntimeError(f"{count} deliveries were taken, not {expected}")
        raise _Undo

    with suppress(_Undo):
        database.write(measured)
    return taken[-1]


def fair_claim(tx: Connection) -> int:
    """The server's own statements: who waits, then some of each; evenly, as at the first turn."""
    now_ms, hot = SystemClock().now_ms(), hot_sql(tx)
    shares: list[Share] = []
    left = CLAIM
    waiting = hot.reserve(tx, SESSION, now_ms, {}, Round()).waiting
    for served, each in enumerate(waiting):
        count = min(each.claimable, math.ceil(left / (len(waiting) - served)))
        shares.append(Share(each.endpoint_id, count))
        left -= count
    return len(hot.lease(tx, SESSION, now_ms, [share for share in shares if share.count]))


def look(tx: Connection) -> int:
    """Only the first half of a claim: which endpoints wait."""
    return len(hot_sql(tx).reserve(tx, SESSION, SystemClock().now_ms(), {}, Round()).waiting)


def plain_claim(tx: Connection) -> int:
    """The oldest rows, whosever they are; needs PLAIN_INDEX."""
    raw: Any = tx.connection.driver_connection
    if tx.dialect.name == "postgresql":
        values = (SystemClock().now_ms(), CLAIM, SESSION)
        return len(raw.execute(_PLAIN_CLAIM, values, binary=True).fetchall())
    file = cast("sqlite3.Connection", raw)
    rows = file.execute(_PLAIN_DUE, (SystemClock().now_ms(), CLAIM)).fetchall()
    file.executemany(_PLAIN_LEASE, ((SESSION, row[7], row[0]) for row in rows))
    return len([Leased(*row[1:]) for row in rows])


def insert_ms(backlog: Backlog, endpoint_ids: Sequence[str]) -> float:
    """The milliseconds of one transaction of 100 messages, its commit included."""
    now_ms = SystemClock().now_ms()
    clock = clock_of(backlog.database)
    group = [backlog.acceptance(endpoint_ids, PAYLOAD, now_ms) for _ in range(100)]
    with backlog.database.engine.connect() as connection:
        began = clock()
        with connection.begin():
            hot_sql(connection).accept(connection, group)
        return (clock() - began) * 1000


def settle_ms(backlog: Backlog, endpoint_ids: Sequence[str]) -> float:
    """The milliseconds of the results of 100 deliveries, the commit left out; undone."""
    clock = clock_of(backlog.database)
    now_ms = SystemClock().now_ms()
    taken: list[float] = []

    def measured(tx: Connection) -> None:
        hot = hot_sql(tx)
        group = [backlog.acceptance(endpoint_ids[:1], PAYLOAD, now_ms) for _ in range(100)]
        hot.accept(tx, group)
        rows = hot.lease(tx, SESSION, now_ms, [Share(endpoint_ids[0], 100)])
        began = clock()
        hot.leases(tx, [row.id for row in rows])
        hot.settle(tx, [_delivered(backlog, row, now_ms) for row in rows])
        taken.append((clock() - began) * 1000)
        raise _Undo

    with suppress(_Undo):
        backlog.database.write(measured)
    return taken[-1]


def _delivered(backlog: Backlog, row: Leased, now_ms: int) -> Settlement:
    attempt = NewAttempt(
        backlog.ids.new("att", now_ms), ACCOUNT, "test", row.id, 1, None, now_ms, 200, 12, b"ok"
    )
    return Settlement(attempt, row.fence, "delivered", 10, None, now_ms)


def page_ms(database: OpenDatabase, wanted: deliveries.DeliveryFilter, before: str | None) -> float:
    """The milliseconds of a page of 50 deliveries, from the newest or from before an id."""
    clock = clock_of(database)
    realm = Realm(ACCOUNT, "test")

    def measured(tx: Connection) -> float:
        began = clock()
        deliveries.page(
            tx, realm, wanted, PageQuery(limit=50, before_id=before), SystemClock().now_ms()
        )
        return (clock() - began) * 1000

    return database.read(measured)
