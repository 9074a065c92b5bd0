"""Signing secrets of apps and endpoints: one is current, earlier ones sign until they expire."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

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


def insert(tx: Connection, secret: NewSecret) -> None:
    """Make `secret` its owner's current secret."""
    values = {name: getattr(secret, name) for name in NewSecret.__dataclass_fields__}
    values["expires_at"] = None
    tx.execute(signing_secrets.insert().values(values))


def expire_current(
    tx: Connection, app_id: str, endpoint_id: str | None, now_ms: int, expires_at: int
) -> None:
    """Let the owner's secrets end at `expires_at`, or earlier where that was said before.

    Secrets that end at once are deleted.
    """
    owner = _owner(app_id, endpoint_id)
    still = sa.or_(signing_secrets.c.expires_at.is_(None), signing_secrets.c.expires_at > now_ms)
    if expires_at <= now_ms:
        tx.execute(signing_secrets.delete().where(owner))
        return
    later = sa.or_(
        signing_secrets.c.expires_at.is_(None), signing_secrets.c.expires_at > expires_at
    )
    tx.execute(signing_secrets.update().where(owner, still, later).values(expires_at=expires_at))


def _owner(app_id: str, endpoint_id: str | None) -> sa.ColumnElement[bool]:
    whose = (
        signing_secrets.c.endpoint_id.is_(None)
        if endpoint_id is None
        else signing_secrets.c.endpoint_id == endpoint_id
    )
    return sa.and_(signing_secrets.c.app_id == app_id, whose)
