"""Handlers of the tag `api_keys`."""

from __future__ import annotations

from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import requests, responses
from hookwright_server.http.handlers import views
from hookwright_server.http.handlers.bodies import given, instant_ms
from hookwright_server.http.paging import Cursors, envelope
from hookwright_server.services.api_keys import ApiKeys, NewKey


class ApiKeysHandlers:
    """See `edge.handlers.ApiKeysHandlers`."""

    def __init__(self, keys: ApiKeys, cursors: Cursors) -> None:
        self._keys = keys
        self._cursors = cursors

    def list(self, context: Context, params: p.ApiKeysListParams) -> responses.ApiKeyPage:
        page = self._keys.page(context.tx, context.principal, self._cursors.query(context, params))
        return envelope(page, self._cursors.next_cursor(context, params, page), views.api_key)

    def create(self, context: Context, body: requests.ApiKeyCreate) -> responses.ApiKeyCreated:
        fields = given(body)
        new = NewKey(
            name=body.name,
            environment=fields.get("environment"),
            scopes=tuple(body.scopes),
            app_slug=fields.get("app_slug"),
            expires_at=instant_ms(fields, "expires_at"),
        )
        shown = self._keys.create(context.tx, context.principal, new)
        return {**views.api_key(shown.row), "key": shown.text}

    def rotate(
        self, context: Context, params: p.ApiKeysRotateParams, body: requests.ApiKeyRotate
    ) -> responses.ApiKeyRotated:
        shown = self._keys.rotate(
            context.tx, context.principal, params.key_id, body.overlap_seconds
        )
        return {
            **views.api_key(shown.row),
            "key": shown.text,
            "previous_valid_until": views.instant(shown.previous_valid_until),
        }

    def delete(self, context: Context, params: p.ApiKeysDeleteParams) -> None:
        self._keys.delete(context.tx, context.principal, params.key_id)
