"""Deliveries as the API reads and steers them; the engine's side is in claims and results.

A pending delivery of a disabled endpoint reads as `held`, one of a deleted endpoint and one that
has expired as `cancelled`: disabling and deleting change one row, not a million, and time none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from hookwright_server.ids import first_id_at
from hookwright_server.store import live_deliveries, ordering, pages
from hookwright_server.store.database import Connection
from hookwright_server.store.endings import CANCELLED, let_go
from hookwright_server.store.locking import for_change
from hookwright_server.store.planning import equal, in_order_of_index
from hookwright_server.store.realm import Realm
from hookwright_server.store.rollup_deltas import (
    ORIGIN,
    Origin,
    count_reopened,
)
from hookwright_server.store.tables import (
    UNSUCCESSFUL,
    apps,
    attempts,
    deliveries,
    endpoints,
)


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message to one endpoint, as it reads now."""

    id: str
    app_id: str
    message_id: str
    endpoint_id: str
    event_name: str
    status: str
    attempt_count: int
    max_attempts: int
    next_attempt_at: int | None
    last_status_code: int | None
    last_failure_reason: str | None
    latency_ms: int | None
    cancel_reason: str | None
    created_at: int
    completed_at: int | None
    expires_at: int | None
    replay_of: str | None
    ordering_key: str | None
    sequence: int | None
    app_slug: str
    endpoint_url: str
    endpoint_is_gone: bool


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One try at a delivery."""

    id: str
    number: int
    failure_reason: str | None
    status_code: int | None
    latency_ms: int | None
    response_body: bytes | None
    response_body_truncated: bool
    request_headers: str
    created_at: int


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries of a list; None and an empty tuple leave a condition out."""

    app_id: str | None = None
    statuses: tuple[str, ...] = ()
    endpoint_id: str | None = None
    event_name: str | None = None
    message_id: str | None = None
    after: int | None = None
    before: int | None = None


def _pending(rows: sa.FromClause) -> sa.ColumnElement[bool]:
    return rows.c.status == "pending"


def _lost(rows: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(_pending(rows), _GONE)


def _expired(rows: sa.FromClause) -> sa.ColumnElement[bool]:
    now_ms = sa.bindparam("now_ms", type_=sa.BigInteger)
    return sa.and_(_pending(rows), rows.c.expires_at <= now_ms)


def status_of(rows: sa.FromClause) -> sa.Case[str]:
    """The status as these deliveries read; needs their endpoints, and the parameter `now_ms`."""
    return sa.case(
        (sa.or_(_lost(rows), _expired(rows)), "cancelled"),
        (sa.and_(_pending(rows), _IDLE), "held"),
        else_=rows.c.status,
    )


# A literal: only then does the planner see that the partial index serves.
_STORED_PENDING = deliveries.c.status == sa.literal_column("'pending'")
_GONE = endpoints.c.deleted_at.is_not(None)
_IDLE = sa.and_(endpoints.c.deleted_at.is_(None), endpoints.c.active == sa.false())
_PENDING = _pending(deliveries)
_LOST = _lost(deliveries)
_EXPIRED = _expired(deliveries)
# It will have expired by then.
_TOO_LATE = sa.and_(_PENDING, deliveries.c.expires_at <= deliveries.c.next_attempt_at)
# What expired before its endpoint was deleted stays expired.
_EXPIRED_FIRST = sa.and_(
    _EXPIRED, sa.or_(sa.not_(_GONE), deliveries.c.expires_at <= endpoints.c.deleted_at)
)

STATUS = status_of(deliveries)
"""The status as a delivery reads; needs the endpoint's row, and the parameter `now_ms`."""

_DERIVED = {
    "status": STATUS,
    "cancel_reason": sa.case(
        (_EXPIRED_FIRST, "expired"),
        (_LOST, "endpoint_deleted"),
        else_=deliveries.c.cancel_reason,
    ),
    "completed_at": sa.case(
        (_EXPIRED_FIRST, deliveries.c.expires_at),
        (_LOST, endpoints.c.deleted_at),
        else_=deliveries.c.completed_at,
    ),
    "next_attempt_at": sa.case(
        (sa.or_(_LOST, _EXPIRED, _TOO_LATE), sa.null()), else_=deliveries.c.next_attempt_at
    ),
    "app_slug": apps.c.slug,
    "endpoint_url": endpoints.c.url,
    "endpoint_is_gone": _GONE,
}
_UNSUCCESSFUL = {"failed", "dead_letter"}
IS_UNSUCCESSFUL: sa.ColumnElement[bool] = sa.literal_column(f"deliveries.{UNSUCCESSFUL}")
"""The condition under which indexes serve that hold nothing else."""
_FIELDS = tuple(DeliveryRow.__dataclass_fields__)
_SELECT = (
    sa.select(
        *(
            _DERIVED[name].label(name) if name in _DERIVED else deliveries.c[name]
            for name in _FIELDS
        )
    )
    .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
    .join(apps, apps.c.id == deliveries.c.app_id)
)
_ATTEMPT_FIELDS = tuple(AttemptRow.__dataclass_fields__)


def is_unsuccessful(statuses: Collection[str]) -> bool:
    """Whether these are but failed or dead letter; both read as they are stored."""
    return _UNSUCCESSFUL.issuperset(statuses)


def page(
    tx: Connection, realm: Realm, wanted: DeliveryFilter, query: pages.PageQuery, now_ms: int
) -> pages.RowPage[DeliveryRow]:
    """The realm's deliveries that fit `wanted`, newest first, as they read at `now_ms`."""
    if wanted.endpoint_id is not None and not _is_endpoint_of(tx, realm, wanted):
        # Else how far a page has looked would tell of what is not the caller's.
        return pages.RowPage((), None, 0 if query.include_total else None)
    if wanted.statuses and is_unsuccessful(_spelled_out(wanted.statuses)):
        in_order_of_index(tx)
    walk = _walk(realm, wanted)
    select = _SELECT.where(*walk.place, *walk.conditions)
    return pages.fetch(
        tx,
        select,
        deliveries.c.id,
        query,
        _row,
        {"now_ms": now_ms},
        span=_span(wanted),
        look=walk.look,
    )


def find(
    tx: Connection, realm: Realm, app_id: str | None, delivery_id: str, now_ms: int
) -> DeliveryRow | None:
    """The delivery as it reads at `now_ms`, if the realm (and the app, if given) has it."""
    select = _SELECT.where(realm.owns(deliveries), deliveries.c.id == delivery_id)
    if app_id is not None:
        select = select.where(deliveries.c.app_id == app_id)
    locked = for_change(tx, select, deliveries)
    row = tx.execute(locked, {"now_ms": now_ms}).mappings().one_or_none()
    return None if row is None else _row(row)


def of_message(tx: Connection, message_id: str, limit: int, now_ms: int) -> tuple[DeliveryRow, ...]:
    """The newest deliveries of a message, as they read at `now_ms`."""
    select = _SELECT.where(deliveries.c.message_id == message_id)
    newest = select.order_by(deliveries.c.id.desc()).limit(limit)
    return tuple(_row(row) for row in tx.execute(newest, {"now_ms": now_ms}).mappings())


def attempts_page(
    tx: Connection, delivery_id: str, query: pages.PageQuery
) -> pages.RowPage[AttemptRow]:
    """A delivery's attempts, newest first."""
    select = sa.select(*(attempts.c[name] for name in _ATTEMPT_FIELDS))
    select = select.where(attempts.c.delivery_id == delivery_id)
    return pages.fetch(tx, select, attempts.c.id, query, _attempt)


def restart(tx: Connection, delivery_id: str, max_attempts: int, due_at: int) -> None:
    """Make a finished delivery pending on a fresh schedule; its attempt numbers go on."""
    status, *origin = cast(
        "tuple[Any, ...]",
        tx.execute(
            sa.select(deliveries.c.status, *ORIGIN).where(deliveries.c.id == delivery_id)
        ).one(),
    )
    count_reopened(tx, Origin(*origin), status)
    tx.execute(
        deliveries.update()
        .where(deliveries.c.id == delivery_id)
        .values(
            status="pending",
            uncounted_attempts=deliveries.c.attempt_count,
            max_attempts=max_attempts,
            next_attempt_at=due_at,
            completed_at=None,
            is_ordered=None,  # others have gone meanwhile
        )
    )


def cancel_pending(tx: Connection, endpoint_id: str, reason: str, at_ms: int, limit: int) -> int:
    """Cancel at most `limit` of those that wait for an endpoint; how many that were.

    What has expired ends as expired; an attempt under way is not touched.
    """
    some = sa.select(deliveries.c.id, *ordering.LANE).where(
        deliveries.c.endpoint_id == endpoint_id, _STORED_PENDING
    )
    rows = tx.execute(some.limit(limit)).all()
    if not rows:
        return 0
    ordering.hold(tx, ordering.lanes(row[1:] for row in rows))
    expired = deliveries.c.expires_at <= at_ms
    cancelled = tx.execute(
        deliveries.update()
        .where(deliveries.c.id.in_([row.id for row in rows]), _STORED_PENDING)
        .values(
            status="cancelled",
            cancel_reason=sa.case((expired, "expired"), else_=reason),
            completed_at=sa.case((expired, deliveries.c.expires_at), else_=at_ms),
            next_attempt_at=None,
        )
        .returning(*CANCELLED)
    )
    let_go(tx, cancelled, at_ms)
    return len(rows)


@dataclass(frozen=True, slots=True)
class _Walk:
    """How a list finds its rows; `look` None: all that the place's index finds are of the list."""

    place: Sequence[sa.ColumnElement[bool]]
    conditions: Sequence[sa.ColumnElement[bool]]
    look: pages.Look | None


def _walk(realm: Realm, wanted: DeliveryFilter) -> _Walk:
    """Whose deliveries, and which; found by the narrowest of those that are given."""
    statuses = _spelled_out(wanted.statuses)
    given = {
        name: value
        for name, value in (
            ("message_id", wanted.message_id),
            ("endpoint_id", wanted.endpoint_id),
            ("app_id", wanted.app_id or realm.app_id),
        )
        if value is not None
    }
    narrowest = next(iter(given), None)
    place = [
        realm.owns(deliveries, indexed=narrowest is None),
        *(equal(deliveries.c[name], given[name], indexed=name == narrowest) for name in given),
    ]
    conditions: list[sa.ColumnElement[bool]] = []
    is_by_index = bool(statuses) and is_unsuccessful(statuses)
    if is_by_index:
        conditions.append(IS_UNSUCCESSFUL)
    walked = sa.select(deliveries.c.id).where(_owned(realm, given, narrowest), *conditions)
    if wanted.event_name is not None:
        conditions.append(deliveries.c.event_name == wanted.event_name)
    if statuses:
        status = deliveries.c.status if is_by_index else STATUS
        conditions.append(status.in_(sorted(statuses)))
    if narrowest == "message_id" or (
        wanted.event_name is None and statuses in (set[str](), _UNSUCCESSFUL)
    ):
        return _Walk(place, conditions, None)
    if statuses and statuses <= live_deliveries.STORED.keys():
        of = _endpoints_of(realm, wanted)
        return _Walk(place, conditions, live_deliveries.look(realm, of, statuses, walked))
    return _Walk(place, conditions, pages.in_order(walked, deliveries.c.id, apart=is_by_index))


def _owned(realm: Realm, given: Mapping[str, str], narrowest: str | None) -> sa.ColumnElement[bool]:
    """Only what the index holds: then the table is not looked at."""
    if narrowest is not None:
        return deliveries.c[narrowest] == given[narrowest]
    return Realm(realm.account_id, realm.environment).owns(deliveries)


def _spelled_out(statuses: Sequence[str]) -> set[str]:
    named = set(statuses)
    return named - {"unsuccessful"} | _UNSUCCESSFUL if "unsuccessful" in named else named


def _span(wanted: DeliveryFilter) -> pages.Span:
    return pages.Span(
        None if wanted.after is None else first_id_at("del", wanted.after),
        None if wanted.before is None else first_id_at("del", wanted.before),
    )


def _is_endpoint_of(tx: Connection, realm: Realm, wanted: DeliveryFilter) -> bool:
    select = sa.select(endpoints.c.id).where(*_endpoints_of(realm, wanted))
    return tx.execute(select).one_or_none() is not None


def _endpoints_of(realm: Realm, wanted: DeliveryFilter) -> list[sa.ColumnElement[bool]]:
    """Whose deliveries they are, as conditions on endpoints; deleted ones included."""
    by_id = wanted.endpoint_id is not None
    app_id = wanted.app_id or realm.app_id
    of = [
        Realm(realm.account_id, realm.environment).owns(
            endpoints, indexed=not by_id and app_id is None
        )
    ]
    if realm.app_id is not None:
        of.append(equal(endpoints.c.app_id, realm.app_id, indexed=False))
    if app_id is not None:
        of.append(equal(endpoints.c.app_id, app_id, indexed=not by_id))
    return [*of, endpoints.c.id == wanted.endpoint_id] if by_id else of


def _row(row: sa.RowMapping) -> DeliveryRow:
    return DeliveryRow(**{name: row[name] for name in _FIELDS})


def _attempt(row: sa.RowMapping) -> AttemptRow:
    return AttemptRow(**{name: row[name] for name in _ATTEMPT_FIELDS})
