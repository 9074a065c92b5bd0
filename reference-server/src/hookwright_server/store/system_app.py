"""The apps `_system`: to each of them the platform publishes what happens in its realm."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from hookwright_server.domain.filters import Filter, compile_filter
from hookwright_server.domain.slug import SYSTEM
from hookwright_server.domain.subscriptions import Subscription, subscription
from hookwright_server.store.claims import Tenant
from hookwright_server.store.database import Connection
from hookwright_server.store.tables import apps, endpoints


@dataclass(frozen=True, slots=True)
class Listener:
    """An endpoint of `_system`, with the policy that holds for it."""

    endpoint_id: str
    subscription: Subscription
    filter: Filter | None
    retry_policy: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SystemApp:
    """An active app `_system` with its endpoints at one version."""

    id: str
    version: int
    listeners: tuple[Listener, ...]


def find(tx: Connection, tenants: Collection[Tenant]) -> dict[Tenant, SystemApp]:
    """The app `_system` of each tenant that has one with endpoints."""
    rows = tx.execute(_FIND, {"accounts": sorted({account_id for account_id, _ in tenants})})
    found: dict[Tenant, SystemApp] = {}
    for row in rows.mappings():
        tenant = row["account_id"], row["environment"]
        if tenant not in tenants:
            continue
        policy, rules = row["own_policy"] or row["app_policy"], row["filter_rules"]
        listener = Listener(
            row["endpoint_id"],
            subscription(json.loads(row["events"])),
            None if rules is None else _compiled(rules),
            {} if policy is None else json.loads(policy),
        )
        listeners = found[tenant].listeners if tenant in found else ()
        found[tenant] = SystemApp(row["id"], row["version"], (*listeners, listener))
    return found


@lru_cache(maxsize=1_024)
def _compiled(rules: str) -> Filter:
    """By its text: what happens often is told to the same endpoints each time."""
    return compile_filter(json.loads(rules))


def slugs(tx: Connection, ids: Collection[str]) -> dict[str, str]:
    """The slugs of these apps, deleted ones included."""
    if not ids:
        return {}
    return dict(tx.execute(sa.select(apps.c.id, apps.c.slug).where(apps.c.id.in_(ids))).all())


_FIND = (
    sa.select(
        apps.c.id,
        apps.c.account_id,
        apps.c.environment,
        apps.c.subscriptions_version.label("version"),
        apps.c.retry_policy.label("app_policy"),
        endpoints.c.id.label("endpoint_id"),
        endpoints.c.events,
        endpoints.c.filter_rules,
        endpoints.c.retry_policy.label("own_policy"),
    )
    .join(endpoints, endpoints.c.app_id == apps.c.id)
    .where(apps.c.account_id.in_(sa.bindparam("accounts", expanding=True)))
    .where(apps.c.environment.in_(["live", "test"]), apps.c.slug == SYSTEM)
    .where(apps.c.deleted_at.is_(None), apps.c.active, endpoints.c.deleted_at.is_(None))
    .order_by(endpoints.c.id)
)
