"""How a mutant replaces a collaborator: by its name in the module that uses it."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

from types import ModuleType
from typing import Any


def replace(where: ModuleType | type, name: str, substitute: object) -> None:
    """Put `substitute` in the place of `where.name`. Raises AttributeError when there is none:
    a mutant that changes nothing would be a lie."""
    getattr(where, name)
    setattr(where, name, substitute)


def sound_one(where: ModuleType | type, name: str) -> Any:
    """What a substitute may call: `where.name` as it is now, private or not."""
    return getattr(where, name)


def nothing(*_: object) -> None:
    """A substitute that does nothing."""
