"""Accounts: the first one is made at the first start."""

from __future__ import annotations

from dataclasses import dataclass

from hookwright_server.clock import Clock
from hookwright_server.domain.api_key import Environment
from hookwright_server.domain.contract import SCOPES
from hookwright_server.ids import Ids
from hookwright_server.services.api_keys import ApiKeys, NewKey
from hookwright_server.store import accounts
from hookwright_server.store.database import Connection
from hookwright_server.store.realm import Realm


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A new account with a key for each environment; the texts are shown once."""

    account_id: str
    live_key: str
    test_key: str


class Accounts:
    """What an operator does with accounts."""

    def __init__(self, clock: Clock, ids: Ids, keys: ApiKeys) -> None:
        self._clock = clock
        self._ids = ids
        self._keys = keys

    def create_first(self, tx: Connection, name: str) -> NewAccount | None:
        """An account, unless there is one already."""
        return self.create(tx, name) if accounts.none_yet(tx) else None

    def create(self, tx: Connection, name: str) -> NewAccount:
        """An account with an admin key for each environment."""
        now_ms = self._clock.now_ms()
        account_id = self._ids.new("acc", now_ms)
        accounts.insert(tx, account_id, name, now_ms)
        return NewAccount(
            account_id,
            live_key=self.issue_key(tx, account_id, "live", "first live key"),
            test_key=self.issue_key(tx, account_id, "test", "first test key"),
        )

    def issue_key(
        self, tx: Connection, account_id: str, environment: Environment, name: str
    ) -> str:
        """The text of a new key that may do everything; for operators who lost theirs."""
        new = NewKey(name, environment, SCOPES, app_slug=None, expires_at=None)
        return self._keys.issue(tx, Realm(account_id, environment), environment, new).text

    def find(self, tx: Connection, account_id: str | None) -> str | None:
        """The id of this account; of the only one when `account_id` is None."""
        if account_id is not None:
            return account_id if accounts.exists(tx, account_id) else None
        found = accounts.ids(tx, limit=2)
        return found[0] if len(found) == 1 else None
