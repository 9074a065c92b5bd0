"""Limits that count bytes, which JSON Schema cannot say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hookwright_server.domain.contract import Limits
from hookwright_server.errors import Fault, Refusal


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Refuse metadata that is too large as compact JSON text."""
    _check("/metadata", "metadata", _size(metadata), Limits.metadata_bytes)


def check_event_schema(schema: Mapping[str, Any]) -> None:
    """Refuse a schema that is too large as compact JSON text."""
    _check("/schema", "schema", _size(schema), Limits.event_schema_bytes)


def check_example_payload(payload: Mapping[str, Any]) -> int:
    """Refuse an example that is too large as compact JSON text; its bytes."""
    size = _size(payload)
    _check("/example_payload", "example_payload", size, Limits.example_payload_bytes)
    return size


def check_filter_rules(rules: Mapping[str, Any]) -> None:
    """Refuse filter rules that are too large as compact JSON text."""
    _check("/filter_rules", "filter_rules", _size(rules), Limits.filter_bytes)


def check_filter_context(context: Mapping[str, Any] | None) -> None:
    """Refuse a filter context that is too large as compact JSON text."""
    if context is not None:
        _check("/filter_context", "filter_context", _size(context), Limits.filter_context_bytes)


def check_payload(payload: bytes) -> None:
    """Refuse a payload that is too large as it was received."""
    _check("/payload", "payload", len(payload), Limits.payload_bytes)


def _size(document: Mapping[str, Any]) -> int:
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def _check(pointer: str, name: str, size: int, limit: int) -> None:
    if size > limit:
        message = f"'{name}' has {size} bytes; at most {limit} are allowed. Shorten it."
        raise Refusal("payload_too_large", message, (Fault(pointer, "max_bytes", message),))
