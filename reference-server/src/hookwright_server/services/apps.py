"""Apps: create, find, change, delete, and their signing secrets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hookwright_server.domain import merge_patch, slug
from hookwright_server.domain.contract import AppCreateDefaults
from hookwright_server.domain.signing_keys import Scheme
from hookwright_server.errors import Fault, Refusal
from hookwright_server.services.parts import Parts
from hookwright_server.services.principal import Principal, require_app, require_unbound
from hookwright_server.services.secrets import Rotated, Secrets
from hookwright_server.services.sizes import check_metadata
from hookwright_server.store import api_keys, apps, endpoints, signing_secrets
from hookwright_server.store.apps import AppRow
from hookwright_server.store.database import Connection
from hookwright_server.store.pages import PageQuery, RowPage


@dataclass(frozen=True, slots=True)
class NewApp:
    """An app as the caller describes it; `slug` None: made from the name."""

    name: str
    slug: str | None
    description: str | None
    active: bool
    retry_policy: dict[str, Any] | None
    rate_limit_per_second: int | None
    metadata: dict[str, Any]
    retention_days: int
    event_type_policy: str = AppCreateDefaults.event_type_policy


class Apps:
    """The service of the tag `apps`. Every method runs inside the caller's transaction."""

    def __init__(self, parts: Parts, secrets: Secrets) -> None:
        self._parts = parts
        self._secrets = secrets

    def page(self, tx: Connection, principal: Principal, query: PageQuery) -> RowPage[AppRow]:
        """The apps that the principal may see."""
        return apps.page(tx, principal.realm, query)

    def get(self, tx: Connection, principal: Principal, app_slug: str) -> AppRow:
        """One app, or not_found."""
        return require_app(tx, principal, app_slug)

    def create(self, tx: Connection, principal: Principal, new: NewApp) -> tuple[AppRow, str]:
        """A new app and its signing secret; slug_taken when the wanted slug is."""
        require_unbound(principal)
        wanted = (
            slug.candidates(slug.from_name(new.name), self._parts.random_bytes)
            if new.slug is None
            else (new.slug,)
        )
        for app_slug in wanted:
            if not apps.slug_is_taken(tx, principal.realm, app_slug):
                made = self._insert(tx, principal, new, app_slug)
                if made is not None:
                    return made
        raise _slug_taken(new.slug or "")

    def get_or_create(
        self, tx: Connection, principal: Principal, new: NewApp, app_slug: str
    ) -> tuple[AppRow, str | None]:
        """The app with this slug as it is, or a new one with its secret."""
        require_unbound(principal)
        if app_slug != slug.SYSTEM and not slug.is_slug(app_slug):
            raise Refusal(
                "validation_error",
                f"{app_slug!r} is no slug to create an app under; name the app.",
                (Fault("path/app_slug", "pattern", "Use letters a-z, digits and hyphens."),),
            )
        while (found := apps.find(tx, principal.realm, app_slug)) is None:
            made = self._insert(tx, principal, new, app_slug)
            if made is not None:
                return made
        return found, None

    def update(
        self, tx: Connection, principal: Principal, app_slug: str, patch: dict[str, Any]
    ) -> AppRow:
        """The app after a merge patch that fits the contract."""
        before = require_app(tx, principal, app_slug)
        self._parts.check_policy(patch.get("retry_policy"))
        changed = dict(patch)
        if "metadata" in changed:
            changed["metadata"] = merge_patch.merge(before.metadata, changed["metadata"])
        after = replace(before, **changed, updated_at=self._parts.clock.now_ms())
        check_metadata(after.metadata)
        apps.update(tx, after)
        return after

    def delete(self, tx: Connection, principal: Principal, app_slug: str) -> None:
        """Delete the app, its endpoints, their secrets and the keys bound to it.

        What was pending reads as cancelled from now on.
        """
        require_unbound(principal)
        app = require_app(tx, principal, app_slug)
        now_ms = self._parts.clock.now_ms()
        endpoints.delete_of_app(tx, app.id, now_ms)
        signing_secrets.erase_of_app(tx, app.id)
        api_keys.revoke_of_app(tx, app.id, now_ms)
        apps.mark_deleted(tx, app.id, now_ms)

    def rotate_secret(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        overlap_seconds: int,
        scheme: Scheme = "v1",
    ) -> Rotated:
        """A new secret for the app; the old one of `scheme` signs beside it for the overlap."""
        app = require_app(tx, principal, app_slug)
        return self._secrets.rotate(tx, principal.realm, app.id, None, overlap_seconds, scheme)

    def _insert(
        self, tx: Connection, principal: Principal, new: NewApp, app_slug: str
    ) -> tuple[AppRow, str] | None:
        """The new app and its secret; None when another process took the slug just before."""
        self._parts.check_policy(new.retry_policy)
        check_metadata(new.metadata)
        now_ms = self._parts.clock.now_ms()
        row = AppRow(
            id=self._parts.ids.new("app", now_ms),
            account_id=principal.account_id,
            environment=principal.environment,
            slug=app_slug,
            name=new.name,
            description=new.description,
            active=new.active,
            retry_policy=new.retry_policy,
            rate_limit_per_second=new.rate_limit_per_second,
            metadata=new.metadata,
            subscriptions_version=1,
            created_at=now_ms,
            updated_at=now_ms,
            event_type_policy=new.event_type_policy,
            has_event_types=False,
            retention_days=new.retention_days,
        )
        if not apps.insert(tx, row):
            return None
        return row, self._secrets.create(tx, principal.realm, row.id, None)


def _slug_taken(app_slug: str) -> Refusal:
    message = f"The slug {app_slug!r} is taken. Choose another, or use apps.get_or_create."
    return Refusal("slug_taken", message, (Fault("/slug", "slug_taken", message),))
