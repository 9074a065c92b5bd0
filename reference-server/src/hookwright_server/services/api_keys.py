"""API keys: made, rotated, revoked, and recognised."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hookwright_server.clock import Clock
from hookwright_server.domain import api_key
from hookwright_server.domain.api_key import Environment, ParsedKey
from hookwright_server.errors import Fault, Refusal, invalid, not_found
from hookwright_server.ids import Ids, RandomBytes
from hookwright_server.services.principal import Principal, require_unbound
from hookwright_server.store import api_keys, apps
from hookwright_server.store.api_keys import Credential, KeyRow
from hookwright_server.store.database import Connection
from hookwright_server.store.pages import PageQuery, RowPage
from hookwright_server.store.realm import Realm


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as the caller describes it; `environment` None: the caller's."""

    name: str
    environment: Environment | None
    scopes: tuple[str, ...]
    app_slug: str | None
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key with its text, and until when (epoch ms) an earlier text is accepted."""

    row: KeyRow
    text: str
    previous_valid_until: int | None = None


class ApiKeys:
    """The service of the tag `api_keys`. Methods with `tx` run inside the caller's transaction."""

    def __init__(self, clock: Clock, ids: Ids, random_bytes: RandomBytes) -> None:
        self._clock = clock
        self._ids = ids
        self._random_bytes = random_bytes

    def page(self, tx: Connection, principal: Principal, query: PageQuery) -> RowPage[KeyRow]:
        """The keys of the caller's account and environment."""
        require_unbound(principal)
        return api_keys.page(tx, principal.realm, query)

    def create(self, tx: Connection, principal: Principal, new: NewKey) -> ShownKey:
        """A new key; its text is in the result and nowhere else."""
        require_unbound(principal)
        environment = new.environment or _environment(principal)
        if environment == "live" and principal.environment == "test":
            raise Refusal("forbidden", "A test key cannot create a live key. Use a live key.")
        if new.expires_at is not None and new.expires_at <= self._clock.now_ms():
            raise invalid("/expires_at", "future", "'expires_at' must lie in the future.")
        realm = Realm(principal.account_id, environment)
        app_id = None if new.app_slug is None else _app_id(tx, realm, new.app_slug)
        return self.issue(tx, realm, environment, new, app_id)

    def issue(
        self,
        tx: Connection,
        realm: Realm,
        environment: Environment,
        new: NewKey,
        app_id: str | None = None,
    ) -> ShownKey:
        """Write a key that somebody entitled has asked for."""
        now_ms = self._clock.now_ms()
        key_id = self._ids.new("key", now_ms)
        made = api_key.generate(key_id, environment, self._random_bytes)
        row = KeyRow(
            id=key_id,
            account_id=realm.account_id,
            environment=environment,
            name=new.name,
            scopes=new.scopes,
            app_id=app_id,
            secret_hash=made.secret_hash,
            previous_hash=None,
            previous_valid_until=None,
            created_at=now_ms,
            expires_at=new.expires_at,
            app_slug=new.app_slug,
        )
        api_keys.insert(tx, row)
        return ShownKey(row, made.text)

    def rotate(
        self, tx: Connection, principal: Principal, key_id: str, overlap_seconds: int
    ) -> ShownKey:
        """A new text for the same key; the old one is accepted for `overlap_seconds` more."""
        require_unbound(principal)
        before = self._require(tx, principal, key_id)
        made = api_key.generate(before.id, _environment(principal), self._random_bytes)
        until = self._clock.now_ms() + overlap_seconds * 1000 if overlap_seconds else None
        after = replace(
            before,
            secret_hash=made.secret_hash,
            previous_hash=before.secret_hash if until else None,
            previous_valid_until=until,
        )
        api_keys.update(tx, after)
        return ShownKey(after, made.text, until)

    def delete(self, tx: Connection, principal: Principal, key_id: str) -> None:
        """Revoke a key: it is refused from the next request on."""
        require_unbound(principal)
        row = self._require(tx, principal, key_id)
        api_keys.revoke(tx, row.id, self._clock.now_ms())

    def recognise(self, credential: Credential, parsed: ParsedKey) -> bool:
        """Whether `parsed` is a text of this key that is valid now."""
        now_ms = self._clock.now_ms()
        key = credential.key
        if key.expires_at is not None and key.expires_at <= now_ms:
            return False
        if key.environment != parsed.environment:
            return False
        return api_key.matches(parsed, key.secret_hash) or (
            key.previous_hash is not None
            and key.previous_valid_until is not None
            and now_ms < key.previous_valid_until
            and api_key.matches(parsed, key.previous_hash)
        )

    def _require(self, tx: Connection, principal: Principal, key_id: str) -> KeyRow:
        row = api_keys.find(tx, principal.realm, key_id)
        if row is None:
            raise not_found("API key", key_id)
        return row


def _environment(principal: Principal) -> Environment:
    return "live" if principal.environment == "live" else "test"


def _app_id(tx: Connection, realm: Realm, app_slug: str) -> str:
    app = apps.find(tx, realm, app_slug)
    if app is None:
        message = f"There is no app {app_slug!r} in the key's environment. Create it first."
        raise Refusal("unknown_app", message, (Fault("/app_slug", "unknown_app", message),))
    return app.id
