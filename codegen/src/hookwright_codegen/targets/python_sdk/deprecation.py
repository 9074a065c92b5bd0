"""What an operation's arguments warn of: tables for the runtime's `deprecates`."""

from __future__ import annotations

from collections.abc import Iterable

from hookwright_codegen import ir
from hookwright_codegen.targets import reach
from hookwright_codegen.targets.python_sdk.texts import first_sentence


def operation_warning(operation: ir.Operation) -> str:
    """What a call of a deprecated operation warns of."""
    return _told(f"{operation.id} is deprecated", operation.description)


def field_warning(model: ir.Model, field: ir.Field) -> str:
    """What the use of a deprecated field warns of."""
    return _told(f"`{field.name}` of {model.name} is deprecated", field.description)


def tables(api: ir.Api, operation: ir.Operation) -> dict[str, str]:
    """By argument, the source of an `Old(…)`; empty for most operations."""
    body = api.models[operation.body.model].fields if operation.body else ()
    found: dict[str, str] = {}
    for field in (*operation.query_params, *body):
        given = f"the argument `{field.python_name}` of {operation.id} is deprecated"
        table = _table(api, field, _told(given, field.description))
        if table:
            found[field.python_name] = table
    return found


def _table(api: ir.Api, field: ir.Field, given: str) -> str:
    parts = [f"given={given!r}"] if field.deprecated else []
    references = list(reach.references(field.type))
    values = _values(api, references)
    members = _members(api, references)
    if values:
        parts.append(f"values={values!r}")
    if members:
        entries = ", ".join(f"{name!r}: {table}" for name, table in members.items())
        parts.append(f"members={{{entries}}}")
    return f"Old({', '.join(parts)})" if parts else ""


def _values(api: ir.Api, references: Iterable[ir.ModelRef | ir.EnumRef]) -> dict[str, str]:
    return {
        value: _told(f"the value `{value}` of {each.name} is deprecated", instead)
        for each in references
        if isinstance(each, ir.EnumRef)
        for value, instead in api.enums[each.name].deprecated.items()
    }


def _members(api: ir.Api, references: Iterable[ir.ModelRef | ir.EnumRef]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in references:
        if isinstance(each, ir.ModelRef):
            model = api.models[each.name]
            for field in model.fields:
                table = _table(api, field, field_warning(model, field))
                if table:
                    found[field.name] = table
    return found


def _told(what: str, text: str) -> str:
    return f"{what}: {first_sentence(text)}" if text else f"{what}."
