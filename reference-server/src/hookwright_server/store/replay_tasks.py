"""Replay tasks as the API makes, reads and cancels them; `replay_steps` works on them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.store import pages
from hookwright_server.store.database import Connection
from hookwright_server.store.locking import for_change
from hookwright_server.store.realm import Realm
from hookwright_server.store.tables import apps, replay_tasks

_JSON = ("delivery_ids", "statuses")
_OPEN = replay_tasks.c.status.in_(("queued", "running"))


@dataclass(frozen=True, slots=True)
class ReplayTaskRow:
    """Which deliveries are to be replayed, and how far that has come.

    `delivery_ids` None: those of the range that the other members describe.
    """

    id: str
    account_id: str
    environment: str
    app_id: str
    status: str
    delivery_ids: tuple[str, ...] | None
    after: int | None
    before: int | None
    statuses: tuple[str, ...] | None
    event_name: str | None
    endpoint_id: str | None
    max_count: int
    total_count: int
    processed_count: int
    replayed_count: int
    skipped_count: int
    created_at: int
    started_at: int | None
    completed_at: int | None
    app_slug: str


_STORED = tuple(name for name in ReplayTaskRow.__dataclass_fields__ if name != "app_slug")
_SELECT = sa.select(
    *(replay_tasks.c[name] for name in _STORED), apps.c.slug.label("app_slug")
).join(apps, apps.c.id == replay_tasks.c.app_id)


def page(
    tx: Connection, realm: Realm, app_id: str | None, query: pages.PageQuery
) -> pages.RowPage[ReplayTaskRow]:
    """The realm's tasks (or those of the app, if given), newest first."""
    select = _SELECT.where(realm.owns(replay_tasks))
    if app_id is not None:
        select = select.where(replay_tasks.c.app_id == app_id)
    return pages.fetch(tx, select, replay_tasks.c.id, query, task_row)


def find(tx: Connection, realm: Realm, app_id: str | None, task_id: str) -> ReplayTaskRow | None:
    """The task, if the realm (and the app, if given) has it."""
    select = _SELECT.where(realm.owns(replay_tasks), replay_tasks.c.id == task_id)
    if app_id is not None:
        select = select.where(replay_tasks.c.app_id == app_id)
    row = tx.execute(for_change(tx, select, replay_tasks)).mappings().one_or_none()
    return None if row is None else task_row(row)


def count_open(tx: Connection, app_id: str) -> int:
    """How many tasks of the app are queued or running."""
    select = sa.select(sa.func.count()).where(replay_tasks.c.app_id == app_id, _OPEN)
    return tx.execute(select).scalar_one()


def insert(tx: Connection, row: ReplayTaskRow) -> None:
    """A new task."""
    values = {name: getattr(row, name) for name in _STORED}
    values |= {name: value and json.dumps(value) for name, value in values.items() if name in _JSON}
    tx.execute(replay_tasks.insert().values(**values, position="", stepped_at=row.created_at))


def cancel(tx: Connection, task_id: str, at_ms: int) -> None:
    """End the task, unless it has ended."""
    tx.execute(
        replay_tasks.update()
        .where(replay_tasks.c.id == task_id, _OPEN)
        .values(status="cancelled", completed_at=at_ms)
    )


def task_row(row: sa.RowMapping) -> ReplayTaskRow:
    """A row of `replay_tasks` with its app's slug."""
    values = {name: row[name] for name in ReplayTaskRow.__dataclass_fields__}
    for name in _JSON:
        values[name] = values[name] and tuple(json.loads(values[name]))
    return ReplayTaskRow(**values)
