"""Going on while the database fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hookwright_server.store.errors import StoreError

T = TypeVar("T")

TRY_EVERY_S = 0.2

_log = logging.getLogger(__name__)


async def kept_alive(forever: Callable[[], Awaitable[None]]) -> None:
    """Run `forever` until it returns, again after each failure."""
    while True:
        try:
            return await forever()
        except StoreError as error:
            _log.warning("store_failed in=%s error=%s", forever.__name__, error)
        except Exception:  # noqa: BLE001 - a fault must not end all deliveries
            _log.exception("engine_fault in=%s", forever.__name__)
        await asyncio.sleep(TRY_EVERY_S)


async def insist(
    call: Callable[[], Awaitable[T]], *, unless: tuple[type[StoreError], ...] = ()
) -> T:
    """Repeat while the database fails: what is claimed stays ours meanwhile.

    Raises what it fails with when that is one of `unless`.
    """
    while True:
        try:
            return await call()
        except unless:
            raise
        except StoreError as error:
            _log.warning("store_failed error=%s", error)
            await asyncio.sleep(TRY_EVERY_S)
