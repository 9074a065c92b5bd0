"""How a divergence is told."""

from __future__ import annotations

from pprint import pformat
from typing import TYPE_CHECKING, ClassVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_SHOWN = 12


class Divergence(AssertionError):
    """The server does not do what the model says."""

    first: ClassVar[str | None] = None
    """The first one since somebody last set it to None: one that does not come again, when its
    steps are done again, is told nowhere else."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        Divergence.first = Divergence.first or told


def same(expected: object, found: object, what: str) -> None:
    """Raises Divergence, with what differs, unless both are equal."""
    if expected != found:
        told = [f"{what}: the server differs from the model."]
        told += [f"  {line}" for line in _differences(expected, found, "")[:_MOST_SHOWN]]
        raise Divergence("\n".join(told))


def _differences(expected: object, found: object, path: str) -> list[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        mine = cast("dict[object, object]", expected)
        theirs = cast("dict[object, object]", found)
        return [
            line
            for key in mine | theirs
            for line in _differences(mine.get(key, "-"), theirs.get(key, "-"), f"{path}.{key}")
        ]
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        ours = list(cast("Iterable[object]", expected))
        others = list(cast("Iterable[object]", found))
        if len(ours) == len(others):
            return [
                line
                for index, (one, other) in enumerate(zip(ours, others, strict=True))
                for line in _differences(one, other, f"{path}[{index}]")
            ]
        missing = [each for each in ours if each not in others]
        extra = [each for each in others if each not in ours]
        return [f"{path} lacks {pformat(missing)}", f"{path} has besides {pformat(extra)}"]
    return [] if expected == found else [f"{path}: expected {expected!r}, found {found!r}"]
