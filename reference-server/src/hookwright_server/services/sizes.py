"""Limits that count bytes, which JSON Schema cannot say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hookwright_server.domain.contract import Limits
from hookwright_server.errors import Fault, Refusal


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Refuse metadata that is too large as compact JSON text."""
    size = len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode())
    _check("/metadata", "metadata", size, Limits.metadata_bytes)


def check_payload(payload: bytes) -> None:
    """Refuse a payload that is too large as it was received."""
    _check("/payload", "payload", len(payload), Limits.payload_bytes)


def _check(pointer: str, name: str, size: int, limit: int) -> None:
    if size > limit:
        message = f"'{name}' has {size} bytes; at most {limit} are allowed. Shorten it."
        raise Refusal("payload_too_large", message, (Fault(pointer, "max_bytes", message),))
