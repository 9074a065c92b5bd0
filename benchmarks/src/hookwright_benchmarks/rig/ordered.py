"""What an ordering key costs whoever uses it, and what waits in an order costs everybody else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import sqlalchemy as sa

from hookwright_benchmarks.processes import family_cpu_seconds
from hookwright_benchmarks.rig import bulk, costs
from hookwright_benchmarks.rig.backlog import ACCOUNT, Backlog
from hookwright_server.clock import SystemClock
from hookwright_server.delivery import claim
from hookwright_server.delivery.prepare import Begun
from hookwright_server.delivery.recorder import Judge, record
from hookwright_server.delivery.room import Room
from hookwright_server.delivery.sender import Attempted
from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.outcome import Delivered
from hookwright_server.domain.retry_policy import RetryPolicies
from hookwright_server.store import ordering
from hookwright_server.store.database import Connection
from hookwright_server.store.tables import deliveries, ordering_lanes
from hookwright_server.store.targets import Targets

_SLOTS = 4_000
_FIRST = 10_000_000  # numbers of these deliveries begin beyond those of every backlog
_LINE_UP = """
UPDATE deliveries SET next_attempt_at = CASE WHEN place.n = 1 THEN 253000000000000 END,
    ordering_key = 'lane', is_ordered = true, sequence = place.n
FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS n FROM deliveries
    WHERE endpoint_id = '{endpoint}'
) AS place
WHERE deliveries.id = place.id
"""


class Work:
    """Accepts and delivers without HTTP, on a database of its own, and tells the CPU of that.

    `postgres_pid`: whose CPU counts too; 0 for SQLite, which works in this process.
    """

    def __init__(self, backlog: Backlog, postgres_pid: int) -> None:
        self._backlog = backlog
        self._postgres_pid = postgres_pid
        self._clock = SystemClock()
        self._rotation = claim.Rotation()
        self._targets = Targets()
        self._judge = Judge(RetryPolicies(RETRY_PRESETS), self._clock, backlog.ids, lambda: 0.5)
        costs.begin_session(backlog.database)

    def cpu_us(self, endpoint_id: str, keys: Sequence[str | None]) -> float:
        """Of one message with each of these keys, from its acceptance to its recorded delivery.

        They are published side by side. What is due is claimed and recorded together.
        """
        database, now_ms = self._backlog.database, self._clock.now_ms()
        plain = [self._backlog.acceptance([endpoint_id], costs.PAYLOAD, now_ms) for _ in keys]
        group = [
            replace(each, message=replace(each.message, ordering_key=key))
            for each, key in zip(plain, keys, strict=True)
        ]
        began = self._cpu_s()
        if any(database.accept_all(group)):
            raise RuntimeError("an acceptance was refused")
        left = len(group)
        while left > 0:
            claimed = database.write(self._claim).deliveries
            done = [
                self._judge.judge(
                    Begun(each, "{}", self._clock.now_ms()), Attempted(Delivered(200), 12)
                )
                for each in claimed
            ]
            database.write(partial(record, batch=done))
            left -= len(done)
        return (self._cpu_s() - began) / len(group) * 1e6

    def _claim(self, tx: Connection) -> claim.Claim:
        room = Room(costs.CLAIM, _SLOTS, _SLOTS, {}, {})
        return claim.claim(tx, self._clock, costs.SESSION, self._rotation, room, {}, self._targets)

    def _cpu_s(self) -> float:
        postgres = family_cpu_seconds(self._postgres_pid) if self._postgres_pid else 0.0
        return time.process_time() + postgres


def block(backlog: Backlog, count: int) -> Callable[[Connection], int]:
    """A lane of so many deliveries, the first of which is tried again in a far future.

    Returns what ends that one and lets the next one go, and tells how many those are.
    """
    (endpoint_id,) = backlog.endpoints(["http://127.0.0.1:9/lane"])
    created = time.time_ns() // 1_000_000 - 1_800_000
    batch = bulk.Batch(ACCOUNT, "test", backlog.app_id, [endpoint_id], count, created, first=_FIRST)
    bulk.fill(backlog.place, [batch])
    bulk.write(backlog.place, [_LINE_UP.format(endpoint=endpoint_id)], is_history=False)
    lane: dict[str, object] = {
        "endpoint_id": endpoint_id,
        "ordering_key": "lane",
        "account_id": ACCOUNT,
        "environment": "test",
        "last_sequence": count,
    }
    backlog.database.write(lambda tx: tx.execute(sa.insert(ordering_lanes), [lane]))
    first = deliveries.c.id == bulk.delivery_id(created, _FIRST)

    def end_first(tx: Connection) -> int:
        ended = deliveries.update().where(first)
        tx.execute(ended.values(status="delivered", next_attempt_at=None))
        return ordering.move_up(tx, {(endpoint_id, "lane")}, SystemClock().now_ms())

    return end_first
