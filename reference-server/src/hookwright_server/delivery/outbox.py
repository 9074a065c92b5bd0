"""The outbox: the deliveries of the database as the engine uses them.

Each call is one job of the writer, one transaction or part of a group; the event loop only
waits for it. Every coroutine raises StoreError when the database does not do its part.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeVar

from hookwright_server.clock import Clock
from hookwright_server.delivery import maintenance, recorder
from hookwright_server.delivery.claim import Claim, Key, Rotation, claim
from hookwright_server.delivery.recorder import Completed, Recorded
from hookwright_server.delivery.replaying import Replayer
from hookwright_server.delivery.room import Room
from hookwright_server.delivery.system_events import SystemEvents
from hookwright_server.ids import Ids
from hookwright_server.store import retention, worker_sessions
from hookwright_server.store.claims import Queue
from hookwright_server.store.database import Connection, Database
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.results import Lease
from hookwright_server.store.targets import Targets
from hookwright_server.store.worker_sessions import Interrupted

T = TypeVar("T")

TAKEN_BACK_AT_ONCE = 500


class Outbox:
    """One engine's view. `alone`: this process holds the database's lock, so every session
    that it did not begin itself is dead."""

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, system: SystemEvents, *, alone: bool
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._system = system
        self._alone = alone
        self._targets = Targets()
        self._expiry = retention.Walk()

    async def begin(self) -> tuple[str, float]:
        """Start a session; its id, and the monotonic time from which on it counts."""
        session_id = self._ids.new("wrk", self._clock.now_ms())
        return session_id, await self._do(lambda c: self._begin(c, session_id))

    async def renew(self, session_id: str) -> bool:
        """Keep the session alive; False when it has been declared dead."""
        return await self._do(
            lambda c: worker_sessions.renew(c, session_id, self._clock.now_ms()), durable=False
        )

    async def claim(
        self, session_id: str, rotation: Rotation, room: Room, limits: Mapping[str, int]
    ) -> Claim:
        """See `claim.claim`."""
        claimed = await self._do(
            lambda c: claim(c, self._clock, session_id, rotation, room, limits, self._targets),
            durable=False,
        )
        self._targets.keep()
        return claimed

    async def record(self, batch: Sequence[Completed]) -> Recorded:
        """See `recorder.record`; what happened is told in the same transaction."""
        return await self._do(partial(self._record, batch=batch))

    async def put_back(self, leases: Mapping[str, Lease], delay_ms: int) -> None:
        """Give back deliveries (by id) that were not sent; due again after `delay_ms`."""
        await self._do(lambda c: worker_sessions.release(c, leases, self._clock.now_ms(), delay_ms))

    async def put_back_unknown(self, session_id: str, known: Collection[Key]) -> None:
        """Give back what the session leases beside `known`: a claim whose commit nobody saw."""
        await self._do(
            lambda c: worker_sessions.release_unknown(c, session_id, known, self._clock.now_ms())
        )

    async def take_back(
        self, own_session: str, *, only_of_silent: bool = False
    ) -> list[Interrupted]:
        """Declare silent sessions dead and make some of what dead ones leased due again.

        `only_of_silent`: look for it, which takes longer, only when one has just been found silent.
        """
        return await self._do(lambda c: self._take_back(c, own_session, only_of_silent))

    async def end(self, session_id: str) -> list[Interrupted]:
        """End the session; what it still leased counts as interrupted."""
        return await self._do(lambda c: self._end(c, session_id))

    async def maintain(self, chore: maintenance.Chore) -> bool:
        """One batch of a chore; True when there may be more."""
        return await self._do(lambda c: maintenance.batch(c, self._clock, chore))

    async def expire(self) -> bool:
        """One batch of retention; False when the present round is over."""
        self._expiry = await self._do(
            lambda c: retention.step(
                c, self._expiry, self._clock.now_ms(), maintenance.EXPIRED_AT_ONCE
            )
        )
        return not self._expiry.is_resting(self._clock.now_ms())

    async def replay(self, replayer: Replayer) -> int | None:
        """See `Replayer.step`."""
        return await self._do(replayer.step)

    def look(self) -> Queue:
        """What is due, and what next; reads on the calling thread."""
        return self._database.read(lambda c: hot_sql(c).queue(c, self._clock.now_ms(), {}))

    async def _do(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        return await asyncio.wrap_future(self._database.submit(work, durable=durable))

    def _record(self, connection: Connection, batch: Sequence[Completed]) -> Recorded:
        return recorder.record(connection, batch, self._system.publish)

    def _begin(self, connection: Connection, session_id: str) -> float:
        # Not when it was asked for: the database may have been away for long in between.
        began_at = time.monotonic()
        worker_sessions.start(connection, session_id, self._clock.now_ms(), alone=self._alone)
        return began_at

    def _take_back(
        self, connection: Connection, own_session: str, only_of_silent: bool
    ) -> list[Interrupted]:
        ended = worker_sessions.end_dead(connection, own_session, self._clock.now_ms())
        if only_of_silent and not ended:
            return []
        return self._recover(connection, TAKEN_BACK_AT_ONCE)

    def _end(self, connection: Connection, session_id: str) -> list[Interrupted]:
        worker_sessions.end(connection, session_id)
        return self._recover(connection, TAKEN_BACK_AT_ONCE)

    def _recover(self, connection: Connection, limit: int) -> list[Interrupted]:
        now_ms = self._clock.now_ms()
        return worker_sessions.recover(
            connection, lambda: self._ids.new("att", now_ms), now_ms, limit
        )
