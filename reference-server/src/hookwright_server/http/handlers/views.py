"""Rows as the contract shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from hookwright_server.delivery.prepare import MASK
from hookwright_server.domain import health, instants

if TYPE_CHECKING:
    from hookwright_server.http.edge import responses
    from hookwright_server.services.secrets import Rotated
    from hookwright_server.store.api_keys import KeyRow
    from hookwright_server.store.apps import AppRow
    from hookwright_server.store.deliveries import AttemptRow, DeliveryRow
    from hookwright_server.store.endpoints import EndpointRow
    from hookwright_server.store.messages import MessageRow


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
        "metadata": row.metadata,
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
        "signing": {"source": cast("Any", row.signing_source)},
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
    }


def secret_rotated(rotated: Rotated) -> responses.SecretRotated:
    return {
        "signing_secret": rotated.signing_secret,
        "previous_valid_until": instant(rotated.previous_valid_until),
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
