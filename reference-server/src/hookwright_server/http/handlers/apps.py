"""Handlers of the tag `apps`."""

from __future__ import annotations

from typing import Any

from hookwright_server.domain.contract import AppCreateDefaults
from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import requests, responses
from hookwright_server.http.handlers import views
from hookwright_server.http.handlers.bodies import given
from hookwright_server.http.paging import Cursors, envelope
from hookwright_server.services.apps import Apps, NewApp


class AppsHandlers:
    """See `edge.handlers.AppsHandlers`."""

    def __init__(self, apps: Apps, cursors: Cursors) -> None:
        self._apps = apps
        self._cursors = cursors

    def list(self, context: Context, params: p.AppsListParams) -> responses.AppPage:
        page = self._apps.page(context.tx, context.principal, self._cursors.query(context, params))
        return envelope(page, self._cursors.next_cursor(context, params, page), views.app)

    def create(self, context: Context, body: requests.AppCreate) -> responses.AppCreated:
        new = _new_app(
            given(body), name=body.name, active=body.active, retention_days=body.retention_days
        )
        row, secret = self._apps.create(context.tx, context.principal, new)
        return {**views.app(row), "signing_secret": secret}

    def get(self, context: Context, params: p.AppsGetParams) -> responses.App:
        return views.app(self._apps.get(context.tx, context.principal, params.app_slug))

    def get_or_create(
        self, context: Context, params: p.AppsGetOrCreateParams, body: requests.AppProvision
    ) -> responses.AppProvisioned:
        fields = given(body)
        name = fields.get("name", params.app_slug)
        new = _new_app(fields, name=name, active=True, retention_days=body.retention_days)
        row, secret = self._apps.get_or_create(context.tx, context.principal, new, params.app_slug)
        return {**views.app(row), "created": secret is not None, "signing_secret": secret}

    def update(
        self, context: Context, params: p.AppsUpdateParams, body: requests.AppUpdate
    ) -> responses.App:
        row = self._apps.update(context.tx, context.principal, params.app_slug, given(body))
        return views.app(row)

    def delete(self, context: Context, params: p.AppsDeleteParams) -> None:
        self._apps.delete(context.tx, context.principal, params.app_slug)

    def rotate_secret(
        self, context: Context, params: p.AppsRotateSecretParams, body: requests.AppRotateSecret
    ) -> responses.SecretRotated:
        rotated = self._apps.rotate_secret(
            context.tx, context.principal, params.app_slug, body.overlap_seconds, body.scheme
        )
        return views.secret_rotated(rotated)


def _new_app(fields: dict[str, Any], *, name: str, active: bool, retention_days: int) -> NewApp:
    return NewApp(
        name=name,
        slug=fields.get("slug"),
        description=fields.get("description"),
        active=active,
        retry_policy=fields.get("retry_policy"),
        rate_limit_per_second=fields.get("rate_limit_per_second"),
        metadata=fields.get("metadata", {}),
        event_type_policy=fields.get("event_type_policy", AppCreateDefaults.event_type_policy),
        retention_days=retention_days,
    )
