"""Rows of a claim: which endpoints have due deliveries, and what a leased one needs to be sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.tables import apps, endpoints, signing_secrets


@dataclass(frozen=True, slots=True)
class Waiting:
    """An endpoint with due deliveries: how many of them, at most its free slots."""

    endpoint_id: str
    account_id: str
    claimable: int
    saturated: bool  # more is due than its slots allow


@dataclass(frozen=True, slots=True)
class Queue:
    """The endpoints with claimable deliveries, and the next instant at which others fall due."""

    waiting: tuple[Waiting, ...]
    next_due_at: int | None


@dataclass(frozen=True, slots=True)
class Share:
    """How many deliveries of an endpoint a claim may take."""

    endpoint_id: str
    count: int


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A signing secret as stored; the vault opens it under its id."""

    id: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint as it is at the moment of the claim. Policies are JSON text."""

    endpoint_id: str
    account_id: str
    environment: str
    app_id: str
    url: str
    headers_sealed: bytes | None
    secrets: tuple[SealedSecret, ...]
    timeout_ms: int
    max_concurrency: int
    retry_policy: str | None
    app_retry_policy: str | None


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that now belongs to a session, with its message."""

    id: str
    message_id: str
    endpoint_id: str
    event_name: str
    attempt_count: int
    uncounted_attempts: int
    fence: int
    created_at: int
    accepted_at: int
    payload: bytes


def targets(connection: Connection, ids: Collection[str], now_ms: int) -> dict[str, Target]:
    """The endpoints `ids` with every secret that signs at `now_ms`, current ones first."""
    rows = connection.execute(
        sa.select(endpoints, apps.c.retry_policy.label("app_retry_policy"))
        .join(apps, apps.c.id == endpoints.c.app_id)
        .where(endpoints.c.id.in_(list(ids)))
    ).all()
    owned = _secrets_of_endpoints(connection, {row.app_id for row in rows}, ids, now_ms)
    by_app = {row.app_id for row in rows if _signs_with_app(row, now_ms)}
    shared = _secrets_of_apps(connection, by_app, now_ms) if by_app else {}
    return {
        row.id: Target(
            endpoint_id=row.id,
            account_id=row.account_id,
            environment=row.environment,
            app_id=row.app_id,
            url=row.url,
            headers_sealed=row.headers_sealed,
            secrets=_signing(row, owned.get(row.id, ()), shared.get(row.app_id, ()), now_ms),
            timeout_ms=row.timeout_ms,
            max_concurrency=row.max_concurrency,
            retry_policy=row.retry_policy,
            app_retry_policy=row.app_retry_policy,
        )
        for row in rows
    }


def _signs_with_app(row: sa.Row[tuple[object, ...]], now_ms: int) -> bool:
    return row.signing_source == "app" or _both(row, now_ms)


def _both(row: sa.Row[tuple[object, ...]], now_ms: int) -> bool:
    return row.both_sources_until is not None and row.both_sources_until > now_ms


def _signing(
    row: sa.Row[tuple[object, ...]],
    own: tuple[SealedSecret, ...],
    of_app: tuple[SealedSecret, ...],
    now_ms: int,
) -> tuple[SealedSecret, ...]:
    first, second = (of_app, own) if row.signing_source == "app" else (own, of_app)
    return first + second if _both(row, now_ms) else first


def _secrets_of_endpoints(
    connection: Connection, app_ids: Collection[str], ids: Collection[str], now_ms: int
) -> dict[str, tuple[SealedSecret, ...]]:
    # Both columns, so that the index on (app_id, endpoint_id) serves.
    found = connection.execute(
        _valid_secrets(now_ms)
        .where(signing_secrets.c.app_id.in_(list(app_ids)))
        .where(signing_secrets.c.endpoint_id.in_(list(ids)))
    )
    return _grouped((row.endpoint_id, row) for row in found)


def _secrets_of_apps(
    connection: Connection, app_ids: Collection[str], now_ms: int
) -> dict[str, tuple[SealedSecret, ...]]:
    found = connection.execute(
        _valid_secrets(now_ms)
        .where(signing_secrets.c.app_id.in_(list(app_ids)))
        .where(signing_secrets.c.endpoint_id.is_(None))
    )
    return _grouped((row.app_id, row) for row in found)


def _valid_secrets(now_ms: int) -> sa.Select[tuple[str, str, str | None, bytes]]:
    c = signing_secrets.c
    return (
        sa.select(c.id, c.app_id, c.endpoint_id, c.sealed)
        .where(sa.or_(c.expires_at.is_(None), c.expires_at > now_ms))
        .order_by(c.expires_at.is_not(None), c.id.desc())
    )


def _grouped(
    pairs: Iterable[tuple[str, sa.Row[tuple[str, str, str | None, bytes]]]],
) -> dict[str, tuple[SealedSecret, ...]]:
    groups: dict[str, tuple[SealedSecret, ...]] = {}
    for owner, row in pairs:
        groups[owner] = (*groups.get(owner, ()), SealedSecret(row.id, row.sealed))
    return groups
