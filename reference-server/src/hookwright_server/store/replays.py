"""Replays: new deliveries of messages that have been delivered, or not, before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.rollup_deltas import Origin, count_added
from hookwright_server.store.tables import deliveries


@dataclass(frozen=True, slots=True)
class NewReplay:
    """A pending row of `deliveries` beside those of its message's acceptance; due at once."""

    id: str
    replay_of: str
    account_id: str
    environment: str
    app_id: str
    message_id: str
    endpoint_id: str
    event_name: str
    max_attempts: int
    created_at: int


def insert(tx: Connection, replays: Sequence[NewReplay]) -> None:
    """Write them."""
    if replays:
        tx.execute(sa.insert(deliveries), [_values(replay) for replay in replays])
        count_added(tx, map(_origin, replays))


def _origin(replay: NewReplay) -> Origin:
    return Origin(*(getattr(replay, name) for name in Origin._fields))


def _values(replay: NewReplay) -> dict[str, object]:
    given: dict[str, object] = {
        name: getattr(replay, name) for name in NewReplay.__dataclass_fields__
    }
    return given | {
        "status": "pending",
        "attempt_count": 0,
        "uncounted_attempts": 0,
        "fence": 0,
        "next_attempt_at": replay.created_at,
    }
