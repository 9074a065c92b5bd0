"""Expressions that turn parsed JSON into a model's fields: flat code, no nested functions."""

from __future__ import annotations

from hookwright_codegen import ir, names
from hookwright_codegen.errors import GenerationError


def decoded(field: ir.Field) -> str:
    """The expression for one field of `from_dict`, where `pop` takes members out of the data."""
    source = f"pop({field.name!r})" if field.required else f"pop({field.name!r}, UNSET)"
    absent = [] if field.required else ["is UNSET"]
    if _is_plain(field.type):
        return _plain(field, source, absent)
    inner = _without_null(field.type)
    if inner is not field.type:
        absent.append("is None")
    if not absent:
        return _of(inner, source, field.name)
    return f"value if {_any_of(source, absent)} else {_of(inner, 'value', field.name)}"


def _plain(field: ir.Field, source: str, absent: list[str]) -> str:
    """What is as it came: looked at, and not more, as there are many of these."""
    kinds = _kinds(field.type)
    if kinds is None:
        return source
    if "None" in kinds:
        absent = [*absent, "is None"]
        kinds = [kind for kind in kinds if kind != "None"]
    inner = _without_null(field.type)
    if isinstance(inner, (ir.ListOf, ir.MapOf)):
        check = "items" if isinstance(inner, ir.ListOf) else "members"
        of = _kinds(inner.item if isinstance(inner, ir.ListOf) else inner.value)
        looked = f"{check}({field.name!r}, {{}}, {_tuple(of)})"
        if not absent:
            return looked.format(source)
        return f"value if {_any_of(source, absent)} else {looked.format('value')}"
    first = _any_of(source, [*absent, f"is {kinds[0]}"])
    return f"value if {first} else scalar({field.name!r}, value, {_tuple(kinds)})"


def _any_of(source: str, tests: list[str]) -> str:
    named = [f"(value := {source})", *(["value"] * (len(tests) - 1))]
    return " or ".join(
        f"{name} {test}"
        if test in {"is UNSET", "is None"}
        else f"type({name.removeprefix('(').removesuffix(')')}) {test}"
        for name, test in zip(named, tests, strict=True)
    )


def _tuple(kinds: list[str] | None) -> str:
    if kinds is None:
        return "()"
    return f"({', '.join('type(None)' if kind == 'None' else kind for kind in kinds)},)"


_SCALARS = {
    ir.Kind.STRING: ["str"],
    ir.Kind.INTEGER: ["int"],
    ir.Kind.NUMBER: ["float", "int"],
    ir.Kind.BOOLEAN: ["bool"],
    ir.Kind.NULL: ["None"],
}


def _kinds(kind: ir.Type) -> list[str] | None:
    """The classes that parsed JSON of a plain type has; None where it may be anything."""
    match kind:
        case ir.Scalar(scalar):
            return _SCALARS.get(scalar)
        case ir.Const(value):
            return [type(value).__name__]
        case ir.EnumRef():
            return ["str"]
        case ir.ListOf():
            return ["list"]
        case ir.MapOf():
            return ["dict"]
        case ir.Union(variants):
            found = [_kinds(each) for each in variants]
            if None in found:
                return None
            return list(dict.fromkeys(each for some in found for each in some or []))
        case ir.ModelRef():
            return ["dict"]


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


def _of(kind: ir.Type, source: str, name: str = "") -> str:
    match kind:
        case ir.Scalar(ir.Kind.INSTANT):
            return f"instant({source})"
        case ir.ModelRef(model):
            return f"{model}.from_dict({source})"
        case ir.ListOf(item) if not _is_plain(item):
            listed = f"items({name!r}, {source}, ())" if name else source
            return f"[{_element(item)} for each in {listed}]"
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
