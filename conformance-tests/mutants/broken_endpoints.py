"""Mutants of apps and endpoints: who gets an event, what may be saved, what is shown."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import dataclasses
from typing import Any

from replacing import nothing, replace

from hookwright_server.domain.signing_keys import generate_secret
from hookwright_server.domain.subscriptions import Subscription
from hookwright_server.errors import Refusal
from hookwright_server.http.handlers import views
from hookwright_server.services import endpoints as endpoint_services
from hookwright_server.services import secrets, trigger
from hookwright_server.services.apps import Apps, NewApp
from hookwright_server.services.enabling import Enabling
from hookwright_server.services.endpoints import Endpoints
from hookwright_server.services.principal import Principal
from hookwright_server.services.secrets import Secrets
from hookwright_server.services.trigger import Audience, Event, Subscriber
from hookwright_server.store import endpoints as endpoint_store
from hookwright_server.store.apps import AppRow
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import AttemptRow
from hookwright_server.store.endpoints import EndpointRow


def sends_everything_to_everybody() -> None:
    """No endpoint's `events` are asked."""

    def always(self: Subscription, event_name: str) -> bool:
        del self, event_name
        return True

    replace(Subscription, "matches", always)


def ignores_endpoint_ids() -> None:
    """An event goes to all, whoever was named."""

    def everybody(audience: Audience, event: Event) -> tuple[Subscriber, ...]:
        del event
        return audience.subscribers

    replace(trigger, "_wanted", everybody)


def inactive_apps_accept() -> None:
    """`active` is shown and never asked."""
    replace(trigger, "_require_active", nothing)


def forgets_max_concurrency() -> None:
    """Every endpoint gets 16 requests at a time."""
    insert = endpoint_store.insert

    def sixteen(tx: Connection, row: EndpointRow) -> None:
        insert(tx, dataclasses.replace(row, max_concurrency=16))

    replace(endpoint_store, "insert", sixteen)


def hands_out_taken_slugs() -> None:
    """Whoever creates an app with a slug that is taken gets that app."""
    create = Apps.create

    def shared(self: Apps, tx: Connection, principal: Principal, new: NewApp) -> tuple[AppRow, str]:
        try:
            return create(self, tx, principal, new)
        except Refusal as refusal:
            if refusal.code != "slug_taken" or new.slug is None:
                raise
            row, _ = self.get_or_create(tx, principal, new, new.slug)
            return row, "whsec_" + "A" * 43 + "="

    replace(Apps, "create", shared)


def takes_any_url() -> None:
    """No URL is looked at when it is saved."""
    replace(Endpoints, "_check_url", nothing)


def takes_any_header() -> None:
    """Endpoints may set what the server owns."""
    replace(endpoint_services, "_check_headers", nothing)


def disables_nothing() -> None:
    """Asked to disable an endpoint, it answers with the endpoint as it is."""

    def as_it_is(
        self: Endpoints, tx: Connection, principal: Principal, app_slug: str, endpoint_id: str
    ) -> EndpointRow:
        return self.get(tx, principal, app_slug, endpoint_id)

    replace(Endpoints, "disable", as_it_is)


def _enables_with(*, release: bool) -> None:
    enable = Endpoints.enable

    def always_so(
        self: Endpoints,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        _release: bool,
    ) -> EndpointRow:
        return enable(self, tx, principal, app_slug, endpoint_id, release)

    replace(Endpoints, "enable", always_so)


def enabling_releases_nothing() -> None:
    """What was held is cancelled, whatever was asked for."""
    _enables_with(release=False)


def enabling_releases_everything() -> None:
    """What was held goes out, whatever was asked for."""
    replace(Enabling, "cancel_held", nothing)
    _enables_with(release=True)


def deletes_no_endpoint() -> None:
    """A deleted endpoint goes on as if nobody had asked."""
    replace(Endpoints, "delete", nothing)


def fills_the_system_app() -> None:
    """`_system` takes any number of endpoints."""
    replace(endpoint_services, "_check_room", nothing)


def makes_one_secret_for_all() -> None:
    """Secrets of the right form, and all the same."""

    def zeros(random_bytes: Any, scheme: Any = "v1") -> str:
        del random_bytes
        return generate_secret(bytes, scheme)

    replace(secrets, "generate_secret", zeros)


def shows_secrets_again() -> None:
    """Every answer that shows an endpoint shows its secret."""
    texts: dict[str | None, str] = {}
    create, view = Secrets.create, views.endpoint

    def remembered(
        self: Secrets, tx: Connection, realm: Any, app_id: str, endpoint_id: str | None, *more: Any
    ) -> str:
        text = create(self, tx, realm, app_id, endpoint_id, *more)
        texts[endpoint_id] = text
        return text

    def shown(row: EndpointRow) -> Any:
        return {**view(row), "signing_secret": texts.get(row.id)}

    replace(Secrets, "create", remembered)
    replace(views, "endpoint", shown)


def shows_attempts_without_latency() -> None:
    """A member that the contract has is left out."""
    view = views.attempt

    def shown(row: AttemptRow) -> Any:
        return {name: value for name, value in view(row).items() if name != "latency_ms"}

    replace(views, "attempt", shown)
