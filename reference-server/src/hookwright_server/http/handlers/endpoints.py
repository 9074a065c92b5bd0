"""Handlers of the tag `endpoints`."""

from __future__ import annotations

from typing import Any

from hookwright_server.delivery.prepare import SignedRequest
from hookwright_server.domain.contract import EndpointSigningCreateDefaults
from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import requests, responses
from hookwright_server.http.handlers import analytics as counted
from hookwright_server.http.handlers import views
from hookwright_server.http.handlers.bodies import given
from hookwright_server.http.last_transaction import LastTransaction
from hookwright_server.http.paging import Cursors, envelope
from hookwright_server.services.analytics import Analytics
from hookwright_server.services.enabling import Enabling
from hookwright_server.services.endpoint_tests import EndpointTests
from hookwright_server.services.endpoints import EndpointPatch, Endpoints, NewEndpoint, rate_columns
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import DeliveryFilter
from hookwright_server.store.endpoints import EndpointFilter

_REPLACED = (
    "url",
    "description",
    "retry_policy",
    "max_concurrency",
    "filter_rules",
    "transformation",
)


class EndpointsHandlers:
    """See `edge.handlers.EndpointsHandlers`."""

    def __init__(
        self,
        endpoints: Endpoints,
        enabling: Enabling,
        tests: EndpointTests,
        last: LastTransaction,
        cursors: Cursors,
        analytics: Analytics,
    ) -> None:
        self._endpoints = endpoints
        self._enabling = enabling
        self._last = last
        self._tests = tests
        self._cursors = cursors
        self._analytics = analytics

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
        """What is not released is cancelled in transactions of its own before."""
        place = context.principal, params.app_slug, params.endpoint_id

        def enable(tx: Connection, _: None) -> responses.Endpoint:
            return views.endpoint(self._endpoints.enable(tx, *place, body.release))

        def look(tx: Connection) -> None:
            self._last.require_unanswered(tx, context)

        def cancel_held() -> None:
            if not body.release:
                self._enabling.cancel_held(*place, look)

        return self._last.run(context, cancel_held, enable)

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
            "request": None if done.sent is None else _sent(done.sent),
        }

    def list_deliveries(
        self, context: Context, params: p.EndpointsListDeliveriesParams
    ) -> responses.DeliveryPage:
        wanted = DeliveryFilter(
            statuses=params.status,
            event_name=params.event_name,
            after=params.after,
            before=params.before,
        )
        page = self._endpoints.deliveries(
            context.tx,
            context.principal,
            params.app_slug,
            params.endpoint_id,
            wanted,
            self._cursors.query(context, params),
        )
        return envelope(page, self._cursors.next_cursor(context, params, page), views.delivery)

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

    def get_secret_public_key(
        self, context: Context, params: p.EndpointsGetSecretPublicKeyParams
    ) -> responses.SecretPublicKey:
        current, *retiring = self._endpoints.public_keys(
            context.tx, context.principal, params.app_slug, params.endpoint_id
        )
        return views.public_keys(current, retiring)

    def stats(self, context: Context, params: p.EndpointsStatsParams) -> responses.AnalyticsStats:
        row = self._endpoints.get(
            context.tx, context.principal, params.app_slug, params.endpoint_id
        )
        return counted.stats(
            self._analytics.of_endpoint(
                context.tx, context.principal, params.app_slug, row.id, params.period
            )
        )


def _sent(signed: SignedRequest) -> responses.SentRequest:
    return {
        "url": signed.request.url,
        "headers": signed.shown_headers,
        "body": signed.request.body.decode(),
    }


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
        filter_rules=fields.get("filter_rules"),
        transformation=fields.get("transformation"),
        signing_scheme=signing.get("scheme", EndpointSigningCreateDefaults.scheme),
        rate_limit=fields.get("rate_limit"),
    )


def _patch(fields: dict[str, Any]) -> EndpointPatch:
    columns: dict[str, Any] = {name: fields[name] for name in _REPLACED if name in fields}
    if "events" in fields:
        columns["events"] = tuple(fields["events"])
    if "rate_limit" in fields:
        columns |= rate_columns(fields["rate_limit"])
    if "timeout_seconds" in fields:
        columns["timeout_ms"] = fields["timeout_seconds"] * 1000
    signing: dict[str, Any] = fields.get("signing", {})
    return EndpointPatch(
        fields=columns,
        headers=fields.get("headers"),
        clear_headers="headers" in fields and fields["headers"] is None,
        metadata=fields.get("metadata"),
        active=fields.get("active"),
        signing_source=signing.get("source"),
        signing_scheme=signing.get("scheme"),
    )
