"""The health columns of endpoints, and the switch that health may pull."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

import sqlalchemy as sa

from hookwright_server.domain.health import Health
from hookwright_server.store.database import Connection
from hookwright_server.store.tables import apps, endpoints


def load(connection: Connection, ids: Collection[str]) -> dict[str, Health]:
    """The health of the endpoints `ids`, locked until the transaction ends."""
    rows = connection.execute(_LOAD, {"ids": list(ids)})
    return {row.id: Health(*row[1:]) for row in rows}


def save(connection: Connection, healths: Mapping[str, Health]) -> None:
    """Write the health of each endpoint back."""
    if healths:
        connection.execute(_SAVE, [_columns(key, health) for key, health in healths.items()])


def disable(
    connection: Connection, endpoint_id: str, reason: Literal["gone", "failing"], now_ms: int
) -> bool:
    """Switch the endpoint off and tell the app's subscriptions; False when it was off already."""
    c = endpoints.c
    app_id = connection.execute(
        sa.update(endpoints)
        .where(c.id == endpoint_id)
        .where(c.active)
        .where(c.deleted_at.is_(None))
        .values(active=False, disabled_at=now_ms, disabled_reason=reason, updated_at=now_ms)
        .returning(c.app_id)
    ).scalar_one_or_none()
    if app_id is None:
        return False
    connection.execute(
        sa.update(apps)
        .where(apps.c.id == app_id)
        .values(subscriptions_version=apps.c.subscriptions_version + 1)
    )
    return True


_LOAD = (
    sa.select(
        endpoints.c.id,
        endpoints.c.consecutive_failures,
        endpoints.c.dead_letter_streak,
        endpoints.c.first_failure_at,
        endpoints.c.last_success_at,
        endpoints.c.last_failure_at,
        endpoints.c.failing_since,
    )
    .where(endpoints.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(endpoints.c.id)
    .with_for_update()
)
_SAVE = sa.update(endpoints).where(endpoints.c.id == sa.bindparam("endpoint_id"))


def _columns(endpoint_id: str, health: Health) -> dict[str, str | int | None]:
    return {
        "endpoint_id": endpoint_id,
        "consecutive_failures": health.consecutive_failures,
        "dead_letter_streak": health.dead_letter_streak,
        "first_failure_at": health.first_failure_at,
        "last_success_at": health.last_success_at,
        "last_failure_at": health.last_failure_at,
        "failing_since": health.failing_since,
    }
