"""One step of a replay task: some deliveries are looked at, and what fits is replayed.

The task's progress is written in the transaction of the deliveries that it makes: a task whose
worker dies goes on where it was, and replays nothing twice. A step looks at so few rows that
publishing does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from hookwright_server.domain.contract import Limits
from hookwright_server.ids import first_id_at
from hookwright_server.store import replays
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import IS_UNSUCCESSFUL, STATUS, is_unsuccessful, status_of
from hookwright_server.store.locking import is_shared_writing
from hookwright_server.store.planning import equal
from hookwright_server.store.replay_tasks import ReplayTaskRow, task_row
from hookwright_server.store.replays import NewReplay
from hookwright_server.store.tables import apps, deliveries, endpoints, messages, replay_tasks

AT_ONCE = 500
LOOKED_AT = Limits.replay_rows_looked_at
_COUNTED_AT_ONCE = 20_000
_ENDED = frozenset({"delivered", "failed", "dead_letter", "cancelled"})

MaxAttempts = Callable[[str | None, str | None], int]
"""How many attempts the policies of an endpoint and its app (JSON text) grant."""

_Part = tuple[int, str | None, int]
_d = deliveries.c
_TASK = (
    sa.select(replay_tasks, apps.c.slug.label("app_slug"))
    .join(apps, apps.c.id == replay_tasks.c.app_id)
    # Literals: only then does the planner see that the partial index serves.
    .where(replay_tasks.c.status.in_([sa.literal_column(f"'{s}'") for s in ("queued", "running")]))
    .order_by(replay_tasks.c.stepped_at)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Range:
    """Deliveries of an app that a task is about; `before` excludes what was made since."""

    app_id: str
    after: int
    before: int
    statuses: tuple[str, ...]
    event_name: str | None
    endpoint_id: str | None


@dataclass(frozen=True, slots=True)
class _Window:
    """Deliveries that fit, up to and with `position`; `is_last`: none are left behind it."""

    ids: Sequence[str]
    position: str
    is_last: bool


@dataclass(frozen=True, slots=True)
class Step:
    """How many deliveries a step made, and its task if it was the last one."""

    replayed: int
    completed: ReplayTaskRow | None


def step(
    tx: Connection, new_id: Callable[[], str], max_attempts: MaxAttempts, now_ms: int
) -> Step | None:
    """Go on with the task that has waited longest. None: there is none.

    A task that another process is stepping is left to that one.
    """
    found = tx.execute(_TASK.with_for_update(of=replay_tasks, skip_locked=True)).mappings()
    row = found.one_or_none()
    if row is None:
        return None
    task = task_row(row)
    window = _window(tx, task, row["position"], now_ms)
    made = _replay(tx, task.app_id, window.ids, new_id, max_attempts, now_ms)
    processed = len(window.ids)
    progress: dict[str, Any] = {
        "status": "completed" if window.is_last else "running",
        "processed_count": task.processed_count + processed,
        "replayed_count": task.replayed_count + made,
        "skipped_count": task.skipped_count + processed - made,
        "started_at": now_ms if task.started_at is None else task.started_at,
        "completed_at": now_ms if window.is_last else None,
    }
    tx.execute(
        replay_tasks.update()
        .where(replay_tasks.c.id == task.id)
        .values(position=window.position, stepped_at=now_ms, **progress)
    )
    return Step(made, replace(task, **progress) if window.is_last else None)


def count(
    read: Callable[[Callable[[Connection], _Part]], _Part], wanted: Range, most: int, now_ms: int
) -> int | None:
    """How many deliveries fit, at most `most`; asks for a part at a time with `read`.

    None: fewer were found among as many as may be looked at, and there are more.
    """
    position, counted, left = "", 0, LOOKED_AT
    while counted < most:
        if left <= 0:
            return None

        def part(tx: Connection, behind: str = position) -> _Part:
            looked_at = _behind(wanted, behind, _COUNTED_AT_ONCE).subquery()
            fits = sa.case((_fits(looked_at, wanted), 1), else_=0)
            select = sa.select(
                sa.func.count(), sa.func.max(looked_at.c.id), sa.func.coalesce(sa.func.sum(fits), 0)
            )
            rows, last, fitting = tx.execute(select, {"now_ms": now_ms}).one()
            return rows, last, int(fitting)

        rows, last, fitting = read(part)
        counted += fitting
        if rows < _COUNTED_AT_ONCE or last is None:
            break
        position, left = last, left - rows
    return min(counted, most)


def range_of(task: ReplayTaskRow) -> Range:
    """The range that a task without ids is about."""
    return Range(
        task.app_id,
        task.after or 0,
        task.before or 0,
        task.statuses or (),
        task.event_name,
        task.endpoint_id,
    )


def _window(tx: Connection, task: ReplayTaskRow, position: str, now_ms: int) -> _Window:
    if task.delivery_ids is not None:
        end = task.processed_count + AT_ONCE
        some = task.delivery_ids[task.processed_count : end]
        return _Window(some, position, end >= len(task.delivery_ids))
    wanted = range_of(task)
    looked_at = _behind(wanted, position, AT_ONCE)
    rows = tx.execute(looked_at.order_by(looked_at.selected_columns.id), {"now_ms": now_ms}).all()
    left = task.max_count - task.processed_count
    ids = [
        row.id
        for row in rows
        if row.status in wanted.statuses and wanted.event_name in (None, row.event_name)
    ][:left]
    is_last = len(rows) < AT_ONCE or len(ids) == left
    return _Window(ids, rows[-1].id if rows else position, is_last)


def _behind(wanted: Range, position: str, most: int) -> sa.Select[str, str, str]:
    """The first deliveries of the time and place by id, in any order, whatever their status:
    unless an index holds those of the wanted ones.

    The status is as it reads: what expired or lost its endpoint is perhaps not written down yet.
    """
    lowest = max(position, first_id_at("del", wanted.after))
    some = sa.select(_d.id, _d.status, _d.event_name, _d.expires_at, _d.endpoint_id).where(
        equal(_d.app_id, wanted.app_id, indexed=wanted.endpoint_id is None),
        _d.id > position if position == lowest else _d.id >= lowest,
        _d.id < first_id_at("del", wanted.before),
    )
    if wanted.endpoint_id is not None:
        some = some.where(_d.endpoint_id == wanted.endpoint_id)
    if is_unsuccessful(wanted.statuses):
        some = some.where(IS_UNSUCCESSFUL)
    # Limited before it is joined: else Postgres, guessing few, would sort all of the time.
    rows = some.order_by(_d.id).limit(most).subquery()
    select = sa.select(rows.c.id, status_of(rows).label("status"), rows.c.event_name)
    return select.join(endpoints, endpoints.c.id == rows.c.endpoint_id)


def _fits(looked_at: sa.Subquery, wanted: Range) -> sa.ColumnElement[bool]:
    fits: sa.ColumnElement[bool] = looked_at.c.status.in_(wanted.statuses)
    if wanted.event_name is not None:
        fits = sa.and_(fits, looked_at.c.event_name == wanted.event_name)
    return fits


def _replay(
    tx: Connection,
    app_id: str,
    ids: Sequence[str],
    new_id: Callable[[], str],
    max_attempts: MaxAttempts,
    now_ms: int,
) -> int:
    if not ids:
        return 0
    select = (
        sa.select(
            _d.id,
            _d.account_id,
            _d.environment,
            _d.message_id,
            _d.endpoint_id,
            _d.event_name,
            STATUS.label("status"),
            sa.or_(endpoints.c.deleted_at.is_not(None), apps.c.deleted_at.is_not(None)).label(
                "is_gone"
            ),
            messages.c.expunged_at,
            endpoints.c.retry_policy,
            apps.c.retry_policy.label("app_retry_policy"),
        )
        .join(endpoints, endpoints.c.id == _d.endpoint_id)
        .join(apps, apps.c.id == _d.app_id)
        .join(messages, messages.c.id == _d.message_id)
        .where(_d.id.in_(ids), _d.app_id == app_id)
        .order_by(_d.id)
    )
    if is_shared_writing(tx):
        select = select.with_for_update(of=messages, read=True)  # nobody expunges them meanwhile
    rows = tx.execute(select, {"now_ms": now_ms}).all()
    made = [
        NewReplay(
            id=new_id(),
            replay_of=row.id,
            account_id=row.account_id,
            environment=row.environment,
            app_id=app_id,
            message_id=row.message_id,
            endpoint_id=row.endpoint_id,
            event_name=row.event_name,
            max_attempts=max_attempts(row.retry_policy, row.app_retry_policy),
            created_at=now_ms,
        )
        for row in rows
        if row.status in _ENDED and not row.is_gone and row.expunged_at is None
    ]
    replays.insert(tx, made)
    return len(made)
