"""Time, chance and waiting, handed in so that tests own them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hookwright._core.idempotency import new_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


# Clients of one seed, or of one process that forked, must not retry at the same instant; and the
# sequence of the `random` module is the application's.
_system_random = random.SystemRandom()


async def _async_sleep(seconds: float) -> None:
    # asyncio costs 60 ms to import; those who only use the sync client need not pay.
    import asyncio

    await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Runtime:
    """`clock` is Unix time, `monotonic` measures spans; both in seconds."""

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = _system_random.random
    sleep: Callable[[float], None] = time.sleep
    async_sleep: Callable[[float], Awaitable[None]] = _async_sleep
    new_key: Callable[[], str] = new_key
