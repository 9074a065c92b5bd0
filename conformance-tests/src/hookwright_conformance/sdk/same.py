"""Whether two pieces of JSON say the same; two spellings of one instant do."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, TypeGuard

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def difference(expected: Any, actual: Any, where: str = "") -> str | None:
    """The first place where `actual` differs, in words; None when there is none."""
    if _is_object(expected) and _is_object(actual):
        return _of_objects(expected, actual, where)
    if _is_array(expected) and _is_array(actual):
        return _of_arrays(expected, actual, where)
    if _plain(expected) == _plain(actual):
        return None
    return f"{where or '/'} is {actual!r:.200}, not {expected!r:.200}"


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_array(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _of_objects(expected: dict[str, Any], actual: dict[str, Any], where: str) -> str | None:
    for name in expected.keys() - actual.keys():
        return f"{where}/{name} is missing"
    for name in actual.keys() - expected.keys():
        return f"{where}/{name} is there, though nobody sent it"
    found = (difference(value, actual[name], f"{where}/{name}") for name, value in expected.items())
    return next((each for each in found if each), None)


def _of_arrays(expected: list[Any], actual: list[Any], where: str) -> str | None:
    if len(expected) != len(actual):
        return f"{where or '/'} has {len(actual)} items, not {len(expected)}"
    pairs = enumerate(zip(expected, actual, strict=True))
    found = (difference(one, other, f"{where}/{index}") for index, (one, other) in pairs)
    return next((each for each in found if each), None)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return dt.datetime.fromisoformat(value)
    # True is 1 in Python, but not in JSON.
    return (type(value), value) if isinstance(value, bool) else value
