"""Upkeep, batch by batch, each a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable

from hookwright_server.clock import Clock
from hookwright_server.store.database import Connection
from hookwright_server.store.upkeep import (
    cancel_for_deleted_endpoints,
    erase_expired_records,
    erase_expired_secrets,
    erase_silent_writers,
)

BATCH = 500
EVERY_MS = 30_000

Chore = Callable[[Connection, int, int], int]

CHORES: tuple[Chore, ...] = (
    cancel_for_deleted_endpoints,
    erase_expired_records,
    erase_expired_secrets,
    erase_silent_writers,
)


def batch(connection: Connection, clock: Clock, chore: Chore) -> bool:
    """Do one batch of a chore; True when there may be more to do."""
    return chore(connection, clock.now_ms(), BATCH) >= BATCH
