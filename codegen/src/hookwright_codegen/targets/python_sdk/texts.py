"""The contract's text as docstrings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hookwright_codegen import ir

_RAISED = {"404": "NotFoundError", "409": "ConflictError", "422": "UnprocessableError"}
_OPTIONS = {
    "timeout": "Seconds that this call may wait for the network; None waits without end.",
    "max_retries": "How often a failed attempt of this call is repeated.",
    "extra_headers": "Headers of this call, over those of the client.",
}
_IDEMPOTENCY = (
    "Makes the call safe to repeat; without it, a random one covers the call's own retries."
)


def method_text(api: ir.Api, operation: ir.Operation) -> str:
    """A method's docstring: what it does, its arguments with bounds and defaults, its errors."""
    parts = [_sentence(operation.summary)]
    if operation.deprecated:
        parts.append("Deprecated.")
    if operation.description:
        parts.append(operation.description)
    parts.append("Args:\n" + "\n".join(_arguments(api, operation)))
    raised = [
        f"    {_RAISED[each.status]}: {', '.join(f'`{code}`' for code in each.codes)}."
        for each in operation.errors
        if each.status in _RAISED and each.codes
    ]
    other = "Any other failure" if raised else "Any failure"
    raised.append(f"    APIError: {other}; `hookwright.errors` lists them.")
    parts.append("Raises:\n" + "\n".join(raised))
    return "\n\n".join(parts)


def field_text(field: ir.Field) -> str:
    """A field's meaning, bounds and default in sentences."""
    parts = [_sentence(" ".join(field.description.split())), _bounds(field.bounds)]
    if field.has_default:
        parts.append(f"Default: {_shown(field.default)}.")
    return " ".join(part for part in parts if part)


def _arguments(api: ir.Api, operation: ir.Operation) -> list[str]:
    body = api.models[operation.body.model].fields if operation.body else ()
    lines = [
        f"    {field.python_name}: {field_text(field)}".rstrip()
        for field in (*operation.path_params, *operation.query_params, *body)
    ]
    if operation.idempotent:
        lines.append(f"    idempotency_key: {_IDEMPOTENCY}")
    return lines + [f"    {name}: {text}" for name, text in _OPTIONS.items()]


def _bounds(bounds: Mapping[str, Any]) -> str:
    found = [
        _range(bounds.get("minimum"), bounds.get("maximum"), ""),
        _range(bounds.get("minLength"), bounds.get("maxLength"), " character"),
        _range(bounds.get("minItems"), bounds.get("maxItems"), " item"),
        _range(bounds.get("minProperties"), bounds.get("maxProperties"), " member"),
    ]
    return " ".join(each for each in found if each)


def _range(lowest: Any, highest: Any, unit: str) -> str:
    if lowest is None and highest is None:
        return ""
    last = lowest if highest is None else highest
    plural = f"{unit}s" if unit and last != 1 else unit
    if highest is None:
        return f"At least {lowest}{plural}."
    if lowest is None:
        return f"At most {highest}{plural}."
    return f"{lowest} to {highest}{plural}."


def _shown(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _sentence(text: str) -> str:
    stripped = text.strip()
    return stripped if not stripped or stripped[-1] in ".?!" else f"{stripped}."
