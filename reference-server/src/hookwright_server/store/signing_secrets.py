"""Signing secrets of apps and endpoints: one is current, earlier ones sign until they expire."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.domain.signing_keys import Scheme
from hookwright_server.store.database import Connection
from hookwright_server.store.tables import signing_secrets


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that becomes its owner's current one; `endpoint_id` None: the app's."""

    id: str
    account_id: str
    environment: str
    app_id: str
    endpoint_id: str | None
    sealed: bytes
    created_at: int
    scheme: Scheme = "v1"


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret that signs, as stored; `expires_at` None: it is its owner's current one."""

    id: str
    sealed: bytes
    expires_at: int | None


def insert(tx: Connection, secret: NewSecret) -> None:
    """Make `secret` its owner's current secret."""
    values = {name: getattr(secret, name) for name in NewSecret.__dataclass_fields__}
    values["expires_at"] = None
    tx.execute(signing_secrets.insert().values(values))


def valid(
    tx: Connection, app_id: str, endpoint_id: str | None, scheme: Scheme, now_ms: int
) -> list[StoredSecret]:
    """The owner's secrets of `scheme` that have not ended, the current one first."""
    c = signing_secrets.c
    rows = tx.execute(
        sa.select(c.id, c.sealed, c.expires_at)
        .where(_owner(app_id, endpoint_id), c.scheme == scheme)
        .where(sa.or_(c.expires_at.is_(None), c.expires_at > now_ms))
        .order_by(c.expires_at.is_not(None), c.id.desc())
    )
    return [StoredSecret(*row) for row in rows]


def expire_current(
    tx: Connection,
    app_id: str,
    endpoint_id: str | None,
    now_ms: int,
    expires_at: int,
    scheme: Scheme | None = None,
) -> None:
    """Let the owner's secrets end at `expires_at`, or earlier where that was said before.

    With a `scheme` those of that scheme alone. Secrets that end at once are deleted.
    """
    owner = _owner(app_id, endpoint_id)
    if scheme is not None:
        owner = sa.and_(owner, signing_secrets.c.scheme == scheme)
    still = sa.or_(signing_secrets.c.expires_at.is_(None), signing_secrets.c.expires_at > now_ms)
    if expires_at <= now_ms:
        tx.execute(signing_secrets.delete().where(owner))
        return
    later = sa.or_(
        signing_secrets.c.expires_at.is_(None), signing_secrets.c.expires_at > expires_at
    )
    tx.execute(signing_secrets.update().where(owner, still, later).values(expires_at=expires_at))


def erase(tx: Connection, app_id: str, endpoint_id: str) -> None:
    """Erase the secrets of an endpoint that is deleted: nothing is claimed for it any more."""
    tx.execute(signing_secrets.delete().where(_owner(app_id, endpoint_id)))


def erase_of_app(tx: Connection, app_id: str) -> None:
    """Erase the secrets of an app that is deleted, and of its endpoints."""
    tx.execute(signing_secrets.delete().where(signing_secrets.c.app_id == app_id))


def keep_newest(
    tx: Connection, app_id: str, endpoint_id: str | None, count: int, scheme: Scheme | None = None
) -> None:
    """Delete the owner's secrets but so many; with a `scheme` those of that scheme alone."""
    c = signing_secrets.c
    owner = _owner(app_id, endpoint_id)
    if scheme is not None:
        owner = sa.and_(owner, c.scheme == scheme)
    newest = sa.select(c.id).where(owner).order_by(c.id.desc()).limit(count)
    tx.execute(signing_secrets.delete().where(owner, c.id.not_in(newest)))


def _owner(app_id: str, endpoint_id: str | None) -> sa.ColumnElement[bool]:
    whose = (
        signing_secrets.c.endpoint_id.is_(None)
        if endpoint_id is None
        else signing_secrets.c.endpoint_id == endpoint_id
    )
    return sa.and_(signing_secrets.c.app_id == app_id, whose)
