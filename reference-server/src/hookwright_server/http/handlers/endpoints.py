"""Handlers of the tag `endpoints`."""

from __future__ import annotations

from typing import Any

from hookwright_server.domain.contract import EndpointSigningCreateDefaults
from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import requests, responses
from hookwright_server.http.handlers import views
from hookwright_server.http.handlers.bodies import given
from hookwright_server.http.paging import Cursors, envelope
from hookwright_server.services.endpoint_tests import EndpointTests
from hookwright_server.services.endpoints import EndpointPatch, Endpoints, NewEndpoint
from hookwright_server.store.endpoints import EndpointFilter


class EndpointsHandlers:
    """See `edge.handlers.EndpointsHandlers`."""

    def __init__(self, endpoints: Endpoints, tests: EndpointTests, cursors: Cursors) -> None:
        self._endpoints = endpoints
        self._tests = tests
        self._cursors = cursors

    def list(self, context: Context, params: p.EndpointsListParams) -> responses.EndpointPage:
        page = self._endpoints.page(
            context.tx,
            context.principal,
            params.app_slug,
            EndpointFilter(active=params.active, state=params.state, event_name=params.event_name),
            self._cursors.query(context, params),
        )
        return envelope(page, self._cursors.next_cursor(context, params, page), views.endpoint)

    def create(
        self, context: Context, params: p.EndpointsCreateParams, body: requests.EndpointCreate
    ) -> responses.EndpointCreated:
        row, secret = self._endpoints.create(
            context.tx, context.principal, params.app_slug, _new_endpoint(body)
        )
        return {**views.endpoint(row), "signing_secret": secret}

    def get(self, context: Context, params: p.EndpointsGetParams) -> responses.Endpoint:
        row = self._endpoints.get(
            context.tx, context.principal, params.app_slug, params.endpoint_id
        )
        return views.endpoint(row)

    def update(
        self, context: Context, params: p.EndpointsUpdateParams, body: requests.EndpointUpdate
    ) -> responses.Endpoint:
        row = self._endpoints.update(
            context.tx,
            context.principal,
            params.app_slug,
            params.endpoint_id,
            _patch(given(body)),
        )
        return views.endpoint(row)

    def delete(self, context: Context, params: p.EndpointsDeleteParams) -> None:
        self._endpoints.delete(context.tx, context.principal, params.app_slug, params.endpoint_id)

    def enable(
        self, context: Context, params: p.EndpointsEnableParams, body: requests.EndpointEnable
    ) -> responses.Endpoint:
        row = self._endpoints.enable(
            context.tx, context.principal, params.app_slug, params.endpoint_id, body.release
        )
        return views.endpoint(row)

    def disable(self, context: Context, params: p.EndpointsDisableParams) -> responses.Endpoint:
        row = self._endpoints.disable(
            context.tx, context.principal, params.app_slug, params.endpoint_id
        )
        return views.endpoint(row)

    def test(
        self, context: Context, params: p.EndpointsTestParams, body: requests.EndpointTest
    ) -> responses.EndpointTestResult:
        done = self._tests.run(
            context.principal,
            params.app_slug,
            params.endpoint_id,
            body.event_name,
            context.payload or b"{}",
        )
        return {
            "success": done.failure_reason is None,
            "status_code": done.status_code,
            "latency_ms": done.latency_ms,
            "response_body": views.text(done.response_body),
            "response_body_truncated": done.response_body_truncated,
            "failure_reason": done.failure_reason,
            "request": {
                "url": done.url,
                "headers": done.shown_headers,
                "body": done.body.decode(),
            },
        }

    def rotate_secret(
        self,
        context: Context,
        params: p.EndpointsRotateSecretParams,
        body: requests.RotateSecret,
    ) -> responses.SecretRotated:
        rotated = self._endpoints.rotate_secret(
            context.tx,
            context.principal,
            params.app_slug,
            params.endpoint_id,
            body.overlap_seconds,
        )
        return views.secret_rotated(rotated)


def _new_endpoint(body: requests.EndpointCreate) -> NewEndpoint:
    fields = given(body)
    signing: dict[str, Any] = fields.get("signing", {})
    return NewEndpoint(
        url=body.url,
        description=fields.get("description"),
        events=tuple(body.events),
        headers=fields.get("headers", {}),
        metadata=fields.get("metadata", {}),
        active=body.active,
        timeout_ms=body.timeout_seconds * 1000,
        retry_policy=fields.get("retry_policy"),
        max_concurrency=body.max_concurrency,
        signing_source=signing.get("source", EndpointSigningCreateDefaults.source),
        secret=signing.get("secret"),
    )


def _patch(fields: dict[str, Any]) -> EndpointPatch:
    columns: dict[str, Any] = {
        name: fields[name]
        for name in ("url", "description", "retry_policy", "max_concurrency")
        if name in fields
    }
    if "events" in fields:
        columns["events"] = tuple(fields["events"])
    if "timeout_seconds" in fields:
        columns["timeout_ms"] = fields["timeout_seconds"] * 1000
    return EndpointPatch(
        fields=columns,
        headers=fields.get("headers"),
        clear_headers="headers" in fields and fields["headers"] is None,
        metadata=fields.get("metadata"),
        active=fields.get("active"),
        signing_source=fields["signing"]["source"] if "signing" in fields else None,
    )
