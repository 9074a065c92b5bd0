"""The contract's text as docstrings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hookwright_codegen import ir
from hookwright_codegen.targets import reach
from hookwright_codegen.targets.python_sdk.examples import example

_RAISED = {"404": "NotFoundError", "409": "ConflictError", "422": "UnprocessableError"}
_OPTIONS = {
    "timeout": "Seconds that this call may wait for the network; None waits without end.",
    "max_retries": "How often a failed attempt of this call is repeated.",
    "extra_headers": "Headers of this call, over those of the client.",
}
_IDEMPOTENCY = (
    "Makes the call safe to repeat; without it, a random one covers the call's own retries."
)


def method_text(api: ir.Api, operation: ir.Operation, *, is_async: bool) -> str:
    """A method's docstring: what it does, its arguments, its errors, and a call of it."""
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
    if not operation.deprecated:
        parts.append("Examples:\n" + example(api, operation, is_async=is_async))
    return "\n\n".join(parts)


def field_text(api: ir.Api, field: ir.Field) -> str:
    """A field's meaning, bounds, default and what of it is old, in sentences."""
    parts = ["Deprecated." if field.deprecated else ""]
    parts += [_sentence(" ".join(field.description.split())), _bounds(field.bounds)]
    if field.has_default:
        parts.append(f"Default: {_shown(field.default)}.")
    parts += [
        f"Deprecated: {_shown(value)}. {_sentence(instead)}"
        for each in reach.references(field.type)
        if isinstance(each, ir.EnumRef)
        for value, instead in api.enums[each.name].deprecated.items()
    ]
    return " ".join(part for part in parts if part)


def first_sentence(text: str) -> str:
    """The beginning of a description."""
    return _sentence(" ".join(text.split()).partition(". ")[0])


def _arguments(api: ir.Api, operation: ir.Operation) -> list[str]:
    body = api.models[operation.body.model].fields if operation.body else ()
    lines = [
        f"    {field.python_name}: {field_text(api, field)}".rstrip()
        for field in (*operation.path_params, *operation.query_params, *body)
    ]
    if operation.idempotent:
        lines.append(f"    idempotency_key: {_IDEMPOTENCY}")
    return lines + [f"    {name}: {text}" for name, text in _OPTIONS.items()]


def _bounds(bounds: Mapping[str, Any]) -> str:
    found = [
        _range(bounds.get("minimum"), bounds.get("maximum"), ""),
        f"More than {bounds['exclusiveMinimum']}." if "exclusiveMinimum" in bounds else "",
        f"Less than {bounds['exclusiveMaximum']}." if "exclusiveMaximum" in bounds else "",
        _range(bounds.get("minLength"), bounds.get("maxLength"), " character"),
        _range(bounds.get("minItems"), bounds.get("maxItems"), " item"),
        "No item twice." if bounds.get("uniqueItems") else "",
        _range(bounds.get("minProperties"), bounds.get("maxProperties"), " member"),
        f"Pattern: `{bounds['pattern']}`." if "pattern" in bounds else "",
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
