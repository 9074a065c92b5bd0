"""Endpoints: where an app's events go."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hookwright_server.domain.health import FAILING_AFTER, Health
from hookwright_server.domain.signing_keys import Scheme
from hookwright_server.domain.subscriptions import matches
from hookwright_server.store import pages
from hookwright_server.store.database import Connection
from hookwright_server.store.locking import for_change
from hookwright_server.store.realm import Realm
from hookwright_server.store.tables import apps, endpoints

_JSON = ("events", "header_names", "metadata")
_NULLABLE_JSON = ("retry_policy", "filter_rules", "transformation")
_HEALTH = tuple(Health.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """An endpoint that is not deleted."""

    id: str
    account_id: str
    environment: str
    app_id: str
    url: str
    description: str | None
    events: tuple[str, ...]
    header_names: tuple[str, ...]
    headers_sealed: bytes | None
    metadata: dict[str, Any]
    active: bool
    timeout_ms: int
    retry_policy: dict[str, Any] | None
    max_concurrency: int
    signing_source: str
    both_sources_until: int | None
    signing_scheme: Scheme
    both_schemes_until: int | None
    rate_max_requests: int | None
    rate_duration_ms: int | None
    health: Health
    disabled_at: int | None
    disabled_reason: str | None
    created_at: int
    updated_at: int
    app_slug: str
    filter_rules: dict[str, Any] | None = None
    transformation: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class EndpointFilter:
    """Which endpoints of a list; None leaves a condition out."""

    app_id: str | None = None
    active: bool | None = None
    state: str | None = None
    event_name: str | None = None


_STORED = tuple(
    name for name in EndpointRow.__dataclass_fields__ if name not in {"health", "app_slug"}
)
_SELECT = (
    sa.select(
        *(endpoints.c[name] for name in (*_STORED, *_HEALTH)),
        apps.c.slug.label("app_slug"),
    )
    .join(apps, apps.c.id == endpoints.c.app_id)
    .where(endpoints.c.deleted_at.is_(None), apps.c.deleted_at.is_(None))
)


def find(tx: Connection, realm: Realm, app_id: str, endpoint_id: str) -> EndpointRow | None:
    """The endpoint of this app, if the realm has it."""
    select = _SELECT.where(
        realm.owns(endpoints), endpoints.c.app_id == app_id, endpoints.c.id == endpoint_id
    )
    row = tx.execute(for_change(tx, select, endpoints)).mappings().one_or_none()
    return None if row is None else _row(row)


def of_app(tx: Connection, app_id: str) -> tuple[EndpointRow, ...]:
    """Every endpoint of an app, oldest first."""
    select = _SELECT.where(endpoints.c.app_id == app_id).order_by(endpoints.c.id)
    return tuple(_row(row) for row in tx.execute(select).mappings())


def page(
    tx: Connection, realm: Realm, wanted: EndpointFilter, query: pages.PageQuery
) -> pages.RowPage[EndpointRow]:
    """The realm's endpoints that fit `wanted`, newest first."""
    by_scope = wanted.app_id is None
    owned = realm.owns(endpoints, indexed=by_scope)
    select = _SELECT.where(owned, *_conditions(tx, realm, wanted))
    return pages.fetch(tx, select, endpoints.c.id, query, _row)


def count_of_app(tx: Connection, app_id: str, most: int) -> int:
    """How many endpoints an app has; counts up to `most`."""
    some = (
        sa.select(endpoints.c.id)
        .where(endpoints.c.app_id == app_id, endpoints.c.deleted_at.is_(None))
        .limit(most)
    )
    return pages.count(tx, some)


def by_state(tx: Connection, realm: Realm) -> dict[str, int]:
    """How many endpoints of the realm are in each state of health; states of none are left out."""
    state = sa.case(
        *((_in_state(each), each) for each in ("disabled", "failing", "degraded")), else_="healthy"
    )
    select = (
        sa.select(state, sa.func.count())
        .join_from(endpoints, apps, apps.c.id == endpoints.c.app_id)
        .where(realm.owns(endpoints), endpoints.c.deleted_at.is_(None), apps.c.deleted_at.is_(None))
        .group_by(state)
    )
    return {row[0]: row[1] for row in tx.execute(select)}


def insert(tx: Connection, row: EndpointRow) -> None:
    """A new endpoint."""
    tx.execute(endpoints.insert().values(_values(row)))


def update(tx: Connection, row: EndpointRow) -> None:
    """Write `row` over its earlier state; its health, which the recorder writes, stays."""
    values = {name: value for name, value in _values(row).items() if name not in _HEALTH}
    tx.execute(endpoints.update().where(endpoints.c.id == row.id).values(values))


def write_health(tx: Connection, endpoint_id: str, health: Health) -> None:
    """Write the health of one endpoint."""
    values = {name: getattr(health, name) for name in _HEALTH}
    tx.execute(endpoints.update().where(endpoints.c.id == endpoint_id).values(values))


def mark_deleted(tx: Connection, condition: sa.ColumnElement[bool], at_ms: int) -> None:
    """Take endpoints out of sight; their pending deliveries read as cancelled from now on.

    What their headers hold is erased.
    """
    tx.execute(
        endpoints.update()
        .where(condition, endpoints.c.deleted_at.is_(None))
        .values(deleted_at=at_ms, active=False, headers_sealed=None)
    )


def delete(tx: Connection, endpoint_id: str, at_ms: int) -> None:
    """Delete one endpoint."""
    mark_deleted(tx, endpoints.c.id == endpoint_id, at_ms)


def delete_of_app(tx: Connection, app_id: str, at_ms: int) -> None:
    """Delete every endpoint of an app."""
    mark_deleted(tx, endpoints.c.app_id == app_id, at_ms)


def _conditions(
    tx: Connection, realm: Realm, wanted: EndpointFilter
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.app_id is not None:
        conditions.append(endpoints.c.app_id == wanted.app_id)
    if wanted.active is not None:
        conditions.append(endpoints.c.active == wanted.active)
    if wanted.state is not None:
        conditions.append(_in_state(wanted.state))
    if wanted.event_name is not None:
        conditions.append(endpoints.c.events.in_(_subscribing(tx, realm, wanted.event_name)))
    return conditions


def _in_state(state: str) -> sa.ColumnElement[bool]:
    failures = endpoints.c.consecutive_failures
    active = endpoints.c.active == sa.true()
    match state:
        case "disabled":
            return sa.not_(active)
        case "failing":
            return sa.and_(active, failures >= FAILING_AFTER)
        case "degraded":
            return sa.and_(active, failures >= 1, failures < FAILING_AFTER)
        case _:
            return sa.and_(active, failures == 0)


def _subscribing(tx: Connection, realm: Realm, event_name: str) -> list[str]:
    # Few distinct lists exist in a realm, so the rule stays in the domain, not in SQL.
    live = sa.select(endpoints.c.events).where(
        realm.owns(endpoints), endpoints.c.deleted_at.is_(None)
    )
    lists = tx.execute(live.distinct()).scalars()
    return [text for text in lists if matches(json.loads(text), event_name)]


def _row(row: sa.RowMapping) -> EndpointRow:
    values = {name: row[name] for name in (*_STORED, "app_slug")}
    values["events"] = tuple(json.loads(values["events"]))
    values["header_names"] = tuple(json.loads(values["header_names"]))
    values["metadata"] = json.loads(values["metadata"])
    values |= {name: values[name] and json.loads(values[name]) for name in _NULLABLE_JSON}
    return EndpointRow(**values, health=Health(**{name: row[name] for name in _HEALTH}))


def _values(row: EndpointRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _STORED}
    values |= {name: getattr(row.health, name) for name in _HEALTH}
    values |= {name: json.dumps(values[name]) for name in _JSON}
    for name in _NULLABLE_JSON:
        values[name] = None if values[name] is None else json.dumps(values[name])
    return values
