"""Endpoints: where an app's events go."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hookwright_server.domain import health, merge_patch
from hookwright_server.domain.contract import Limits
from hookwright_server.domain.health import Health
from hookwright_server.domain.outgoing_headers import HeaderRefusal, find_refusals
from hookwright_server.domain.signing import SecretFormatError, verify_secret_format
from hookwright_server.domain.target_url import UrlNotAllowed
from hookwright_server.errors import Fault, Refusal, invalid, not_found
from hookwright_server.services.parts import Parts
from hookwright_server.services.principal import Principal, app_filter, require_app
from hookwright_server.services.secrets import Rotated, Secrets
from hookwright_server.services.sizes import check_metadata
from hookwright_server.store import apps, deliveries, endpoints
from hookwright_server.store.apps import AppRow
from hookwright_server.store.database import Connection
from hookwright_server.store.endpoints import EndpointFilter, EndpointRow
from hookwright_server.store.pages import PageQuery, RowPage

_NO_FAILURES = Health(
    consecutive_failures=0,
    dead_letter_streak=0,
    first_failure_at=None,
    last_success_at=None,
    last_failure_at=None,
)
_MAX_HEADERS = Limits.headers_per_endpoint


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint as the caller describes it; `secret` None: a random one."""

    url: str
    description: str | None
    events: tuple[str, ...]
    headers: Mapping[str, str]
    metadata: dict[str, Any]
    active: bool
    timeout_ms: int
    retry_policy: dict[str, Any] | None
    max_concurrency: int
    signing_source: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class EndpointPatch:
    """A merge patch: `fields` holds columns to replace, the rest says how to change."""

    fields: dict[str, Any]
    headers: Mapping[str, str | None] | None = None
    clear_headers: bool = False
    metadata: Mapping[str, Any] | None = None
    active: bool | None = None
    signing_source: str | None = None


class Endpoints:
    """The service of the tag `endpoints`. Every method runs inside the caller's transaction."""

    def __init__(self, parts: Parts, secrets: Secrets) -> None:
        self._parts = parts
        self._secrets = secrets

    def page(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        wanted: EndpointFilter,
        query: PageQuery,
    ) -> RowPage[EndpointRow]:
        """The endpoints of an app (`-`: of every app of the principal) that fit `wanted`."""
        narrowed = replace(wanted, app_id=app_filter(tx, principal, app_slug))
        return endpoints.page(tx, principal.realm, narrowed, query)

    def get(
        self, tx: Connection, principal: Principal, app_slug: str, endpoint_id: str
    ) -> EndpointRow:
        """One endpoint, or not_found."""
        app = require_app(tx, principal, app_slug)
        row = endpoints.find(tx, principal.realm, app.id, endpoint_id)
        if row is None:
            raise not_found("endpoint", endpoint_id)
        return row

    def create(
        self, tx: Connection, principal: Principal, app_slug: str, new: NewEndpoint
    ) -> tuple[EndpointRow, str]:
        """A new endpoint and its signing secret."""
        app = require_app(tx, principal, app_slug)
        self._check(new.url, new.headers, new.retry_policy)
        _check_secret(new.secret)
        check_metadata(new.metadata)
        row = self._row(app, new)
        endpoints.insert(tx, row)
        apps.bump_subscriptions(tx, app.id)
        return row, self._secrets.create(tx, principal.realm, app.id, row.id, new.secret)

    def update(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        patch: EndpointPatch,
    ) -> EndpointRow:
        """The endpoint after a merge patch that fits the contract."""
        before = self.get(tx, principal, app_slug, endpoint_id)
        headers = self._merged_headers(before, patch)
        self._check(patch.fields.get("url"), headers, patch.fields.get("retry_policy"))
        now_ms = self._parts.clock.now_ms()
        after = replace(before, **patch.fields, updated_at=now_ms)
        if patch.metadata is not None:
            after = replace(after, metadata=merge_patch.merge(before.metadata, patch.metadata))
        check_metadata(after.metadata)
        after = self._with_headers(after, headers)
        after = _switched(after, patch.signing_source, now_ms)
        endpoints.update(tx, after)
        apps.bump_subscriptions(tx, after.app_id)
        return self._set_active(tx, after, patch.active)

    def delete(self, tx: Connection, principal: Principal, app_slug: str, endpoint_id: str) -> None:
        """Delete the endpoint; what was pending reads as cancelled from now on."""
        row = self.get(tx, principal, app_slug, endpoint_id)
        endpoints.delete(tx, row.id, self._parts.clock.now_ms())
        apps.bump_subscriptions(tx, row.app_id)

    def enable(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        release: bool,
    ) -> EndpointRow:
        """Enable, with a fresh health; what was held goes out, or is cancelled."""
        row = self.get(tx, principal, app_slug, endpoint_id)
        if not release and not row.active:
            deliveries.cancel_pending(tx, row.id, "not_released", self._parts.clock.now_ms())
        return self._enable(tx, row)

    def disable(
        self, tx: Connection, principal: Principal, app_slug: str, endpoint_id: str
    ) -> EndpointRow:
        """Hold this endpoint's deliveries until it is enabled."""
        row = self.get(tx, principal, app_slug, endpoint_id)
        return self._set_active(tx, row, False)

    def rotate_secret(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        overlap_seconds: int,
    ) -> Rotated:
        """A new secret; the old one signs beside it for `overlap_seconds`."""
        row = self.get(tx, principal, app_slug, endpoint_id)
        return self._secrets.rotate(tx, principal.realm, row.app_id, row.id, overlap_seconds)

    def _row(self, app: AppRow, new: NewEndpoint) -> EndpointRow:
        now_ms = self._parts.clock.now_ms()
        row = EndpointRow(
            id=self._parts.ids.new("ep", now_ms),
            account_id=app.account_id,
            environment=app.environment,
            app_id=app.id,
            url=new.url,
            description=new.description,
            events=new.events,
            header_names=(),
            headers_sealed=None,
            metadata=new.metadata,
            active=new.active,
            timeout_ms=new.timeout_ms,
            retry_policy=new.retry_policy,
            max_concurrency=new.max_concurrency,
            signing_source=new.signing_source,
            both_sources_until=None,
            health=_NO_FAILURES,
            disabled_at=None if new.active else now_ms,
            disabled_reason=None if new.active else "manual",
            created_at=now_ms,
            updated_at=now_ms,
            app_slug=app.slug,
        )
        return self._with_headers(row, new.headers)

    def _check(
        self,
        url: str | None,
        headers: Mapping[str, str] | None,
        retry_policy: Mapping[str, Any] | None,
    ) -> None:
        if url is not None:
            self._check_url(url)
        if headers is not None:
            _check_headers(headers)
        self._parts.check_policy(retry_policy)

    def _check_url(self, url: str) -> None:
        try:
            self._parts.egress.vet(url)
        except UrlNotAllowed as error:
            fault = Fault("/url", error.reason, str(error))
            raise Refusal("url_not_allowed", str(error), (fault,)) from error

    def _merged_headers(self, before: EndpointRow, patch: EndpointPatch) -> dict[str, str] | None:
        """The headers after the patch; None when it does not concern them."""
        if patch.clear_headers:
            return {}
        if patch.headers is None:
            return None
        _check_given_once(patch.headers)
        merged = self._open_headers(before)
        for name, value in patch.headers.items():
            same = [old for old in merged if old.lower() == name.lower()]
            for old in same:
                del merged[old]
            if value is not None:
                merged[name] = value
        return merged

    def _open_headers(self, row: EndpointRow) -> dict[str, str]:
        if row.headers_sealed is None:
            return {}
        opened = self._parts.vault.open(row.headers_sealed, headers_sealed_as(row.id))
        headers: dict[str, str] = json.loads(opened)
        return headers

    def _with_headers(self, row: EndpointRow, headers: Mapping[str, str] | None) -> EndpointRow:
        if headers is None:
            return row
        text = json.dumps(dict(headers)).encode()
        sealed = self._parts.vault.seal(text, headers_sealed_as(row.id)) if headers else None
        return replace(row, header_names=tuple(headers), headers_sealed=sealed)

    def _set_active(self, tx: Connection, row: EndpointRow, active: bool | None) -> EndpointRow:
        if active is None or active == row.active:
            return row
        if active:
            return self._enable(tx, row)
        now_ms = self._parts.clock.now_ms()
        return self._write_state(
            tx, replace(row, active=False, disabled_at=now_ms, disabled_reason="manual")
        )

    def _enable(self, tx: Connection, row: EndpointRow) -> EndpointRow:
        fresh = replace(
            row,
            active=True,
            disabled_at=None,
            disabled_reason=None,
            health=health.reset(row.health),
        )
        endpoints.write_health(tx, row.id, fresh.health)
        return self._write_state(tx, fresh)

    def _write_state(self, tx: Connection, row: EndpointRow) -> EndpointRow:
        changed = replace(row, updated_at=self._parts.clock.now_ms())
        endpoints.update(tx, changed)
        apps.bump_subscriptions(tx, row.app_id)
        return changed


def headers_sealed_as(endpoint_id: str) -> str:
    """The vault's additional data for an endpoint's headers."""
    return f"endpoints.headers:{endpoint_id}"


def _switched(row: EndpointRow, source: str | None, now_ms: int) -> EndpointRow:
    if source is None or source == row.signing_source:
        return row
    until = now_ms + Limits.signing_switch_overlap_seconds * 1000
    return replace(row, signing_source=source, both_sources_until=until)


def _check_headers(headers: Mapping[str, str]) -> None:
    if len(headers) > _MAX_HEADERS:
        raise invalid(
            "/headers", "maxProperties", f"An endpoint has at most {_MAX_HEADERS} headers."
        )
    _refuse(find_refusals(headers.items()))


def _check_given_once(patch: Mapping[str, str | None]) -> None:
    # The merge would let the last spelling of a name win, without a word.
    found = find_refusals((name, value or "") for name, value in patch.items())
    _refuse([refusal for refusal in found if refusal.reason == "header_name_duplicated"])


def _refuse(refusals: Sequence[HeaderRefusal]) -> None:
    if refusals:
        faults = tuple(Fault(f"/headers/{_token(r.name)}", r.reason, r.message) for r in refusals)
        raise Refusal("header_not_allowed", refusals[0].message, faults)


def _check_secret(secret: str | None) -> None:
    if secret is None:
        return
    try:
        verify_secret_format(secret)
    except SecretFormatError as error:
        fault = Fault("/signing/secret", "secret_not_valid", str(error))
        raise Refusal("secret_not_valid", str(error), (fault,)) from error


def _token(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
