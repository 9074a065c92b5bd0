"""The contract's types, rules and sentences as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from hookwright_codegen import ir

_KINDS = {
    ir.Kind.STRING: "string",
    ir.Kind.INTEGER: "integer",
    ir.Kind.NUMBER: "number",
    ir.Kind.BOOLEAN: "boolean",
    ir.Kind.INSTANT: "time",
    ir.Kind.ANY: "any JSON value",
    ir.Kind.NULL: "null",
}
_MEANING = re.compile(r"^\* `(?P<code>\w+)` \(\d+\): (?P<text>.*)$", re.MULTILINE)
_RANGES = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minProperties", "maxProperties", " members"),
    ("", "x-max-bytes", " bytes"),
)
_OTHERS = {
    "exclusiveMinimum": "> {}",
    "exclusiveMaximum": "< {}",
    "pattern": "pattern `{}`",
}


def type_(kind: ir.Type) -> str:
    """A type in words; what has a name is a link to it."""
    match kind:
        case ir.Scalar(scalar):
            return _KINDS[scalar]
        case ir.Const(value):
            return f"`{json.dumps(value)}`"
        case ir.EnumRef(name) | ir.ModelRef(name):
            return f"[{name}](schemas.md#{anchor(name)})"
        case ir.ListOf(item):
            return f"list of {type_(item)}"
        case ir.MapOf(value):
            return "object" if value == ir.ANY else f"object of {type_(value)}"
        case ir.Union(variants):
            return " or ".join(type_(each) for each in variants)


def rules(field: ir.Field) -> str:
    """A field's bounds and default, behind its description."""
    bounds = field.bounds
    found = [
        _range(bounds.get(lowest), bounds.get(highest)) + unit
        for lowest, highest, unit in _RANGES
        if lowest in bounds or highest in bounds
    ]
    found += [text.format(bounds[name]) for name, text in _OTHERS.items() if name in bounds]
    if bounds.get("uniqueItems"):
        found.append("no item twice")
    if field.has_default:
        found.append(f"default `{json.dumps(field.default, ensure_ascii=False)}`")
    return f"({', '.join(found)})" if found else ""


def _range(lowest: Any, highest: Any) -> str:
    if highest is None:
        return f"≥ {lowest}"
    return f"≤ {highest}" if lowest is None else f"{lowest} to {highest}"


def meaning(field: ir.Field) -> str:
    """A field's cell: what it means, and its rules. What it refers to says the rest itself."""
    named = isinstance(field.type, ir.EnumRef | ir.ModelRef)
    text = field.description.split("\n\n")[0] if named else field.description
    return cell(f"{text} {rules(field)}")


def cell(text: str) -> str:
    """Text for a cell of a table: one line, without a character that would end the cell."""
    parts = prose(" ".join(text.split())).split("`")
    for number, part in enumerate(parts):
        if number % 2:
            # A backslash before `|` would be shown by some renderers, and needed by others.
            parts[number] = f"<code>{_entities(part)}</code>" if "|" in part else f"`{part}`"
    return "".join(parts).replace("|", "&#124;")


def _entities(text: str) -> str:
    """Text in which nothing is markup."""
    return re.sub(r"[&<>|*_\\\[\]]", lambda sign: f"&#{ord(sign[0])};", text)


def prose(text: str) -> str:
    """Text in which `<…>` stays visible; what stands in backticks is left alone."""
    parts = text.split("`")
    return "`".join(
        part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts)
    )


def anchor(heading: str) -> str:
    """The anchor that a heading of the site gets."""
    return re.sub(r"[^\w-]", "", heading.lower())


def named_values(api: ir.Api) -> list[tuple[str, str]]:
    """The contract's named values that are neither objects with fields nor enums: what they are."""
    schemas: Mapping[str, Any] = api.document["components"]["schemas"]
    return sorted(
        (name, str(schema["description"]))
        for name, schema in schemas.items()
        if name not in api.models and name not in api.enums and "description" in schema
    )


def meanings(api: ir.Api) -> Mapping[str, str]:
    """What each error code means: its sentence, or else its title."""
    schema: Mapping[str, Any] = api.document["components"]["schemas"].get("ErrorCode", {})
    told = {each["code"]: each["text"] for each in _MEANING.finditer(schema.get("description", ""))}
    return {
        code: told.get(code, f"{info['title']}.")
        for code, info in schema.get("x-errors", {}).items()
    }
