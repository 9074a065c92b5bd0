"""Types of the contract as the SDK spells them."""

from __future__ import annotations

from hookwright_codegen import ir

_SCALARS = {
    ir.Kind.STRING: "str",
    ir.Kind.INTEGER: "int",
    ir.Kind.NUMBER: "float",
    ir.Kind.BOOLEAN: "bool",
    ir.Kind.INSTANT: "datetime",
    ir.Kind.ANY: "Any",
    ir.Kind.NULL: "None",
}


def model_field(field: ir.Field) -> str:
    """The annotation of a model's field. Enums are open: servers may gain values."""
    kind = _received(field.type)
    return kind if field.required else f"{kind} | Unset"


def model_name(field: ir.Field) -> str:
    """What a model calls its field. A deprecated one is read through a property, which warns."""
    return f"_{field.python_name}" if field.deprecated else field.python_name


def model_value(field: ir.Field) -> str:
    """What follows the annotation: the default, and that the `repr` leaves secrets out."""
    options = [] if field.required else ["default=UNSET"]
    if field.deprecated:
        options.append(f"alias={field.python_name!r}")
    if field.secret:
        options.append("repr=False")
    if options == ["default=UNSET"]:
        return " = UNSET"
    return f" = field({', '.join(options)})" if options else ""


def received(kind: ir.Type) -> str:
    """The type of a value that a server sent."""
    return _received(kind)


def argument(field: ir.Field) -> str:
    """The annotation of a method's argument. Enums are closed here: a typing error is a typo."""
    kind = _given(field.type)
    return kind if field.required else f"{kind} | Unset"


def _received(kind: ir.Type) -> str:
    match kind:
        case ir.EnumRef(name):
            return f"{name} | str"
        case ir.Const(value):
            return f"Literal[{value!r}]"
        case ir.ModelRef(name):
            return name
        case ir.ListOf(item):
            return f"list[{_received(item)}]"
        case ir.MapOf(value):
            return f"dict[str, {_received(value)}]"
        case ir.Union(variants, tag):
            parts = [_received(each) for each in variants]
            # A variant that this version of the SDK does not know stays the dict that it is.
            return " | ".join([*parts, "dict[str, Any]"] if tag else parts)
        case ir.Scalar(scalar):
            return _SCALARS[scalar]


def _given(kind: ir.Type) -> str:
    match kind:
        case ir.EnumRef(name):
            return name
        case ir.Const(value):
            return f"Literal[{value!r}]"
        case ir.ModelRef(name):
            return f"{name} | Mapping[str, Any]"
        case ir.ListOf(item):
            return f"Sequence[{_given(item)}]"
        case ir.MapOf(value):
            return f"Mapping[str, {_given(value)}]"
        case ir.Union(variants):
            parts = [part for each in variants for part in _given(each).split(" | ")]
            return " | ".join(dict.fromkeys(parts))
        case ir.Scalar(scalar):
            return _SCALARS[scalar]
