"""Types of the contract as the server spells them."""

from __future__ import annotations

from hookwright_codegen import ir
from hookwright_codegen.errors import GenerationError

_RESPONSE = {
    ir.Kind.STRING: "str",
    ir.Kind.INTEGER: "int",
    ir.Kind.NUMBER: "float",
    ir.Kind.BOOLEAN: "bool",
    ir.Kind.INSTANT: "str",
    ir.Kind.ANY: "Any",
    ir.Kind.NULL: "None",
}
_PARAMETER = {**_RESPONSE, ir.Kind.INSTANT: "int"}
_READABLE = {
    ir.Kind.STRING: "string",
    ir.Kind.INTEGER: "integer",
    ir.Kind.BOOLEAN: "boolean",
    ir.Kind.INSTANT: "instant",
}


def response(kind: ir.Type) -> str:
    """The type of a JSON value in a response."""
    match kind:
        case ir.Scalar(scalar):
            return _RESPONSE[scalar]
        case ir.Const(value):
            return f"Literal[{value!r}]"
        case ir.EnumRef(name) | ir.ModelRef(name):
            return name
        case ir.ListOf(item):
            return f"list[{response(item)}]"
        case ir.MapOf(value):
            return f"dict[str, {response(value)}]"
        case ir.Union(variants):
            return " | ".join(response(each) for each in variants)


def parameter(field: ir.Field) -> str:
    """The type of a parsed path or query parameter: instants are milliseconds, lists are tuples."""
    match field.type:
        case ir.ListOf(item):
            return f"tuple[{_one(field, item)}, ...]"
        case single:
            plain = _one(field, single)
            return plain if field.required or field.has_default else f"{plain} | None"


def reading_kind(field: ir.Field) -> str:
    """How the text of a parameter becomes a value."""
    kind = field.type.item if isinstance(field.type, ir.ListOf) else field.type
    if isinstance(kind, ir.EnumRef | ir.Const):
        return "string"
    if isinstance(kind, ir.Scalar) and kind.kind in _READABLE:
        return _READABLE[kind.kind]
    raise GenerationError([f"parameter `{field.name}` has a type that no text can carry"])


def _one(field: ir.Field, kind: ir.Type) -> str:
    match kind:
        case ir.Scalar(scalar) if scalar in _READABLE:
            return _PARAMETER[scalar]
        case ir.EnumRef(name):
            return name
        case _:
            raise GenerationError([f"parameter `{field.name}` has a type that no text can carry"])
