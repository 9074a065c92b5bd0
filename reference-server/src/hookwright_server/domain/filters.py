"""Filters: which events an endpoint wants, judged by the payload and the caller's context.

The language stands in openapi.yaml (FilterRules). A filter is checked and compiled once; asking
it takes time in proportion to the fields that it looks at, whatever they hold.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, TypeAlias, TypeGuard

from hookwright_server.domain.contract import Limits
from hookwright_server.domain.exact_json import Exact, exactly, is_number, same
from hookwright_server.domain.field_path import ABSENT, PathError, look_up, parse_rooted

ROOTS = ("payload", "context")
MOST_CONDITIONS = Limits.filter_conditions
MOST_VALUES = Limits.filter_values

Fields: TypeAlias = dict[str, Exact]
"""The value of each root."""
_Holds: TypeAlias = Callable[[Fields], bool]
_Check: TypeAlias = Callable[[object], bool]
"""Judges what stands at a path: an exact value or ABSENT."""
_Compare: TypeAlias = Callable[[Any, Any], bool]


class FilterError(Exception):
    """Rules are no filter: `pointer` (into the rules) breaks `rule`; `str()` says how."""

    def __init__(self, pointer: str, rule: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled filter."""

    accepts: Callable[[Fields], bool]
    """Whether an event with these fields passes; a root that is missing is an absent field."""


def compile_filter(rules: Mapping[str, object]) -> Filter:
    """The filter that `rules` describe. Raises FilterError."""
    return Filter(_Compiler().group(exactly(dict(rules)), ""))


class _Compiler:
    """Compiles one filter, and counts its operators."""

    def __init__(self) -> None:
        self._conditions = 0

    def group(self, rules: Exact, at: str) -> _Holds:
        """An object whose members must all hold."""
        if not isinstance(rules, dict):
            _fail(at, "type", "A filter is an object: paths with what their fields must be.")
        if not rules:
            _fail(
                at,
                "minProperties",
                "A filter without a condition accepts everything: leave it out.",
            )
        return _every(
            [self._member(name, rule, f"{at}/{_token(name)}") for name, rule in rules.items()]
        )

    def _member(self, name: str, rule: Exact, at: str) -> _Holds:
        if name == "$and":
            return _every(self._groups(name, rule, at))
        if name == "$or":
            return _any(self._groups(name, rule, at))
        if name == "$not":
            return _not(self.group(rule, at))
        if name.startswith("$"):
            _fail(at, "operator", f"{name!r} stands where a path, $and, $or or $not is expected.")
        return self._field(name, rule, at)

    def _groups(self, name: str, rules: Exact, at: str) -> list[_Holds]:
        if not isinstance(rules, list) or not rules:
            _fail(at, "type", f"{name} takes a list of at least one filter.")
        return [self.group(each, f"{at}/{index}") for index, each in enumerate(rules)]

    def _field(self, name: str, rule: Exact, at: str) -> _Holds:
        try:
            path = parse_rooted(name, ROOTS)
        except PathError as error:
            _fail(at, "path", str(error))
        if len(path) == 1:
            _fail(at, "path", f"{name!r} names no field; write '{name}.' and the field's name.")
        operators = rule if isinstance(rule, dict) else {"$eq": rule}
        if not operators:
            _fail(at, "minProperties", f"{name!r} has no operator; an object is compared by $eq.")
        checks = [
            self._check(each, operand, f"{at}/{_token(each)}")
            for each, operand in operators.items()
        ]

        def holds(fields: Fields) -> bool:
            value = look_up(fields, path)
            return all(check(value) for check in checks)

        return holds

    def _check(self, name: str, operand: Exact, at: str) -> _Check:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            _fail(at, "max_conditions", f"A filter has at most {MOST_CONDITIONS} operators.")
        make = _OPERATORS.get(name)
        if make is None:
            known = ", ".join(_OPERATORS)
            _fail(at, "operator", f"{name!r} is no operator; there are {known}.")
        return make(name, operand, at)


def _every(parts: list[_Holds]) -> _Holds:
    return parts[0] if len(parts) == 1 else lambda fields: all(part(fields) for part in parts)


def _any(parts: list[_Holds]) -> _Holds:
    return parts[0] if len(parts) == 1 else lambda fields: any(part(fields) for part in parts)


def _not(part: _Holds) -> _Holds:
    return lambda fields: not part(fields)


# --- operators -------------------------------------------------------------------------------


def _equal(name: str, operand: Exact, at: str) -> _Check:
    del name, at
    return partial(same, operand)


def _unequal(name: str, operand: Exact, at: str) -> _Check:
    del name, at
    return lambda value: not same(operand, value)


def _one_of(name: str, operand: Exact, at: str) -> _Check:
    values = _values(name, operand, at)
    return lambda value: any(same(each, value) for each in values)


def _none_of(name: str, operand: Exact, at: str) -> _Check:
    values = _values(name, operand, at)
    return lambda value: not any(same(each, value) for each in values)


def _values(name: str, operand: Exact, at: str) -> list[Exact]:
    if not isinstance(operand, list) or not 1 <= len(operand) <= MOST_VALUES:
        _fail(at, "type", f"{name} takes a list of 1 to {MOST_VALUES} values.")
    return operand


def _ordered(compare: _Compare, name: str, operand: Exact, at: str) -> _Check:
    if is_number(operand):
        return lambda value: is_number(value) and compare(value, operand)
    text = _text(name, operand, at, "a number or a text")
    return lambda value: isinstance(value, str) and compare(value, text)


def _contains(name: str, operand: Exact, at: str) -> _Check:
    del name, at
    has = _has(operand)
    if not isinstance(operand, str):
        return lambda value: _is_list(value) and has(value)
    # `in` may take the product of both lengths; a search for a plain pattern takes their sum.
    found = re.compile(re.escape(operand)).search
    return lambda value: (
        found(value) is not None if isinstance(value, str) else _is_list(value) and has(value)
    )


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _has(wanted: Exact) -> Callable[[list[Any]], bool]:
    """Whether a list has `wanted`. Python's `in` is fast, but takes true for 1 and false for 0."""
    if isinstance(wanted, bool):
        return lambda items: any(item is wanted for item in items)
    if isinstance(wanted, list | dict):
        return lambda items: wanted in items and any(same(wanted, item) for item in items)
    if wanted in (0, 1):
        return lambda items: any(
            item == wanted and item is not True and item is not False for item in items
        )
    return lambda items: wanted in items


def _starts(name: str, operand: Exact, at: str) -> _Check:
    text = _text(name, operand, at)
    return lambda value: isinstance(value, str) and value.startswith(text)


def _ends(name: str, operand: Exact, at: str) -> _Check:
    text = _text(name, operand, at)
    return lambda value: isinstance(value, str) and value.endswith(text)


def _exists(name: str, operand: Exact, at: str) -> _Check:
    if not isinstance(operand, bool):
        _fail(at, "type", f"{name} takes true or false.")
    return lambda value: (value is not ABSENT) is operand


def _text(name: str, operand: Exact, at: str, wanted: str = "a text") -> str:
    if not isinstance(operand, str):
        _fail(at, "type", f"{name} takes {wanted}.")
    return operand


_Make: TypeAlias = Callable[[str, Exact, str], _Check]
_OPERATORS: Mapping[str, _Make] = {
    "$eq": _equal,
    "$ne": _unequal,
    "$gt": partial(_ordered, operator.gt),
    "$gte": partial(_ordered, operator.ge),
    "$lt": partial(_ordered, operator.lt),
    "$lte": partial(_ordered, operator.le),
    "$in": _one_of,
    "$nin": _none_of,
    "$contains": _contains,
    "$exists": _exists,
    "$startswith": _starts,
    "$endswith": _ends,
}


def _token(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _fail(at: str, rule: str, message: str) -> NoReturn:
    raise FilterError(at, rule, message)
