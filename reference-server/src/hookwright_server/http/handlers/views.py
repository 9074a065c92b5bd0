"""Rows as the contract shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from hookwright_server.delivery.prepare import MASK
from hookwright_server.domain import health, instants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookwright_server.http.edge import responses
    from hookwright_server.services.secrets import PublicKey, Rotated
    from hookwright_server.store.api_keys import KeyRow
    from hookwright_server.store.apps import AppRow
    from hookwright_server.store.deliveries import AttemptRow, DeliveryRow
    from hookwright_server.store.endpoints import EndpointRow
    from hookwright_server.store.event_types import EventTypeRow
    from hookwright_server.store.messages import MessageRow
    from hookwright_server.store.replay_tasks import ReplayTaskRow


def instant(at_ms: int | None) -> str | None:
    """RFC 3339, or null."""
    return None if at_ms is None else instants.render(at_ms)


def text(raw: bytes | None) -> str | None:
    """Bytes from outside as text that the contract allows: no UTF-8, and NUL, is replaced."""
    return None if raw is None else raw.decode("utf-8", "replace").replace("\0", "\ufffd")


def app(row: AppRow) -> responses.App:
    return {
        "id": row.id,
        "slug": row.slug,
        "name": row.name,
        "description": row.description,
        "active": row.active,
        "retry_policy": _policy(row.retry_policy),
        "rate_limit_per_second": row.rate_limit_per_second,
        "retention_days": row.retention_days,
        "metadata": row.metadata,
        "created_at": instants.render(row.created_at),
        "updated_at": instants.render(row.updated_at),
        "event_type_policy": cast("Any", row.event_type_policy),
    }


def event_type(row: EventTypeRow) -> responses.EventType:
    return {
        "id": row.id,
        "app_slug": row.app_slug,
        "name": row.name,
        "description": row.description,
        "group": row.group,
        "schema": row.schema,
        "example_payload": row.example_payload,
        "archived": row.archived,
        "created_at": instants.render(row.created_at),
        "updated_at": instants.render(row.updated_at),
    }


def endpoint(row: EndpointRow) -> responses.Endpoint:
    return {
        "id": row.id,
        "app_slug": row.app_slug,
        "url": row.url,
        "description": row.description,
        "events": list(row.events),
        "headers": dict.fromkeys(row.header_names, MASK),
        "metadata": row.metadata,
        "active": row.active,
        "timeout_seconds": row.timeout_ms // 1000,
        "retry_policy": _policy(row.retry_policy),
        "max_concurrency": row.max_concurrency,
        "rate_limit": _rate_limit(row),
        "signing": {"source": cast("Any", row.signing_source), "scheme": row.signing_scheme},
        "health": {
            "state": health.state(row.health, row.active),
            "consecutive_failures": row.health.consecutive_failures,
            "first_failure_at": instant(row.health.first_failure_at),
            "last_success_at": instant(row.health.last_success_at),
            "last_failure_at": instant(row.health.last_failure_at),
        },
        "disabled_at": instant(row.disabled_at),
        "disabled_reason": cast("Any", row.disabled_reason),
        "created_at": instants.render(row.created_at),
        "updated_at": instants.render(row.updated_at),
        "filter_rules": row.filter_rules,
        "transformation": cast("responses.Transformation | None", row.transformation),
    }


def secret_rotated(rotated: Rotated) -> responses.SecretRotated:
    return {
        "signing_secret": rotated.signing_secret,
        "previous_valid_until": instant(rotated.previous_valid_until),
    }


def public_keys(current: PublicKey, retiring: Sequence[PublicKey]) -> responses.SecretPublicKey:
    return {
        "public_key": current.text,
        "retiring": [
            {"public_key": key.text, "valid_until": instants.render(key.valid_until or 0)}
            for key in retiring
        ],
    }


def message(row: MessageRow) -> responses.Message:
    return {
        "id": row.id,
        "app_slug": row.app_slug,
        "event_name": row.event_name,
        "event_id": row.event_id,
        "endpoint_count": row.endpoint_count,
        "filtered_count": row.filtered_count,
        "created_at": instants.render(row.created_at),
        "tags": list(row.tags),
        "deliver_at": instant(row.deliver_at),
        "expires_at": instant(row.expires_at),
        "expunged_at": instant(row.expunged_at),
        "ordering_key": row.ordering_key,
    }


def delivery(row: DeliveryRow) -> responses.Delivery:
    return {
        "id": row.id,
        "message_id": row.message_id,
        "app_slug": row.app_slug,
        "endpoint_id": row.endpoint_id,
        "endpoint_url": row.endpoint_url,
        "event_name": row.event_name,
        "status": cast("Any", row.status),
        "cancel_reason": cast("Any", row.cancel_reason),
        "attempt_count": row.attempt_count,
        "max_attempts": row.max_attempts,
        "next_attempt_at": instant(row.next_attempt_at),
        "last_status_code": row.last_status_code,
        "last_failure_reason": cast("Any", row.last_failure_reason),
        "latency_ms": row.latency_ms,
        "created_at": instants.render(row.created_at),
        "completed_at": instant(row.completed_at),
        "replay_of": row.replay_of,
        "ordering_key": row.ordering_key,
        "sequence": row.sequence,
    }


def replay_task(row: ReplayTaskRow, *, dry_run: bool = False) -> responses.ReplayTask:
    return {
        "id": row.id,
        "app_slug": row.app_slug,
        "status": "completed" if dry_run else cast("Any", row.status),
        "dry_run": dry_run,
        "total_count": row.total_count,
        "processed_count": row.processed_count,
        "replayed_count": row.replayed_count,
        "skipped_count": row.skipped_count,
        "created_at": instants.render(row.created_at),
        "started_at": instant(row.started_at),
        "completed_at": instant(row.created_at if dry_run else row.completed_at),
    }


def attempt(row: AttemptRow) -> responses.Attempt:
    return {
        "id": row.id,
        "number": row.number,
        "status": "succeeded" if row.failure_reason is None else "failed",
        "failure_reason": cast("Any", row.failure_reason),
        "status_code": row.status_code,
        "latency_ms": row.latency_ms,
        "response_body": None if row.status_code is None else text(row.response_body),
        "response_body_truncated": row.response_body_truncated,
        "request_headers": json.loads(row.request_headers),
        "created_at": instants.render(row.created_at),
    }


def api_key(row: KeyRow) -> responses.ApiKey:
    return {
        "id": row.id,
        "name": row.name,
        "environment": cast("Any", row.environment),
        "scopes": [cast("Any", scope) for scope in row.scopes],
        "app_slug": row.app_slug,
        "expires_at": instant(row.expires_at),
        "created_at": instants.render(row.created_at),
    }


def _rate_limit(row: EndpointRow) -> responses.EndpointRateLimit | None:
    if row.rate_max_requests is None or row.rate_duration_ms is None:
        return None
    return {"max_requests": row.rate_max_requests, "duration_ms": row.rate_duration_ms}


def _policy(document: dict[str, Any] | None) -> responses.RetryPolicy | None:
    shown = document and {name: _as_sent(value) for name, value in document.items()}
    return cast("responses.RetryPolicy | None", shown)


def _as_sent(value: Any) -> Any:
    """Whole numbers without `.0`, as their sender wrote them."""
    match value:
        case [*items]:
            return [_as_sent(item) for item in items]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
