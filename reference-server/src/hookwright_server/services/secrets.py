"""Signing secrets: made, shown once, sealed, rotated with an overlap."""

from __future__ import annotations

from dataclasses import dataclass

from hookwright_server.clock import Clock
from hookwright_server.domain.signing import generate_secret
from hookwright_server.domain.vault import Vault
from hookwright_server.ids import Ids, RandomBytes
from hookwright_server.store import apps, signing_secrets
from hookwright_server.store.database import Connection
from hookwright_server.store.realm import Realm


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new secret, and until when (epoch ms) the old one signs too; None: it ended at once."""

    signing_secret: str
    previous_valid_until: int | None


class Secrets:
    """Signing secrets of apps (`endpoint_id` None) and endpoints."""

    def __init__(self, clock: Clock, ids: Ids, random_bytes: RandomBytes, vault: Vault) -> None:
        self._clock = clock
        self._ids = ids
        self._random_bytes = random_bytes
        self._vault = vault

    def create(
        self,
        tx: Connection,
        realm: Realm,
        app_id: str,
        endpoint_id: str | None,
        given: str | None = None,
    ) -> str:
        """Make `given`, or a random secret, the owner's current one; returns its text."""
        secret = given or generate_secret(self._random_bytes)
        now_ms = self._clock.now_ms()
        secret_id = self._ids.new("sec", now_ms)
        signing_secrets.insert(
            tx,
            signing_secrets.NewSecret(
                id=secret_id,
                account_id=realm.account_id,
                environment=realm.environment,
                app_id=app_id,
                endpoint_id=endpoint_id,
                sealed=self._vault.seal(secret.encode(), sealed_as(secret_id)),
                created_at=now_ms,
            ),
        )
        return secret

    def rotate(
        self,
        tx: Connection,
        realm: Realm,
        app_id: str,
        endpoint_id: str | None,
        overlap_seconds: int,
    ) -> Rotated:
        """A new secret; the owner's present ones sign beside it for `overlap_seconds`."""
        now_ms = self._clock.now_ms()
        until = now_ms + overlap_seconds * 1000
        signing_secrets.expire_current(tx, app_id, endpoint_id, now_ms, until)
        secret = self.create(tx, realm, app_id, endpoint_id)
        apps.bump_subscriptions(tx, app_id)
        return Rotated(secret, until if overlap_seconds else None)


def sealed_as(secret_id: str) -> str:
    """The vault's additional data for a signing secret: a blob opens in its own row only."""
    return f"signing_secrets:{secret_id}"
