"""Gathers finished attempts so that they are recorded in bulk: every 10 ms or 500 of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from hookwright_server.delivery.recorder import Completed

_log = logging.getLogger(__name__)

LINGER_S = 0.010
BATCH = 500


class ResultBuffer:
    """One batch is written at a time; the next gathers meanwhile. Belongs to one event loop.

    `write` must not raise: whatever it cannot write, it deals with itself.
    """

    def __init__(self, write: Callable[[list[Completed]], Awaitable[None]]) -> None:
        self._write = write
        self._items: list[Completed] = []
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._closing = False
        self._task = asyncio.get_running_loop().create_task(self._run(), name="results")

    def add(self, done: Completed, *, hurry: bool) -> None:
        """Take one result; `hurry` when due work waits for the slot that this frees."""
        self._items.append(done)
        self._some.set()
        if hurry or len(self._items) >= BATCH:
            self._enough.set()

    async def close(self) -> None:
        """Write what is left and end."""
        self._closing = True
        self._some.set()
        self._enough.set()
        await self._task

    async def _run(self) -> None:
        while self._items or not self._closing:
            await self._some.wait()
            await self._linger()
            batch, self._items = self._items[:BATCH], self._items[BATCH:]
            if not self._items and not self._closing:
                self._some.clear()
            if batch:
                await self._written(batch)

    async def _written(self, batch: list[Completed]) -> None:
        try:
            await self._write(batch)
        except Exception:  # noqa: BLE001 - if this task ended, nothing would ever be recorded again
            _log.exception("results_fault results=%d", len(batch))

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(LINGER_S):
                await self._enough.wait()
        except TimeoutError:
            pass
        if len(self._items) <= BATCH and not self._closing:
            self._enough.clear()
