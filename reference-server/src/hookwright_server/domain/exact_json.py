"""JSON values with exact numbers, and equality as JSON has it.

Integers are `int` or `Decimal`, all other numbers `Decimal`; comparing them rounds nothing.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TypeAlias, TypeGuard, cast

Exact: TypeAlias = bool | int | Decimal | str | list["Exact"] | dict[str, "Exact"] | None


def read_exactly(raw: bytes) -> Exact:
    """The value of `raw`, which `strict_json` has accepted.

    A number whose exponent has more digits than `Decimal` takes reads as infinite, or as the
    smallest of its sign: nearer to nothing, and further from it, than any other number.
    """
    text = raw.decode()
    try:
        return cast("Exact", _DECODER.decode(text))
    except (ValueError, InvalidOperation):  # an integer that `int` refuses, or such an exponent
        return cast("Exact", _PATIENT_DECODER.decode(text))


def exactly(value: object) -> Exact:
    """A parsed JSON value; a float counts as the number that it is shown as."""
    match value:
        case float():
            return Decimal(repr(value))
        case dict():
            members = cast("dict[str, object]", value)
            return {name: exactly(member) for name, member in members.items()}
        case list():
            return [exactly(item) for item in cast("list[object]", value)]
        case _:
            return cast("Exact", value)


def is_number(value: object) -> TypeGuard[int | Decimal]:
    """Whether `value` is a number; true and false are none."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def same(one: object, other: object) -> bool:
    """Whether two exact values are equal: `1` and `1.0` are, `1` and `true` are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        items = cast("list[Exact]", one), cast("list[Exact]", other)
        return len(items[0]) == len(items[1]) and all(map(same, *items))
    if isinstance(one, dict) and isinstance(other, dict):
        mine, theirs = cast("dict[str, Exact]", one), cast("dict[str, Exact]", other)
        return mine.keys() == theirs.keys() and all(same(mine[key], theirs[key]) for key in mine)
    return one == other


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        mantissa, _, exponent = digits.lower().partition("e")
        if not mantissa.strip("-0."):
            return Decimal(0)
        extreme = _SMALLEST if exponent.startswith("-") else _INFINITE
        # A minus would round.
        return extreme.copy_negate() if mantissa.startswith("-") else extreme


_INFINITE = Decimal("Infinity")
_SMALLEST = Decimal("1e-999999999999999999")
_DECODER = json.JSONDecoder(parse_float=Decimal)
_PATIENT_DECODER = json.JSONDecoder(parse_float=_decimal, parse_int=cast("type[int]", _decimal))
