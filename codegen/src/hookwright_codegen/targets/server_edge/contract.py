"""The contract's constants for `domain/contract.py`: errors, enums, presets, defaults, bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from hookwright_codegen import ir, load, names
from hookwright_codegen.targets import reach

_SUFFIXES = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "minItems": "min_items",
    "maxItems": "max_items",
    "minProperties": "min_properties",
    "maxProperties": "max_properties",
    "x-max-bytes": "max_bytes",
}


def context(api: ir.Api) -> dict[str, Any]:
    """What the template of `domain/contract.py` needs."""
    schemas: Mapping[str, Any] = api.document["components"]["schemas"]
    bodies = [ir.ModelRef(each.body.model) for each in api.operations if each.body]
    groups = [
        *((model.name, model.fields) for model in reach.models(api, bodies)),
        ("Parameter", _parameters(api)),
    ]
    return {
        "enums": [
            (enum, names.plural(names.constant(enum.name)), "x-presets" in schemas[enum.name])
            for enum in api.enums.values()
        ],
        "errors": _extension(schemas, "x-errors"),
        "presets": _extension(schemas, "x-presets"),
        "defaults": [(name, found) for name, fields in groups if (found := _defaults(fields))],
        "bounds": [(name, found) for name, fields in groups if (found := _bounds(fields))],
        "limits": api.document.get("x-limits", {}),
    }


def runs(values: Sequence[float]) -> str:
    """A tuple in which long runs of one value are written as a repetition."""
    parts: list[str] = []
    for value, run in groupby(values):
        length = len(list(run))
        parts += [f"*({value},) * {length}"] if length > 3 else [repr(value)] * length
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _extension(schemas: Mapping[str, Any], keyword: str) -> Mapping[str, Any]:
    for schema in schemas.values():
        if keyword in schema:
            found: Mapping[str, Any] = schema[keyword]
            return found
    return {}


def _parameters(api: ir.Api) -> list[ir.Field]:
    """The shared parameters, by their Python name."""
    shared = {
        load.resolve(api.document, each)["name"]
        for each in api.document["components"].get("parameters", {}).values()
    }
    found: dict[str, ir.Field] = {}
    for operation in api.operations:
        for field in (*operation.path_params, *operation.query_params):
            if field.name in shared:
                found.setdefault(field.name, field)
    return list(found.values())


def _defaults(fields: Iterable[ir.Field]) -> list[tuple[str, Any]]:
    return [(field.python_name, field.default) for field in fields if field.has_default]


def _bounds(fields: Iterable[ir.Field]) -> list[tuple[str, Any]]:
    return [
        (f"{field.python_name.rstrip('_')}_{_SUFFIXES[keyword]}", value)
        for field in fields
        for keyword, value in field.bounds.items()
        if keyword in _SUFFIXES
    ]
