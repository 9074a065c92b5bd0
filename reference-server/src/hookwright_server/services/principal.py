"""Who asks, and what of the database they may see."""

from __future__ import annotations

from dataclasses import dataclass

from hookwright_server.errors import Refusal, not_found
from hookwright_server.store import apps
from hookwright_server.store.apps import AppRow
from hookwright_server.store.database import Connection
from hookwright_server.store.realm import Realm

OWN_APP = "-"


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a valid API key."""

    key_id: str
    account_id: str
    environment: str
    scopes: frozenset[str]
    app_id: str | None
    requests_per_minute: int
    messages_per_second: int

    @property
    def realm(self) -> Realm:
        """What this principal may see."""
        return Realm(self.account_id, self.environment, self.app_id)

    def may(self, scope: str) -> bool:
        """Whether the key has `scope`; `admin` includes every other."""
        return scope in self.scopes or "admin" in self.scopes


def require_unbound(principal: Principal) -> None:
    """Refuse keys that are bound to an app."""
    if principal.app_id is not None:
        raise Refusal(
            "forbidden",
            "This key is bound to one app and this operation concerns the account. "
            "Use a key without app_slug.",
        )


def require_app(tx: Connection, principal: Principal, slug: str) -> AppRow:
    """The app that the path names; `-` is the key's own app."""
    found = _own_app(tx, principal) if slug == OWN_APP else apps.find(tx, principal.realm, slug)
    if found is None:
        raise not_found("app", slug)
    return found


def app_filter(tx: Connection, principal: Principal, slug: str) -> str | None:
    """The app that a list is about; None for `-`: every app of the principal's realm."""
    return None if slug == OWN_APP else require_app(tx, principal, slug).id


def _own_app(tx: Connection, principal: Principal) -> AppRow | None:
    if principal.app_id is None:
        return None
    return apps.find_by_id(tx, principal.realm, principal.app_id)
