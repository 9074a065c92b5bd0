"""Mutants of API keys: who is let in, and to what."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import dataclasses
from typing import Any

from replacing import nothing, replace

from hookwright_server.domain import api_key
from hookwright_server.domain.api_key import ApiKey
from hookwright_server.errors import Refusal
from hookwright_server.http import auth
from hookwright_server.http.auth import Authenticator
from hookwright_server.http.handlers import views
from hookwright_server.services.api_keys import ApiKeys, NewKey, ShownKey
from hookwright_server.services.principal import Principal
from hookwright_server.store import api_keys
from hookwright_server.store.api_keys import KeyRow
from hookwright_server.store.database import Connection

_LATER_S = 3_600


def revokes_no_key() -> None:
    """A deleted key goes on to be accepted."""
    replace(api_keys, "revoke", nothing)


def lets_anybody_in() -> None:
    """A request without a key that can be read is taken for one of the first account."""
    authenticate = Authenticator.authenticate
    known: list[Principal] = []

    def whoever(self: Authenticator, authorization: str | None) -> Principal:
        try:
            found = authenticate(self, authorization)
        except Refusal:
            if not known:
                raise
            return known[0]
        known.append(found)
        return found

    replace(Authenticator, "authenticate", whoever)


def grants_every_scope() -> None:
    """Scopes are stored and never asked for."""

    def may(self: Principal, scope: str) -> bool:
        del self, scope
        return True

    replace(Principal, "may", may)


def forgets_what_a_key_is_bound_to() -> None:
    """A key of one app is a key of its account."""

    def unbound(**fields: Any) -> Principal:
        fields["app_id"] = None
        return Principal(**fields)

    replace(auth, "Principal", unbound)


def shows_keys_again() -> None:
    """The list of keys holds their texts."""
    texts: dict[str, str] = {}
    generate, view = api_key.generate, views.api_key

    def remembered(key_id: str, *others: Any) -> ApiKey:
        made = generate(key_id, *others)
        texts[key_id] = made.text
        return made

    def shown(row: KeyRow) -> Any:
        return {**view(row), "key": texts.get(row.id)}

    replace(api_key, "generate", remembered)
    replace(views, "api_key", shown)


def old_keys_stay_for_an_hour() -> None:
    """A rotated key's old text is accepted for an hour, whatever overlap was asked for."""
    rotate = ApiKeys.rotate

    def overlapping(
        self: ApiKeys, tx: Connection, principal: Principal, key_id: str, overlap_seconds: int
    ) -> ShownKey:
        return rotate(self, tx, principal, key_id, max(overlap_seconds, _LATER_S))

    replace(ApiKeys, "rotate", overlapping)


def test_keys_make_live_ones() -> None:
    """Whoever asks for a live key gets it."""
    create = ApiKeys.create

    def generous(self: ApiKeys, tx: Connection, principal: Principal, new: NewKey) -> ShownKey:
        environment = new.environment or principal.environment
        return create(self, tx, dataclasses.replace(principal, environment=environment), new)

    replace(ApiKeys, "create", generous)
