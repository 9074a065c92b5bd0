"""Which models and enums a set of types needs, in a stable order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hookwright_codegen import ir


def references(kind: ir.Type) -> Iterator[ir.ModelRef | ir.EnumRef]:
    """The names that a type mentions itself."""
    match kind:
        case ir.ModelRef() | ir.EnumRef():
            yield kind
        case ir.ListOf(inner) | ir.MapOf(inner):
            yield from references(inner)
        case ir.Union(variants):
            for variant in variants:
                yield from references(variant)
        case _:
            return


def models(api: ir.Api, roots: Iterable[ir.Type]) -> tuple[ir.Model, ...]:
    """Every model that the roots reach, in the order of the contract."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        for reference in references(waiting.pop()):
            if isinstance(reference, ir.ModelRef) and reference.name not in found:
                found.add(reference.name)
                waiting += [field.type for field in api.models[reference.name].fields]
    return tuple(model for name, model in api.models.items() if name in found)


def enums(api: ir.Api, roots: Iterable[ir.Type]) -> tuple[ir.Enum, ...]:
    """Every enum that the roots reach, through models too, in the order of the contract."""
    types = list(roots)
    types += [field.type for model in models(api, types) for field in model.fields]
    found = {
        reference.name
        for kind in types
        for reference in references(kind)
        if isinstance(reference, ir.EnumRef)
    }
    return tuple(enum for name, enum in api.enums.items() if name in found)
