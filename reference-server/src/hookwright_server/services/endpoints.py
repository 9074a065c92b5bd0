"""Endpoints: where an app's events go."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hookwright_server.delivery.happenings import endpoint_disabled
from hookwright_server.delivery.system_events import SystemEvents
from hookwright_server.domain import health, merge_patch
from hookwright_server.domain.contract import Limits
from hookwright_server.domain.health import Health
from hookwright_server.domain.outgoing_headers import HeaderRefusal, find_refusals
from hookwright_server.domain.signing_keys import Scheme, SecretFormatError, verify_secret_format
from hookwright_server.domain.slug import SYSTEM
from hookwright_server.domain.target_url import UrlNotAllowed
from hookwright_server.errors import Fault, Refusal, invalid, not_found
from hookwright_server.services.parts import Parts
from hookwright_server.services.principal import Principal, app_filter, require_app
from hookwright_server.services.routing import check_filter, check_transformation
from hookwright_server.services.secrets import PublicKey, Rotated, Secrets
from hookwright_server.services.sizes import check_metadata
from hookwright_server.store import apps, deliveries, endpoints, signing_secrets
from hookwright_server.store.apps import AppRow
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import DeliveryFilter, DeliveryRow
from hookwright_server.store.endpoints import EndpointFilter, EndpointRow
from hookwright_server.store.pages import PageQuery, RowPage

_NO_FAILURES = Health(
    consecutive_failures=0,
    dead_letter_streak=0,
    first_failure_at=None,
    last_success_at=None,
    last_failure_at=None,
    failing_since=None,
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
    filter_rules: dict[str, Any] | None = None
    transformation: dict[str, Any] | None = None
    signing_scheme: Scheme = "v1"
    rate_limit: Mapping[str, int] | None = None


HELD_CANCELLED_IN_A_TRANSACTION = 1_000


@dataclass(frozen=True, slots=True)
class EndpointPatch:
    """A merge patch: `fields` holds columns to replace, the rest says how to change."""

    fields: dict[str, Any]
    headers: Mapping[str, str | None] | None = None
    clear_headers: bool = False
    metadata: Mapping[str, Any] | None = None
    active: bool | None = None
    signing_source: str | None = None
    signing_scheme: Scheme | None = None


class Endpoints:
    """The service of the tag `endpoints`. Every method runs inside the caller's transaction."""

    def __init__(self, parts: Parts, secrets: Secrets, system: SystemEvents) -> None:
        self._parts = parts
        self._system = system
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
        _check_secret(new.secret, new.signing_scheme)
        check_metadata(new.metadata)
        check_filter(new.filter_rules)
        check_transformation(new.transformation)
        _check_room(tx, app)
        row = self._row(app, new)
        endpoints.insert(tx, row)
        apps.bump_subscriptions(tx, app.id)
        if row.signing_source == "app":
            self._secrets.ensure(tx, principal.realm, app.id, None, row.signing_scheme)
        secret = self._secrets.create(
            tx, principal.realm, app.id, row.id, new.secret, new.signing_scheme
        )
        return row, secret

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
        check_filter(patch.fields.get("filter_rules"))
        check_transformation(patch.fields.get("transformation"))
        now_ms = self._parts.clock.now_ms()
        after = replace(before, **patch.fields, updated_at=now_ms)
        if patch.metadata is not None:
            after = replace(after, metadata=merge_patch.merge(before.metadata, patch.metadata))
        check_metadata(after.metadata)
        after = self._with_headers(after, headers)
        after = _switched(after, patch, now_ms)
        if _signs_otherwise(before, after):
            owner = None if after.signing_source == "app" else after.id
            self._secrets.ensure(tx, principal.realm, after.app_id, owner, after.signing_scheme)
        endpoints.update(tx, after)
        apps.bump_subscriptions(tx, after.app_id)
        return self._set_active(tx, after, patch.active)

    def delete(self, tx: Connection, principal: Principal, app_slug: str, endpoint_id: str) -> None:
        """Delete the endpoint with its secrets; what was pending reads as cancelled from now on."""
        row = self.get(tx, principal, app_slug, endpoint_id)
        endpoints.delete(tx, row.id, self._parts.clock.now_ms())
        signing_secrets.erase(tx, row.app_id, row.id)
        apps.bump_subscriptions(tx, row.app_id)

    def enable(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        release: bool,
    ) -> EndpointRow:
        """Enable, with a fresh health; what was held goes out, or is cancelled.

        Raises `unavailable` if more is to be cancelled than one transaction may: see `Enabling`.
        """
        if not release and self.cancel_some_held(tx, principal, app_slug, endpoint_id):
            raise Refusal(
                "unavailable",
                "More is held than is cancelled at once. What was cancelled stays so, and the "
                "endpoint disabled: repeat the request to go on.",
                retry_after_s=1,
            )
        return self._enable(tx, self.get(tx, principal, app_slug, endpoint_id))

    def cancel_some_held(
        self, tx: Connection, principal: Principal, app_slug: str, endpoint_id: str
    ) -> bool:
        """Cancel a batch of what a disabled endpoint holds; whether there may be more of it."""
        row = self.get(tx, principal, app_slug, endpoint_id)
        if row.active:
            return False
        now_ms = self._parts.clock.now_ms()
        cancelled = deliveries.cancel_pending(
            tx, row.id, "not_released", now_ms, HELD_CANCELLED_IN_A_TRANSACTION
        )
        return cancelled == HELD_CANCELLED_IN_A_TRANSACTION

    def disable(
        self, tx: Connection, principal: Principal, app_slug: str, endpoint_id: str
    ) -> EndpointRow:
        """Hold this endpoint's deliveries until it is enabled."""
        row = self.get(tx, principal, app_slug, endpoint_id)
        return self._set_active(tx, row, False)

    def deliveries(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        wanted: DeliveryFilter,
        query: PageQuery,
    ) -> RowPage[DeliveryRow]:
        """The endpoint's deliveries that fit `wanted`, or not_found."""
        row = self.get(tx, principal, app_slug, endpoint_id)
        wanted = replace(wanted, endpoint_id=row.id)
        return deliveries.page(tx, principal.realm, wanted, query, self._parts.clock.now_ms())

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
        return self._secrets.rotate(
            tx, principal.realm, row.app_id, row.id, overlap_seconds, row.signing_scheme
        )

    def public_keys(
        self, tx: Connection, principal: Principal, app_slug: str, endpoint_id: str
    ) -> list[PublicKey]:
        """What verifies this endpoint's `v1a` signatures, the current key first; or not_found."""
        row = self.get(tx, principal, app_slug, endpoint_id)
        if row.signing_scheme != "v1a":
            raise not_found("public key of the endpoint", endpoint_id)
        owner = None if row.signing_source == "app" else row.id
        return self._secrets.public_keys(tx, row.app_id, owner)

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
            signing_scheme=new.signing_scheme,
            both_schemes_until=None,
            **rate_columns(new.rate_limit),
            health=_NO_FAILURES,
            disabled_at=None if new.active else now_ms,
            disabled_reason=None if new.active else "manual",
            created_at=now_ms,
            updated_at=now_ms,
            app_slug=app.slug,
            filter_rules=new.filter_rules,
            transformation=new.transformation,
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
        disabled = endpoint_disabled(
            tenant=(row.account_id, row.environment),
            app_id=row.app_id,
            endpoint_id=row.id,
            url=row.url,
            reason="manual",
            at_ms=now_ms,
        )
        written = self._write_state(
            tx, replace(row, active=False, disabled_at=now_ms, disabled_reason="manual")
        )
        self._system.publish(tx, [disabled])
        return written

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


def _check_room(tx: Connection, app: AppRow) -> None:
    # The app's row is locked: others that create wait to count. What happens is told to all of
    # `_system` in the transaction in which results are recorded, hence so few.
    most = Limits.system_endpoints if app.slug == SYSTEM else Limits.endpoints_per_app
    if endpoints.count_of_app(tx, app.id, most) >= most:
        raise Refusal(
            "too_many_endpoints",
            f"The app {app.slug!r} has {most} endpoints already. Delete one that is not needed.",
        )


def rate_columns(rate_limit: Mapping[str, int] | None) -> dict[str, int | None]:
    """The columns that hold a rate limit as the contract has it."""
    given = rate_limit or {}
    return {
        "rate_max_requests": given.get("max_requests"),
        "rate_duration_ms": given.get("duration_ms"),
    }


def headers_sealed_as(endpoint_id: str) -> str:
    """The vault's additional data for an endpoint's headers."""
    return f"endpoints.headers:{endpoint_id}"


def _switched(row: EndpointRow, patch: EndpointPatch, now_ms: int) -> EndpointRow:
    until = now_ms + Limits.signing_switch_overlap_seconds * 1000
    source, scheme = patch.signing_source, patch.signing_scheme
    if source is not None and source != row.signing_source:
        row = replace(row, signing_source=source, both_sources_until=until)
    if scheme is not None and scheme != row.signing_scheme:
        row = replace(row, signing_scheme=scheme, both_schemes_until=until)
    return row


def _signs_otherwise(before: EndpointRow, after: EndpointRow) -> bool:
    return (before.signing_source, before.signing_scheme) != (
        after.signing_source,
        after.signing_scheme,
    )


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


def _check_secret(secret: str | None, scheme: Scheme) -> None:
    if secret is None:
        return
    try:
        verify_secret_format(secret, scheme)
    except SecretFormatError as error:
        fault = Fault("/signing/secret", "secret_not_valid", str(error))
        raise Refusal("secret_not_valid", str(error), (fault,)) from error


def _token(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
