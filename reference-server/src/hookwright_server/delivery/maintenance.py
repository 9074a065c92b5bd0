"""Upkeep, batch by batch, each a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable

from hookwright_server.clock import Clock
from hookwright_server.store.database import Connection
from hookwright_server.store.rollup_folding import erase_old_rollups, fold_when_due
from hookwright_server.store.rollup_merging import merge_when_many
from hookwright_server.store.upkeep import (
    cancel_expired,
    cancel_for_deleted_endpoints,
    erase_expired_records,
    erase_expired_secrets,
    erase_old_windows,
    erase_silent_writers,
    leave_swept_endpoints,
)

BATCH = 500
EXPIRED_AT_ONCE = 200
EVERY_MS = 30_000

Chore = Callable[[Connection, int, int], int]

CHORES: tuple[Chore, ...] = (
    cancel_for_deleted_endpoints,
    leave_swept_endpoints,
    erase_expired_records,
    erase_expired_secrets,
    erase_silent_writers,
    erase_old_windows,
    cancel_expired,
    fold_when_due,
    erase_old_rollups,
)

# Done each time that sessions are renewed.
FREQUENT_CHORES: tuple[Chore, ...] = (merge_when_many,)


def batch(connection: Connection, clock: Clock, chore: Chore) -> bool:
    """Do one batch of a chore; True when there may be more to do."""
    return chore(connection, clock.now_ms(), BATCH) >= BATCH
