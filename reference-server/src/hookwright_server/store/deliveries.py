"""Deliveries as the API reads and steers them; the engine's side is in claims and results.

A pending delivery of a disabled endpoint reads as `held`, one of a deleted endpoint as
`cancelled`: disabling and deleting change one row, not a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.ids import first_id_at
from hookwright_server.store import pages
from hookwright_server.store.database import Connection
from hookwright_server.store.locking import for_change
from hookwright_server.store.realm import Realm
from hookwright_server.store.tables import apps, attempts, deliveries, endpoints


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


_PENDING = deliveries.c.status == "pending"
_GONE = endpoints.c.deleted_at.is_not(None)
_IDLE = sa.and_(endpoints.c.deleted_at.is_(None), endpoints.c.active == sa.false())
_LOST = sa.and_(_PENDING, _GONE)

_STATUS = sa.case(
    (_LOST, "cancelled"), (sa.and_(_PENDING, _IDLE), "held"), else_=deliveries.c.status
)
_DERIVED = {
    "status": _STATUS,
    "cancel_reason": sa.case((_LOST, "endpoint_deleted"), else_=deliveries.c.cancel_reason),
    "completed_at": sa.case((_LOST, endpoints.c.deleted_at), else_=deliveries.c.completed_at),
    "next_attempt_at": sa.case((_LOST, sa.null()), else_=deliveries.c.next_attempt_at),
    "app_slug": apps.c.slug,
    "endpoint_url": endpoints.c.url,
    "endpoint_is_gone": _GONE,
}
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


def page(
    tx: Connection, realm: Realm, wanted: DeliveryFilter, query: pages.PageQuery
) -> pages.RowPage[DeliveryRow]:
    """The realm's deliveries that fit `wanted`, newest first."""
    select = _SELECT.where(realm.owns(deliveries), *_conditions(wanted))
    return pages.fetch(tx, select, deliveries.c.id, query, _row)


def find(tx: Connection, realm: Realm, app_id: str | None, delivery_id: str) -> DeliveryRow | None:
    """The delivery, if the realm (and the app, if given) has it."""
    select = _SELECT.where(realm.owns(deliveries), deliveries.c.id == delivery_id)
    if app_id is not None:
        select = select.where(deliveries.c.app_id == app_id)
    row = tx.execute(for_change(tx, select, deliveries)).mappings().one_or_none()
    return None if row is None else _row(row)


def of_message(tx: Connection, message_id: str, limit: int) -> tuple[DeliveryRow, ...]:
    """The newest deliveries of a message."""
    select = _SELECT.where(deliveries.c.message_id == message_id)
    found = tx.execute(select.order_by(deliveries.c.id.desc()).limit(limit)).mappings()
    return tuple(_row(row) for row in found)


def attempts_page(
    tx: Connection, delivery_id: str, query: pages.PageQuery
) -> pages.RowPage[AttemptRow]:
    """A delivery's attempts, newest first."""
    select = sa.select(*(attempts.c[name] for name in _ATTEMPT_FIELDS))
    select = select.where(attempts.c.delivery_id == delivery_id)
    return pages.fetch(tx, select, attempts.c.id, query, _attempt)


def restart(tx: Connection, delivery_id: str, max_attempts: int, due_at: int) -> None:
    """Make a finished delivery pending on a fresh schedule; its attempt numbers go on."""
    tx.execute(
        deliveries.update()
        .where(deliveries.c.id == delivery_id)
        .values(
            status="pending",
            uncounted_attempts=deliveries.c.attempt_count,
            max_attempts=max_attempts,
            next_attempt_at=due_at,
            completed_at=None,
        )
    )


def cancel_pending(tx: Connection, endpoint_id: str, reason: str, at_ms: int) -> None:
    """Cancel what waits for an endpoint; an attempt under way is not touched."""
    tx.execute(
        deliveries.update()
        .where(deliveries.c.endpoint_id == endpoint_id, _PENDING)
        .values(status="cancelled", cancel_reason=reason, completed_at=at_ms, next_attempt_at=None)
    )


def _conditions(wanted: DeliveryFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for column, value in (
        (deliveries.c.app_id, wanted.app_id),
        (deliveries.c.endpoint_id, wanted.endpoint_id),
        (deliveries.c.event_name, wanted.event_name),
        (deliveries.c.message_id, wanted.message_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.after is not None:
        conditions.append(deliveries.c.id >= first_id_at("del", wanted.after))
    if wanted.before is not None:
        conditions.append(deliveries.c.id < first_id_at("del", wanted.before))
    if wanted.statuses:
        conditions.append(_in_status(wanted.statuses))
    return conditions


def _in_status(statuses: Sequence[str]) -> sa.ColumnElement[bool]:
    wanted = {status for status in statuses if status != "unsuccessful"}
    if "unsuccessful" in statuses:
        wanted |= {"failed", "dead_letter"}
    return _STATUS.in_(sorted(wanted))


def _row(row: sa.RowMapping) -> DeliveryRow:
    return DeliveryRow(**{name: row[name] for name in _FIELDS})


def _attempt(row: sa.RowMapping) -> AttemptRow:
    return AttemptRow(**{name: row[name] for name in _ATTEMPT_FIELDS})
