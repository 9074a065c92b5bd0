"""What a case is, and the registry of all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hookwright_conformance import requirements
from hookwright_conformance.requirements import Requirement
from hookwright_conformance.world import World

CaseFunction = Callable[[World], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One observation of one requirement. `id` never changes; `kills` names the mutants that it
    must expose."""

    id: str
    requirement: Requirement
    profile: str
    kills: tuple[str, ...]
    function: CaseFunction

    @property
    def summary(self) -> str:
        """What the case does, in one line."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


_REGISTRY: dict[str, Case] = {}


def case(
    *,
    id: str,  # noqa: A002 - what it is called everywhere
    requirement: str,
    profile: str,
    kills: Sequence[str] = (),
) -> Callable[[CaseFunction], CaseFunction]:
    """Register a function as a case. Raises ValueError for an id in use, KeyError for an unknown
    requirement."""

    def register(function: CaseFunction) -> CaseFunction:
        if id in _REGISTRY:
            raise ValueError(f"two cases are called {id}")
        found = requirements.load().by_id[requirement]
        _REGISTRY[id] = Case(id, found, profile, tuple(kills), function)
        return function

    return register


def all_cases() -> list[Case]:
    """Every case of the suite, by id."""
    from hookwright_conformance import cases

    for module in pkgutil.iter_modules(cases.__path__):
        importlib.import_module(f"{cases.__name__}.{module.name}")
    return sorted(_REGISTRY.values(), key=lambda one: one.id)
