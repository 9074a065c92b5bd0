"""Publishes the events through the SDK, as an application would, at a steady pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Final

from hookwright import APIError, AsyncHookwright
from hookwright_server.demo.cast import APP, event
from hookwright_server.demo.ledger import Ledger, Publication

PER_SECOND: Final = 40
_CALLS_AT_A_TIME: Final = 16


class Publisher:
    """Publishes `count` events. A call that is not answered is repeated by the SDK, not by us."""

    def __init__(
        self,
        client: AsyncHookwright,
        ledger: Ledger,
        count: int,
        random: Random,
        clock: Callable[[], float],
    ) -> None:
        self.under_way = 0
        self.refused: list[APIError] = []
        self._client = client
        self._ledger = ledger
        self._count = count
        self._random = random
        self._clock = clock
        self._slots = asyncio.Semaphore(_CALLS_AT_A_TIME)

    async def run(self) -> None:
        """Return when every call was answered, or given up by the SDK (see `refused`)."""
        async with asyncio.TaskGroup() as calls:
            for number in range(1, self._count + 1):
                await self._slots.acquire()
                calls.create_task(self._publish(*event(number, self._random)))
                await asyncio.sleep(1 / PER_SECOND)

    async def _publish(self, event_name: str, payload: dict[str, Any]) -> None:
        called_at = self._clock()
        self.under_way += 1
        try:
            answer = await self._client.trigger.send(APP, event_name=event_name, payload=payload)
        except APIError as error:
            self.refused.append(error)
            return
        finally:
            self.under_way -= 1
            self._slots.release()
        self._ledger.accepted(
            Publication(event_name, payload, answer.message_id, called_at, self._clock())
        )
