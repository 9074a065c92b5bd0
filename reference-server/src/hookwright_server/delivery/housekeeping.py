"""What the engine does beside delivering: chores, replays, and what dead sessions have left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from hookwright_server.delivery import maintenance
from hookwright_server.delivery.outbox import TAKEN_BACK_AT_ONCE
from hookwright_server.delivery.session import Session
from hookwright_server.delivery.tools import EngineLimits, Tools
from hookwright_server.store.worker_sessions import Interrupted

_REPLAY_LOOK_S = 1.0


class House:
    """Belongs to an event loop's thread; calls `look` when something may have become due."""

    def __init__(
        self, tools: Tools, limits: EngineLimits, session: Session, look: Callable[[], object]
    ) -> None:
        self._outbox = tools.outbox
        self._attempt_log = tools.log
        self._meter = tools.meter
        self._replayer = tools.replayer
        self._limits = limits
        self._session = session
        self._look = look

    @property
    def keepers(self) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
        """What goes on for ever, side by side: a long round of one holds up no other."""
        return (
            self.keep_taking_back,
            self.keep_merging,
            self.keep_chores,
            self.keep_erasing,
            self.keep_replaying,
        )

    async def keep_taking_back(self) -> None:
        """Take back what dead sessions hold."""
        loop = asyncio.get_running_loop()
        sweep_at = loop.time()
        while True:
            only_of_silent = loop.time() < sweep_at
            await self.take_back(only_of_silent=only_of_silent)
            if not only_of_silent:
                sweep_at = loop.time() + self._limits.renew_ms / 1000
            await asyncio.sleep(self._limits.take_back_ms / 1000)

    async def keep_merging(self) -> None:
        """Do the chores that come often."""
        while True:
            await self._do(maintenance.FREQUENT_CHORES)
            await asyncio.sleep(self._limits.take_back_ms / 1000)

    async def keep_chores(self) -> None:
        """Do the other chores now and then."""
        while True:
            await self._do(maintenance.CHORES)
            await asyncio.sleep(maintenance.EVERY_MS / 1000)

    async def keep_erasing(self) -> None:
        """Go on with retention; a round over much that is old may take hours."""
        while True:
            await self._erase()
            await asyncio.sleep(maintenance.EVERY_MS / 1000)

    async def keep_replaying(self) -> None:
        """Work on replay tasks, if this engine does that."""
        while self._replayer is not None:
            replayed = await self._outbox.replay(self._replayer)
            if replayed is None:
                await asyncio.sleep(_REPLAY_LOOK_S)
            elif replayed:
                self._look()

    async def take_back(self, *, only_of_silent: bool = False) -> None:
        """Make due again what dead sessions were sending. Raises StoreError."""
        while True:
            taken_back = await self._outbox.take_back(
                self._session.id, only_of_silent=only_of_silent
            )
            only_of_silent = False
            self.tell_interrupted(taken_back)
            if taken_back:
                self._look()
            if len(taken_back) < TAKEN_BACK_AT_ONCE:
                return

    async def do_chores(self) -> None:
        """Erase what has run out, and write down what reads already say. Raises StoreError."""
        await self._do(maintenance.CHORES)
        await self._erase()

    def tell_interrupted(self, taken_back: list[Interrupted]) -> None:
        """Log and count attempts of which nobody knows how they ended."""
        for one in taken_back:
            self._attempt_log.interrupted(one)
        if taken_back:
            self._meter.lost("interrupted", len(taken_back))

    async def _erase(self) -> None:
        while await self._outbox.expire():
            pass

    async def _do(self, chores: Iterable[maintenance.Chore]) -> None:
        """A batch of each in turn, until none has more to do."""
        left = list(chores)
        while left:
            left = [chore for chore in left if await self._outbox.maintain(chore)]
