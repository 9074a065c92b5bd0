"""Signing secrets: made, shown once, sealed, rotated with an overlap."""

from __future__ import annotations

from dataclasses import dataclass

from hookwright_server.clock import Clock
from hookwright_server.domain.contract import Limits
from hookwright_server.domain.signing_keys import Scheme, generate_secret, public_key
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


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`whpk_…`, and until when its private key signs; None: it is the current one."""

    text: str
    valid_until: int | None


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
        scheme: Scheme = "v1",
    ) -> str:
        """Make `given`, or a random secret, the owner's current one; returns its text."""
        secret = given or generate_secret(self._random_bytes, scheme)
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
                scheme=scheme,
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
        scheme: Scheme = "v1",
    ) -> Rotated:
        """A new secret for `scheme`; the present ones sign beside it for `overlap_seconds`.

        An app's secrets of the other scheme stay as they are, an endpoint's end with these: it
        signs by one scheme at a time. Of very many the oldest end at once.
        """
        now_ms = self._clock.now_ms()
        until = now_ms + overlap_seconds * 1000
        ending = scheme if endpoint_id is None else None
        signing_secrets.expire_current(tx, app_id, endpoint_id, now_ms, until, ending)
        # Each of them signs every attempt, which holds up the attempts of others meanwhile.
        signing_secrets.keep_newest(tx, app_id, endpoint_id, Limits.signing_secrets - 1, ending)
        secret = self.create(tx, realm, app_id, endpoint_id, scheme=scheme)
        apps.bump_subscriptions(tx, app_id)
        return Rotated(secret, until if overlap_seconds else None)

    def ensure(
        self, tx: Connection, realm: Realm, app_id: str, endpoint_id: str | None, scheme: Scheme
    ) -> None:
        """Give the owner a random secret of `scheme` unless one is current."""
        found = signing_secrets.valid(tx, app_id, endpoint_id, scheme, self._clock.now_ms())
        if not any(secret.expires_at is None for secret in found):
            self.create(tx, realm, app_id, endpoint_id, scheme=scheme)

    def public_keys(self, tx: Connection, app_id: str, endpoint_id: str | None) -> list[PublicKey]:
        """The owner's ed25519 keys that sign now, the current one first."""
        found = signing_secrets.valid(tx, app_id, endpoint_id, "v1a", self._clock.now_ms())
        return [PublicKey(self._public(secret), secret.expires_at) for secret in found]

    def _public(self, secret: signing_secrets.StoredSecret) -> str:
        return public_key(self._vault.open(secret.sealed, sealed_as(secret.id)).decode())


def sealed_as(secret_id: str) -> str:
    """The vault's additional data for a signing secret: a blob opens in its own row only."""
    return f"signing_secrets:{secret_id}"
