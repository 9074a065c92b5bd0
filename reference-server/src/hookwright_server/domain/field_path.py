r"""Dot paths to fields of JSON values: `payload.customer.plan`, `payload.items.0.sku`.

A dot or backslash within a name has a backslash before it: `payload.user\.name`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum
from typing import Final, Literal, TypeAlias, cast

from hookwright_server.domain.contract import Limits

Path: TypeAlias = tuple[str, ...]
MOST_NAMES = Limits.path_names

_NAME = r"(?:[^.\\]|\\[.\\])+"
_PATH = re.compile(rf"{_NAME}(?:\.{_NAME})*")
_ONE_NAME = re.compile(_NAME)
_ESCAPE = re.compile(r"\\(.)")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class PathError(Exception):
    """A text is no path; `str()` names it and the rule."""


class Absent(Enum):
    """The one value of a field that is not there."""

    ABSENT = "absent"


ABSENT: Final[Literal[Absent.ABSENT]] = Absent.ABSENT


def parse_path(text: str) -> Path:
    """The names of a path. Raises PathError."""
    if not _PATH.fullmatch(text):
        raise PathError(
            f"{text!r} is no path: names with a dot between each two, such as 'customer.id'; "
            "within a name a backslash stands before a dot or a backslash."
        )
    names = tuple(_ESCAPE.sub(r"\1", name) for name in _ONE_NAME.findall(text))
    if len(names) > MOST_NAMES:
        raise PathError(f"{text!r} has {len(names)} names; at most {MOST_NAMES} are allowed.")
    return names


def parse_rooted(text: str, roots: Collection[str]) -> Path:
    """The names of a path that begins with one of `roots`. Raises PathError."""
    path = parse_path(text)
    if path[0] not in roots:
        known = " or ".join(f"'{root}.'" for root in roots)
        raise PathError(f"{text!r} begins with {path[0]!r}; a path begins with {known}.")
    return path


def place_in_list(name: str) -> int | None:
    """The place, counted from 0, that a name picks in a list; None when it picks none."""
    return int(name) if _INDEX.fullmatch(name) else None


def look_up(value: object, path: Path) -> object:
    """What stands at `path` in a parsed value, or ABSENT. In lists a name is a place, from 0."""
    for name in path:
        if isinstance(value, dict):
            value = cast("dict[str, object]", value).get(name, ABSENT)
        elif isinstance(value, list):
            items = cast("list[object]", value)
            place = place_in_list(name)
            value = ABSENT if place is None or place >= len(items) else items[place]
        else:
            return ABSENT
    return value
