"""How long a subschema's own keywords can take at a value, in units for each byte of the payload.

A unit is about 50 ns for the validator that we use. What takes longer was measured: numbers are
compared as they are written, whatever their size; a pattern can be at many places of itself at a
time; and lists of constants are gone through one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, TypeAlias, cast

Schema: TypeAlias = Mapping[str, Any]

_RANGE = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_NAMED = ("dependentRequired", "dependentSchemas", "dependencies")
_FLOAT, _INTEGER = 50, 15
_PLACES_PER_UNIT = 3
_REPEATED = re.compile(r"(.?)\{(\d+)(?:,(\d*))?\}")


def work(schema: Schema) -> int:
    """At least 1: the subschema is asked."""
    units = 1 + sum(_number(schema[keyword]) for keyword in _RANGE if keyword in schema)
    units += sum(len(_members(schema, keyword)) // 3 for keyword in _NAMED)
    patterns = chain([schema.get("pattern", "")], _members(schema, "patternProperties"))
    units += sum(places(pattern) // _PLACES_PER_UNIT for pattern in patterns)
    if "multipleOf" in schema:
        units += 20 if isinstance(schema["multipleOf"], int) else 120
    if "const" in schema:
        units += _compared([schema["const"]])
    units += _listed(schema.get("enum", ()))
    return units + 2 * ("uniqueItems" in schema) + 2 * ("format" in schema)


def places(pattern: str) -> int:
    """At how many places of itself a pattern can be at a time, repetitions written out."""
    added, times = len(pattern), 1
    for before, least, most in _REPEATED.findall(pattern):
        count = max(int(least), int(most or 0), 1)
        if before == ")":
            times *= count
        else:
            added += count
    return added * times


def _number(value: object) -> int:
    return 2 if isinstance(value, int) and abs(value) < 2**53 else _FLOAT


def _listed(values: Iterable[object]) -> int:
    given = list(values)
    # These the validator looks up instead of comparing.
    if all(type(value) is int for value in given) or all(type(value) is str for value in given):
        return len(given) // 100
    return _compared(given)


def _compared(values: Iterable[object]) -> int:
    waiting, units = list(values), 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, float):
            units += _FLOAT
        elif isinstance(value, int) and not isinstance(value, bool):
            units += _INTEGER
        elif isinstance(value, list):
            waiting += cast("list[object]", value)
        elif isinstance(value, dict):
            waiting += cast("dict[str, object]", value).values()
        units += 1
    return units


def _members(schema: Schema, keyword: str) -> Mapping[str, object]:
    found = schema.get(keyword)
    return cast("Mapping[str, object]", found) if isinstance(found, Mapping) else {}
