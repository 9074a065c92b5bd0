"""What a case is, and the registry of all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hookwright_conformance import requirements
from hookwright_conformance.requirements import Requirement
from hookwright_conformance.target import Need
from hookwright_conformance.world import World

Of = TypeVar("Of")


@dataclass(frozen=True, slots=True)
class Case:
    """One observation of one requirement. `id` never changes; `kills` names the mutants that it
    must expose."""

    id: str
    requirement: Requirement
    profile: str
    kills: tuple[str, ...]
    function: Callable[[Any], None]
    needs: Need | None = None
    """What target.yaml must declare for the case to be run."""

    @property
    def summary(self) -> str:
        """What the case does, in one line."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


class Registry(Generic[Of]):
    """The cases of one mode, in the modules of a package of this one; they get an `Of`."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._cases: dict[str, Case] = {}

    def case(
        self,
        *,
        id: str,  # noqa: A002 - what it is called everywhere
        requirement: str,
        profile: str,
        kills: Sequence[str] = (),
        needs: Need | None = None,
    ) -> Callable[[Callable[[Of], None]], Callable[[Of], None]]:
        """Register a function as a case. Raises ValueError for an id in use, KeyError for an
        unknown requirement."""

        def register(function: Callable[[Of], None]) -> Callable[[Of], None]:
            if id in self._cases:
                raise ValueError(f"two cases are called {id}")
            found = requirements.load().by_id[requirement]
            self._cases[id] = Case(id, found, profile, tuple(kills), function, needs)
            return function

        return register

    def all(self) -> list[Case]:
        """Every case, by id."""
        package = importlib.import_module(f"hookwright_conformance.{self._package}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
        return sorted(self._cases.values(), key=lambda one: one.id)


_REGISTRY = Registry[World]("cases")
case = _REGISTRY.case
all_cases = _REGISTRY.all
