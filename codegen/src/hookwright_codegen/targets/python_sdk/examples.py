"""Calls as documentation shows them, made from the contract's own examples."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from hookwright_codegen import ir, names

WIDTH = 80
_INDENT = "    "
_IMPORT = "from datetime import UTC, datetime"
ID = re.compile(r"[a-z]+_[0-9A-HJKMNP-TV-Z]{26}")


def example(api: ir.Api, operation: ir.Operation, *, is_async: bool) -> str:
    """
    A program of one call, with a prompt before each line.

    What the contract gives no value for (ids of things that exist) stands as a name.
    """
    code = _program(api, operation, is_async=is_async)
    lines = [line for statement in code for line in _prompted(statement)]
    return "\n".join(f"{_INDENT}{line}" for line in lines)


def _program(api: ir.Api, operation: ir.Operation, *, is_async: bool) -> list[str]:
    fields = api.models[operation.body.model].fields if operation.body else ()
    shown: Mapping[str, Any] = (operation.body and operation.body.example) or {}
    arguments = [_positional(each) for each in operation.path_params]
    keywords = [
        (each.python_name, _value(shown[each.name], each.type, each.name))
        for each in (*operation.query_params, *fields)
        if each.name in shown
    ]
    arguments += [f"{name}={_text(value, len(_INDENT))}" for name, value in keywords]
    target = f"client.{operation.namespace}.{operation.name}"
    imports = [_IMPORT] if any("datetime(" in each for each in arguments) else []
    if operation.page_item:
        item = _variable(operation.page_item)
        loop = f"{'async ' if is_async else ''}for {item} in {_call(target, arguments)}:"
        return [*imports, f"{loop}\n{_INDENT}print({item}.{_telling(api, operation.page_item)})"]
    awaited = "await " if is_async else ""
    result = f"{_variable(operation.success)} = " if operation.success else ""
    return [*imports, result + awaited + _call(target, arguments, len(result + awaited))]


def _prompted(statement: str) -> list[str]:
    first, *rest = statement.split("\n")
    return [f">>> {first}", *(f"... {line}" for line in rest)]


def _positional(field: ir.Field) -> str:
    return field.python_name if field.example is None else _line(field.example)


def _call(target: str, arguments: list[str], taken: int = 0) -> str:
    line = f"{target}({', '.join(arguments)})"
    if taken + len(line) <= WIDTH and "\n" not in line:
        return line
    return f"{target}(\n" + "".join(f"{_INDENT}{each},\n" for each in arguments) + ")"


def _variable(kind: ir.Type | None) -> str:
    """`AppCreated` to `created`, `Delivery` to `delivery`, `EventType` to `event_type`."""
    name = names.snake(kind.name) if isinstance(kind, ir.ModelRef) else "result"
    last = name.rpartition("_")[2]
    return name if hasattr(builtins, last) else last


def _telling(api: ir.Api, kind: ir.Type) -> str:
    return api.models[kind.name].fields[0].python_name if isinstance(kind, ir.ModelRef) else "real"


class _Source(str):
    """Text that is Python already."""

    __slots__ = ()


def _value(value: Any, kind: ir.Type, name: str) -> Any:
    """A JSON value as what a program gives: ids as names, instants as datetimes."""
    match kind:
        case ir.Union(variants):
            rest = [each for each in variants if each != ir.NULL]
            is_plain = value is None or len(rest) != 1
            return value if is_plain else _value(value, rest[0], name)
        case ir.ListOf(item):
            return [_value(each, item, name.removesuffix("s")) for each in value]
        case ir.Scalar(ir.Kind.INSTANT):
            moment = datetime.fromisoformat(value)
            return _Source(repr(moment).replace("datetime.", "").replace("timezone.utc", "UTC"))
        case ir.Scalar(ir.Kind.STRING) if ID.fullmatch(value):
            return _Source(name)
        case _:
            return value


def _text(value: Any, indent: int) -> str:
    """Python source, on one line where it fits."""
    line = _line(value)
    parts = _parts(value, lambda each: _text(each, indent + len(_INDENT)))
    if parts is None or not parts[1] or indent + len(line) <= WIDTH - 30:
        return line
    brackets, inner = parts
    pad = " " * (indent + len(_INDENT))
    lines = "".join(f"{pad}{each},\n" for each in inner)
    return f"{brackets[0]}\n{lines}{' ' * indent}{brackets[1]}"


def _line(value: Any) -> str:
    parts = _parts(value, _line)
    if parts is not None:
        return parts[0][0] + ", ".join(parts[1]) + parts[0][1]
    if isinstance(value, _Source):
        return str(value)
    plain = repr(value)
    return f'"{plain[1:-1]}"' if isinstance(value, str) and '"' not in plain else plain


def _parts(value: Any, text: Callable[[Any], str]) -> tuple[str, list[str]] | None:
    """The brackets and the items of a list or an object; None for anything else."""
    if isinstance(value, list):
        return "[]", [text(each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return "{}", [f"{_line(key)}: {text(each)}" for key, each in members.items()]
    return None
