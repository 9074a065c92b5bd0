"""Retention: what is over is erased when its app's days have passed, in small batches.

A round walks over the apps, and in each over the messages that are older than its days, oldest
first; every step is one transaction. Only what is over is erased: a delivery with its attempts so
many days after its end, a message once it has no delivery any more, a replay task so many days
after its end. A delivery that was held for so long is cancelled, and reads like that for as many
days again. With the last delivery of an ordering key goes its lane. What was counted stays counted.

Rows that another process has locked are left to the next round.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from hookwright_server.ids import first_id_at
from hookwright_server.store import ordering
from hookwright_server.store.database import Connection
from hookwright_server.store.endings import CANCELLED, let_go
from hookwright_server.store.tables import (
    apps,
    attempts,
    deliveries,
    endpoints,
    message_tags,
    messages,
    replay_tasks,
)
from hookwright_server.store.upkeep import cancel_lost, lost

DAY_MS = 86_400_000
_REST_MS = 600_000
_APPS_AT_ONCE = 500
_FINISHED = ("delivered", "failed", "dead_letter", "cancelled")


@dataclass(frozen=True, slots=True)
class App:
    """An app with messages that are older than its days: those before `cutoff` (epoch ms)."""

    id: str
    cutoff: int


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a round has come. None is begun before `rests_until`."""

    rests_until: int = 0
    after_app: str = ""
    apps: tuple[App, ...] = ()
    after_message: str = ""

    def is_resting(self, now_ms: int) -> bool:
        """Whether there is nothing to do at present."""
        return now_ms < self.rests_until


def step(connection: Connection, walk: Walk, now_ms: int, limit: int) -> Walk:
    """Go on for at most `limit` messages and as many deliveries; where that leads."""
    if walk.is_resting(now_ms):
        return walk
    if walk.apps:
        return _in_app(connection, walk, now_ms, limit)
    looked_at = connection.execute(_APPS, {"after": walk.after_app}).all()
    if not looked_at:
        return Walk(rests_until=now_ms + _REST_MS)
    due = [
        App(row.id, now_ms - row.retention_days * DAY_MS)
        for row in looked_at
        if min(row.oldest, row.oldest_task) < now_ms - row.retention_days * DAY_MS
    ]
    return Walk(after_app=looked_at[-1].id, apps=tuple(due))


def _in_app(connection: Connection, walk: Walk, now_ms: int, limit: int) -> Walk:
    app, *others = walk.apps
    cutoff = _cutoff(connection, app, now_ms)
    batch = connection.scalars(
        sa.select(messages.c.id)
        .where(messages.c.app_id == app.id, messages.c.id > walk.after_message)
        .where(messages.c.id < first_id_at("msg", cutoff))
        .order_by(messages.c.id)
        .limit(limit)
        # A replay holds its message while it makes a delivery of it.
        .with_for_update(skip_locked=True)
    ).all()
    if not batch:
        if _erase_replay_tasks(connection, app.id, cutoff, limit) >= limit:
            return walk
        return replace(walk, apps=tuple(others), after_message="")
    cancelled = _cancel_waiting(connection, batch, cutoff, now_ms, limit)
    erased = _erase_deliveries(connection, batch, cutoff, limit)
    _erase_messages(connection, batch)
    _note_erased(connection, erased)
    _erase_lanes(connection, erased)
    if max(cancelled, len(erased)) >= limit:
        return walk  # a message may have more deliveries than one transaction should touch
    return replace(walk, after_message=batch[-1])


def _cutoff(connection: Connection, app: App, now_ms: int) -> int:
    """Looked up each time: a round may take hours, and the days may have become more meanwhile."""
    days = connection.scalar(sa.select(apps.c.retention_days).where(apps.c.id == app.id))
    return app.cutoff if days is None else min(app.cutoff, now_ms - days * DAY_MS)


def _cancel_waiting(
    connection: Connection, batch: Sequence[str], cutoff: int, now_ms: int, limit: int
) -> int:
    """Cancel what was held for too long, and what lost its endpoint so late that nobody looked."""
    of_batch = deliveries.c.message_id.in_(batch)
    held = _held(cutoff, now_ms).where(of_batch)
    held_rows = connection.execute(held.limit(limit)).all()
    lost_rows = connection.execute(lost(of_batch).limit(limit)).all()
    # All at once, and before the deliveries: whoever cancels one by request does it like that too.
    ordering.hold(connection, ordering.lanes(row[1:] for row in (*held_rows, *lost_rows)))
    cancelled = _cancel_held(connection, held, [row[0] for row in held_rows], now_ms)
    return cancelled + cancel_lost(connection, [row[0] for row in lost_rows], now_ms)


def _held(cutoff: int, now_ms: int) -> sa.Select[*tuple[Any, ...]]:
    """Id and lane of what has been held since before `cutoff`."""
    c, disabled_at = deliveries.c, sa.func.coalesce(endpoints.c.disabled_at, 0)
    return (
        sa.select(c.id, *ordering.LANE)
        .join(endpoints, endpoints.c.id == c.endpoint_id)
        # It has been held since its endpoint was disabled, or since it was due if that was later.
        # When one is due that waits for others says nothing: they may have been cancelled just now.
        .where(disabled_at < cutoff, sa.or_(c.is_ordered, c.next_attempt_at < cutoff))
        .where(c.status == "pending", sa.or_(c.expires_at.is_(None), c.expires_at > now_ms))
        .where(endpoints.c.active == sa.false(), endpoints.c.deleted_at.is_(None))
    )


def _cancel_held(
    connection: Connection, held: sa.Select[*tuple[Any, ...]], ids: Sequence[str], now_ms: int
) -> int:
    if not ids:
        return 0
    c = deliveries.c
    some = held.with_only_columns(c.id).where(c.id.in_(ids))
    changed = connection.execute(
        sa.update(deliveries)
        .where(c.id.in_(some.with_for_update(of=deliveries, skip_locked=True)))
        .values(
            status="cancelled", cancel_reason="retention", next_attempt_at=None, completed_at=now_ms
        )
        .returning(*CANCELLED)
    ).all()
    let_go(connection, changed, now_ms)
    return len(changed)


_Erased = sa.Row[str, str, str | None, str, str | None, int | None]
"""Of a delivery: id, message, the first one if it is a replay, endpoint, ordering key, sequence."""


def _erase_deliveries(
    connection: Connection, batch: Sequence[str], cutoff: int, limit: int
) -> Sequence[_Erased]:
    """Each that was erased."""
    c = deliveries.c
    rows = connection.execute(
        sa.select(c.id, c.message_id, c.replay_of, c.endpoint_id, c.ordering_key, c.sequence)
        .where(c.message_id.in_(batch), c.status.in_(_FINISHED), c.completed_at < cutoff)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if rows:
        ids = [row.id for row in rows]
        connection.execute(sa.delete(attempts).where(attempts.c.delivery_id.in_(ids)))
        connection.execute(sa.delete(deliveries).where(c.id.in_(ids)))
    return rows


def _erase_messages(connection: Connection, batch: Sequence[str]) -> None:
    left = sa.select(sa.literal(1)).where(deliveries.c.message_id == messages.c.id)
    c, t = messages.c, message_tags.c
    erased = connection.execute(
        sa.delete(messages)
        .where(c.id.in_(batch), sa.not_(sa.exists(left)))
        .returning(c.account_id, c.environment, c.id, c.tags)
    )
    tags = [
        (row.account_id, row.environment, tag, row.id)
        for row in erased
        for tag in json.loads(row.tags or "[]")
    ]
    if tags:
        keys = sa.tuple_(t.account_id, t.environment, t.tag, t.message_id)
        connection.execute(sa.delete(message_tags).where(keys.in_(tags)))


def _erase_replay_tasks(connection: Connection, app_id: str, cutoff: int, limit: int) -> int:
    c = replay_tasks.c
    some = (
        sa.select(c.id)
        .where(c.app_id == app_id, c.id < first_id_at("rpl", cutoff))
        .where(c.completed_at < cutoff)
        .order_by(c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(sa.delete(replay_tasks).where(c.id.in_(some))).rowcount


def _note_erased(connection: Connection, erased: Sequence[_Erased]) -> None:
    """Keep what tells a delivery that was erased from one that was lost."""
    counts = Counter(row.message_id for row in erased if row.replay_of is None)
    if counts:
        c = messages.c
        connection.execute(
            sa.update(messages)
            .where(c.id == sa.bindparam("message_id"))
            .values(erased_deliveries=c.erased_deliveries + sa.bindparam("count")),
            [{"message_id": key, "count": count} for key, count in counts.items()],
        )


def _erase_lanes(connection: Connection, erased: Sequence[_Erased]) -> None:
    last: dict[ordering.Lane, int] = {}
    for row in erased:
        if row.ordering_key is not None:
            lane = (row.endpoint_id, row.ordering_key)
            last[lane] = max(last.get(lane, 0), row.sequence or 0)
    ordering.forget(connection, last)


def _oldest(table: sa.Table) -> sa.ColumnElement[int]:
    """When the first row of the app was made; later than anything if it has none."""
    first = sa.select(table.c.created_at).where(table.c.app_id == apps.c.id).order_by(table.c.id)
    return sa.func.coalesce(first.limit(1).scalar_subquery(), sa.literal_column(str(2**62)))


_APPS = (
    sa.select(
        apps.c.id,
        apps.c.retention_days,
        _oldest(messages).label("oldest"),
        _oldest(replay_tasks).label("oldest_task"),
    )
    .where(apps.c.id > sa.bindparam("after"))
    .order_by(apps.c.id)
    .limit(_APPS_AT_ONCE)
)
