"""Rows of a claim: which endpoints have due deliveries, and what a leased one needs to be sent."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.tables import apps, endpoints, signing_secrets

Tenant = tuple[str, str]
"""Account and environment: those who share a server and must not feel one another."""


@dataclass(frozen=True, slots=True)
class Window:
    """The present window of an endpoint with a rate limit: `left` attempts may begin in it."""

    started_at: int
    used: int
    left: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """An endpoint with due deliveries: how many of them, at most its free slots and its rate."""

    endpoint_id: str
    tenant: Tenant
    claimable: int
    has_more: bool  # more is due than is claimable
    window: Window | None = None

    @classmethod
    def of(
        cls,
        endpoint_id: str,
        tenant: Tenant,
        *,
        free: int,
        due: int,
        most_counted: int,
        window: Window | None,
    ) -> Waiting:
        """An endpoint with `due` deliveries (or more, at `most_counted`) and `free` slots."""
        most = free if window is None else min(free, window.left)
        claimable = max(0, min(most, due))
        more = due > claimable or due == most_counted
        return cls(endpoint_id, tenant, claimable, more, window)

    @property
    def reopens_at(self) -> int | None:
        """When more may be claimed, if it is the rate that holds back the rest of what is due."""
        if self.window is None or not self.has_more or self.claimable < self.window.left:
            return None
        return self.window.ends_at


@dataclass(frozen=True, slots=True)
class Queue:
    """The endpoints with claimable deliveries, and when to look again unless there is a hint."""

    waiting: tuple[Waiting, ...]
    next_due_at: int | None


@dataclass(slots=True)
class Round:
    """One worker's way through endpoints that are too many for one look: `reserve` moves it on.

    The next look goes on behind the endpoint `after`; `looks` were made in this round, and
    `has_found` says whether one of them was worth its while. Until `rests_until` none is begun.
    `known` are endpoints with more due than they have slots for.
    """

    after: str = ""
    looks: int = 0
    has_found: bool = False
    rests_until: int = 0
    known: frozenset[str] = frozenset()

    def begin(self) -> None:
        """From the first endpoint on, at once."""
        self.after, self.looks, self.has_found, self.rests_until = "", 0, False, 0


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
    """An endpoint as it is at the moment of the claim. Policies and transformations are JSON text.

    From the instant `fresh_until` on other secrets sign, without any change.
    """

    secrets: tuple[SealedSecret, ...]
    fresh_until: float
    endpoint_id: str
    account_id: str
    environment: str
    app_id: str
    url: str
    headers_sealed: bytes | None
    timeout_ms: int
    max_concurrency: int
    retry_policy: str | None
    app_retry_policy: str | None
    transformation: str | None

    @property
    def tenant(self) -> Tenant:
        """Whose endpoint it is."""
        return self.account_id, self.environment


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
    traceparent: str | None = None  # of the message
    expires_at: int | None = None
    ordering_key: str | None = None  # of the order that it takes part in

    @property
    def lane(self) -> tuple[str, str] | None:
        """The order that it takes part in, see `ordering`."""
        return None if self.ordering_key is None else (self.endpoint_id, self.ordering_key)


def targets(connection: Connection, ids: Collection[str], now_ms: int) -> dict[str, Target]:
    """The endpoints `ids` with every secret that signs at `now_ms`, current ones first."""
    rows = connection.execute(_ENDPOINTS, {"ids": list(ids)}).all()
    secrets = _secrets(connection, _OWN, {row.app_id for row in rows}, now_ms, ids)
    by_app = {row.app_id for row in rows if _signs_with_app(row, now_ms)}
    if by_app:
        secrets |= _secrets(connection, _SHARED, by_app, now_ms)
    # The first columns are the first fields, in order: names cost more than places.
    return {row[0]: Target(*_signing(row, secrets, now_ms), *row[:_PLAIN]) for row in rows}


_e = endpoints.c
_s = signing_secrets.c

# Built once: building a statement costs more than running it.
_ENDPOINTS = (
    sa.select(
        _e.id,
        _e.account_id,
        _e.environment,
        _e.app_id,
        _e.url,
        _e.headers_sealed,
        _e.timeout_ms,
        _e.max_concurrency,
        _e.retry_policy,
        apps.c.retry_policy,
        _e.transformation,
        _e.signing_source,
        _e.both_sources_until,
        _e.signing_scheme,
        _e.both_schemes_until,
    )
    .join(apps, apps.c.id == _e.app_id)
    .where(_e.id.in_(sa.bindparam("ids", expanding=True)))
)
_PLAIN = 11
_VALID = (
    sa.select(_s.app_id, _s.endpoint_id, _s.id, _s.sealed, _s.expires_at, _s.scheme)
    .where(_s.app_id.in_(sa.bindparam("app_ids", expanding=True)))
    .where(sa.or_(_s.expires_at.is_(None), _s.expires_at > sa.bindparam("now_ms")))
    .order_by(_s.expires_at.is_not(None), _s.id.desc())
)
_OWN = _VALID.where(_s.endpoint_id.in_(sa.bindparam("ids", expanding=True)))
_SHARED = _VALID.where(_s.endpoint_id.is_(None))

_Row = sa.Row[*tuple[Any, ...]]
_Expiring = tuple[SealedSecret, float, str]
_Secrets = dict[tuple[str, str | None], tuple[_Expiring, ...]]


def _secrets(
    connection: Connection,
    statement: sa.Select[str, str | None, str, bytes, int | None, str],
    app_ids: Collection[str],
    now_ms: int,
    ids: Collection[str] = (),
) -> _Secrets:
    values: dict[str, object] = {"app_ids": list(app_ids), "now_ms": now_ms}
    if ids:
        values["ids"] = list(ids)
    found: _Secrets = {}
    for row in connection.execute(statement, values):
        app_id, endpoint_id, secret_id, sealed, until, scheme = row
        owner = (app_id, endpoint_id)
        secret = SealedSecret(secret_id, sealed), math.inf if until is None else until, scheme
        found[owner] = (*found.get(owner, ()), secret)
    return found


def _signs_with_app(row: _Row, now_ms: int) -> bool:
    return row.signing_source == "app" or _both(row, now_ms)


def _both(row: _Row, now_ms: int) -> bool:
    """For 24 h after the source was switched both sources sign."""
    return row.both_sources_until is not None and row.both_sources_until > now_ms


def _both_schemes(row: _Row, now_ms: int) -> bool:
    """For 24 h after the scheme was switched both schemes sign."""
    return row.both_schemes_until is not None and row.both_schemes_until > now_ms


def _signing(row: _Row, secrets: _Secrets, now_ms: int) -> tuple[tuple[SealedSecret, ...], float]:
    """The secrets that sign now, and until when it is these."""
    own, shared = secrets.get((row.app_id, row.id), ()), secrets.get((row.app_id, None), ())
    first, second = (shared, own) if row.signing_source == "app" else (own, shared)
    ends: list[float] = []
    signing = first
    if _both(row, now_ms):
        signing = first + second
        ends.append(row.both_sources_until)
    if _both_schemes(row, now_ms):
        ends.append(row.both_schemes_until)
        signing = tuple(sorted(signing, key=lambda each: each[2] != row.signing_scheme))
    else:
        signing = tuple(each for each in signing if each[2] == row.signing_scheme)
    ends += [until for _, until, _ in signing]
    return tuple(secret for secret, _, _ in signing), min(ends, default=math.inf)
