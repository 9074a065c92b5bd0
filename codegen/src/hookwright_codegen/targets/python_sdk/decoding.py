"""Expressions that turn parsed JSON into a model's fields: flat code, no nested functions."""

from __future__ import annotations

from hookwright_codegen import ir, names
from hookwright_codegen.errors import GenerationError


def decoded(field: ir.Field) -> str:
    """The expression for one field of `from_dict`, where `pop` takes members out of the data."""
    if field.required:
        source = f"pop({field.name!r})"
        return _nullable(field.type, source)
    source = f"pop({field.name!r}, UNSET)"
    if _is_plain(field.type):
        return source
    inner = _without_null(field.type)
    absent = "(value := " + source + ") is UNSET"
    if inner is not field.type:
        absent += " or value is None"
    return f"value if {absent} else {_of(inner, 'value')}"


def unions(model: ir.Model) -> list[ir.Union]:
    """The tagged unions that a model's fields hold: each gets a function of its own."""
    found = dict.fromkeys(union for field in model.fields for union in _tagged(field.type))
    return list(found)


def union_name(union: ir.Union) -> str:
    """`BasicAuth | TokenAuth` to `_basic_auth_or_token_auth`."""
    models = [each.name for each in union.variants if isinstance(each, ir.ModelRef)]
    return "_" + "_or_".join(names.snake(name) for name in models)


def _tagged(kind: ir.Type) -> list[ir.Union]:
    match kind:
        case ir.ListOf(inner) | ir.MapOf(inner):
            return _tagged(inner)
        case ir.Union(variants, tag):
            if tag:
                return [ir.Union(tuple(each for each in variants if each != ir.NULL), tag)]
            return [union for each in variants for union in _tagged(each)]
        case _:
            return []


def _nullable(kind: ir.Type, source: str) -> str:
    if _is_plain(kind):
        return source
    inner = _without_null(kind)
    if inner is kind:
        return _of(kind, source)
    return f"None if (value := {source}) is None else {_of(inner, 'value')}"


def _of(kind: ir.Type, source: str) -> str:
    match kind:
        case ir.Scalar(ir.Kind.INSTANT):
            return f"instant({source})"
        case ir.ModelRef(name):
            return f"{name}.from_dict({source})"
        case ir.ListOf(item) if not _is_plain(item):
            return f"[{_element(item)} for each in {source}]"
        case ir.MapOf(value) if not _is_plain(value):
            return f"{{key: {_element(value)} for key, each in {source}.items()}}"
        case ir.Union(variants, tag) if tag:
            return f"{union_name(kind)}({source})"
        case ir.Union(variants) if not _is_plain(kind):
            raise GenerationError(
                [f"the union {variants} cannot be told apart; give its variants a const tag"]
            )
        case _:
            return source


def _element(kind: ir.Type) -> str:
    inner = _without_null(kind)
    code = _of(inner, "each")
    return code if inner is kind else f"None if each is None else {code}"


def _without_null(kind: ir.Type) -> ir.Type:
    if not isinstance(kind, ir.Union) or ir.NULL not in kind.variants:
        return kind
    rest = tuple(each for each in kind.variants if each != ir.NULL)
    return rest[0] if len(rest) == 1 else ir.Union(rest, kind.tag)


def _is_plain(kind: ir.Type) -> bool:
    """Whether parsed JSON is already the value."""
    match kind:
        case ir.Scalar(scalar):
            return scalar is not ir.Kind.INSTANT
        case ir.ListOf(inner) | ir.MapOf(inner):
            return _is_plain(inner)
        case ir.Union(variants):
            return all(_is_plain(each) for each in variants)
        case ir.ModelRef():
            return False
        case _:
            return True
