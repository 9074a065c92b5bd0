"""From the Authorization header to a principal."""

from __future__ import annotations

from dataclasses import dataclass

from hookwright_server.domain import api_key
from hookwright_server.domain.api_key import ParsedKey
from hookwright_server.errors import Refusal
from hookwright_server.services.api_keys import ApiKeys
from hookwright_server.services.principal import Principal
from hookwright_server.services.short_memory import ShortMemory
from hookwright_server.store import api_keys
from hookwright_server.store.api_keys import Credential
from hookwright_server.store.database import Connection, Database

# Another process may have revoked a key: it is noticed within this time, at most twice of it.
_FRESH_FOR_S = 1.0
_MOST_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    """A key as it is stored, and whom it lets in."""

    credential: Credential
    principal: Principal


class Authenticator:
    """Recognises API keys; rows are cached for a second, and dropped when this process writes."""

    def __init__(
        self,
        database: Database,
        keys: ApiKeys,
        requests_per_minute: int,
        messages_per_second: int,
    ) -> None:
        self._database = database
        self._keys = keys
        self._requests_per_minute = requests_per_minute
        self._messages_per_second = messages_per_second
        self._known = ShortMemory[str, _Known | None](_FRESH_FOR_S, _MOST_ENTRIES)

    def authenticate(self, authorization: str | None) -> Principal:
        """The holder of the key in this header; `unauthorized` in every other case."""
        parsed = _parse(authorization)
        known = self._known.get(
            parsed.key_id, lambda: self._database.read(lambda tx: self._read(tx, parsed.key_id))
        )
        if known is None or not self._keys.recognise(known.credential, parsed):
            raise _unauthorized("The API key is unknown, revoked or expired. Use a valid key.")
        return known.principal

    def forget(self) -> None:
        """Ask the database again for every key: this process has just changed some."""
        self._known.forget_all()

    def _read(self, tx: Connection, key_id: str) -> _Known | None:
        credential = api_keys.credential(tx, key_id)
        if credential is None:
            return None
        key = credential.key
        principal = Principal(
            key_id=key.id,
            account_id=key.account_id,
            environment=key.environment,
            scopes=frozenset(key.scopes),
            app_id=key.app_id,
            requests_per_minute=credential.requests_per_minute or self._requests_per_minute,
            messages_per_second=credential.messages_per_second or self._messages_per_second,
        )
        return _Known(credential, principal)


def _parse(authorization: str | None) -> ParsedKey:
    if not authorization:
        raise _unauthorized("Send 'Authorization: Bearer <API key>'.")
    scheme, _, text = authorization.partition(" ")
    parsed = api_key.parse(text.strip()) if scheme.lower() == "bearer" else None
    if parsed is None:
        raise _unauthorized(
            "The Authorization header holds no API key: 'Bearer hw_live_…' or 'Bearer hw_test_…', "
            "copied whole."
        )
    return parsed


def _unauthorized(detail: str) -> Refusal:
    return Refusal("unauthorized", detail)
