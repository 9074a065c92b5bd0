"""Where parts stand in the text of a JSON value, so that they can be copied as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from hookwright_server.domain.field_path import Path, place_in_list

Span = tuple[int, int]


@dataclass(slots=True)
class Wanted:
    """A place in a value, and whether its span is wanted.

    `members` are the places inside it by name; `items` are those of them that a list may have.
    """

    is_sought: bool = False
    members: dict[str, Wanted] = field(default_factory=dict[str, "Wanted"])
    items: dict[int, Wanted] = field(default_factory=dict[int, "Wanted"])


def wanted(paths: Iterable[Path]) -> Wanted:
    """All of `paths`, to be found in one pass."""
    top = Wanted()
    for path in paths:
        place = top
        for name in path:
            place = _below(place, name)
        place.is_sought = True
    return top


def find_spans(text: str, top: Wanted) -> dict[Path, Span]:
    """Where each path of `top` stands in `text`, valid JSON; those that are absent are left out.

    A name in a list is a place, counted from 0. What lies behind the last place that is sought
    is not looked at.
    """
    found: dict[Path, Span] = {}
    _value(text, _skip(text, 0), top, (), found, False)
    return found


def _below(place: Wanted, name: str) -> Wanted:
    below = place.members.setdefault(name, Wanted())
    number = place_in_list(name)
    if number is not None:
        place.items[number] = below
    return below


def _value(
    text: str, at: int, place: Wanted, path: Path, found: dict[Path, Span], needs_end: bool
) -> int:
    """The end of the value that begins at `at`; anything unless `needs_end`."""
    needs_end = needs_end or place.is_sought
    if place.members and text[at] == "{":
        end = _members(text, at, place, path, found, needs_end)
    elif place.items and text[at] == "[":
        end = _items(text, at, place, path, found, needs_end)
    else:
        end = _scan(text, at)[1] if needs_end else at
    if place.is_sought:
        found[path] = (at, end)
    return end


def _members(
    text: str, at: int, place: Wanted, path: Path, found: dict[Path, Span], needs_end: bool
) -> int:
    """`at` is where the object begins, and then behind each of its values."""
    missing = len(place.members)
    while missing or needs_end:
        if plain := _PLAIN_NAME.match(text, at):
            name, at = plain[1], plain.end()
        else:
            at = _past(text, at, "{,")
            if text[at] == "}":
                return at + 1
            name, at = _scan(text, at)
            at = _past(text, at, ":")
        below = place.members.get(name)
        if below is None:
            at = _scan(text, at)[1]
        else:
            missing -= 1
            at = _value(text, at, below, (*path, name), found, needs_end or missing > 0)
    return at


def _items(
    text: str, at: int, place: Wanted, path: Path, found: dict[Path, Span], needs_end: bool
) -> int:
    """`at` is where the list begins, and then behind each of its items."""
    missing, number = len(place.items), 0
    while missing or needs_end:
        at = _past(text, at, "[,")
        if text[at] == "]":
            return at + 1
        below = place.items.get(number)
        if below is None:
            at = _scan(text, at)[1]
        else:
            missing -= 1
            more = needs_end or missing > 0
            at = _value(text, at, below, (*path, str(number)), found, more)
        number += 1
    return at


def _past(text: str, at: int, marks: str) -> int:
    """Behind one of `marks`, if it comes next, and the white space around it."""
    if text[at] not in marks:
        at = _skip(text, at)
        if text[at] not in marks:
            return at
    at += 1
    return _skip(text, at) if text[at] in _SPACES else at


def _skip(text: str, at: int) -> int:
    return cast("re.Match[str]", _SPACE.match(text, at)).end()


_SPACES = " \t\n\r"
_SPACE = re.compile(rf"[{_SPACES}]*")
# The usual way to a member's value: a brace or comma, a name without escapes, a colon.
_PLAIN_NAME = re.compile(
    rf'[{_SPACES}]*[{{,][{_SPACES}]*"([^"\\\x00-\x1f]*)"[{_SPACES}]*:[{_SPACES}]*'
)
# Numbers stay text: nobody looks at them, and there is none that this cannot hold.
_decoder = json.JSONDecoder(parse_float=str, parse_int=cast("type[int]", str))
_scan = cast("Callable[[str, int], tuple[Any, int]]", vars(_decoder)["scan_once"])
"""What `raw_decode` calls; the text is known to be JSON."""
