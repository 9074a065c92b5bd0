"""DeprecationWarning for what the contract marks as deprecated, at the line of the user."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from hookwright._core.call import UNSET

P = ParamSpec("P")
R = TypeVar("R")

_PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Old:
    """
    What is deprecated about an argument: to give it at all, some of its values, or some members
    of the object or of the items that it holds. The texts are those of the warnings.
    """

    given: str | None = None
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    members: Mapping[str, Old] = field(default_factory=dict[str, "Old"])


def deprecated(message: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Each call of the function warns. Like `warnings.deprecated`, which Python 3.11 lacks."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            _warn(message)
            return function(*args, **kwargs)

        return call

    return decorate


def deprecates(**arguments: Old) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """
    A call that makes use of something old in one of these arguments warns.

    Coroutine functions warn when they are called and not when their coroutine runs: by then it
    may belong to a task, and no line of the user's is in sight.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given = cast("Mapping[str, Any]", kwargs)
            for message in dict.fromkeys(_found(arguments, given)):
                _warn(message)
            return function(*args, **kwargs)

        return call

    return decorate


def _found(olds: Mapping[str, Old], given: Mapping[str, Any]) -> Iterator[str]:
    for name, old in olds.items():
        value = given.get(name, UNSET)
        if value is not UNSET:
            if old.given is not None:
                yield old.given
            yield from _inside(old, value)


def _inside(old: Old, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value in old.values:
            yield old.values[value]
    elif isinstance(value, Mapping):
        yield from _found(old.members, cast("Mapping[str, Any]", value))
    elif hasattr(value, "to_dict"):
        yield from _found(old.members, value.to_dict())
    elif isinstance(value, Sequence):
        for item in cast("Sequence[object]", value):
            yield from _inside(old, item)


def _warn(message: str) -> None:
    """
    At the innermost line outside of this package, however many calls lie in between: what
    `skip_file_prefixes` does since Python 3.12.
    """
    level = 1
    frame = sys._getframe()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        level += 1
    warnings.warn(message, DeprecationWarning, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module == _PACKAGE or module.startswith(f"{_PACKAGE}.")
