"""Filters: each operator, what is refused, and agreement with a small judge of another make."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain.exact_json import exactly, read_exactly
from hookwright_server.domain.filters import FilterError, compile_filter

Rules = dict[str, Any]


def accepts(rules: Rules, payload: str, context: Rules | None = None) -> bool:
    """What a filter says to a payload, given as JSON text."""
    found = compile_filter(rules)
    return found.accepts(
        {"payload": read_exactly(payload.encode()), "context": exactly(context or {})}
    )


# Every operator

_PAYLOAD = """{"n": 10, "f": 0.1, "s": "order-7", "t": true, "z": null, "l": [1, "a", {"b": 2}],
 "o": {"p": {"q": "deep"}}, "a.b": {"c\\\\d": 1}, "b": [true, 0.0, [true], null],
 "big": 12345678901234567890}"""


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"payload.n": 10}, True),
        ({"payload.n": 10.0}, True),
        ({"payload.n": 11}, False),
        ({"payload.n": "10"}, False),
        ({"payload.t": 1}, False),
        ({"payload.t": True}, True),
        ({"payload.z": None}, True),
        ({"payload.l": [1, "a", {"b": 2.0}]}, True),
        ({"payload.l": [True, "a", {"b": 2}]}, False),
        ({"payload.o": {"$eq": {"p": {"q": "deep"}}}}, True),
        ({"payload.o": {"$eq": {"p": {}}}}, False),
        ({"payload.o.p.q": "deep"}, True),
        ({"payload.l.2.b": 2}, True),
        ({"payload.l.3": {"$exists": False}}, True),
        ({"payload.l.-1": {"$exists": False}}, True),
        ({"payload.l.01": {"$exists": False}}, True),
        ({"payload.n.x": {"$exists": False}}, True),
        (r"payload.a\.b.c\\d", True),
        ({"payload.a.b": {"$exists": False}}, True),
        ({"payload.n": {"$gt": 9, "$lt": 11}}, True),
        ({"payload.n": {"$gte": 10, "$lte": 10}}, True),
        ({"payload.n": {"$gt": 10}}, False),
        ({"payload.n": {"$lt": 10}}, False),
        ({"payload.s": {"$gt": "order-6"}}, True),
        ({"payload.s": {"$gt": 6}}, False),
        ({"payload.n": {"$gt": "1"}}, False),
        ({"payload.t": {"$gte": 0}}, False),
        ({"payload.big": {"$gt": 9007199254740991}}, True),
        ({"payload.f": {"$eq": 0.1}}, True),
        ({"payload.n": {"$ne": 10}}, False),
        ({"payload.n": {"$ne": 9}}, True),
        ({"payload.n": {"$in": [1, 10]}}, True),
        ({"payload.t": {"$in": [1, "true"]}}, False),
        ({"payload.n": {"$nin": [1, 2]}}, True),
        ({"payload.n": {"$nin": [10]}}, False),
        ({"payload.s": {"$contains": "der"}}, True),
        ({"payload.s": {"$contains": "DER"}}, False),
        ({"payload.s": {"$contains": "."}}, False),
        ({"payload.s": {"$contains": 7}}, False),
        ({"payload.l": {"$contains": "a"}}, True),
        ({"payload.l": {"$contains": 1.0}}, True),
        ({"payload.l": {"$contains": True}}, False),
        ({"payload.b": {"$contains": True}}, True),
        ({"payload.b": {"$contains": 1}}, False),
        ({"payload.b": {"$contains": 0}}, True),
        ({"payload.b": {"$contains": False}}, False),
        ({"payload.b": {"$contains": [1]}}, False),
        ({"payload.b": {"$contains": [True]}}, True),
        ({"payload.b": {"$contains": None}}, True),
        ({"payload.l": {"$contains": {"b": 2}}}, True),
        ({"payload.l": {"$contains": "b"}}, False),
        ({"payload.n": {"$contains": "1"}}, False),
        ({"payload.s": {"$startswith": "order-"}}, True),
        ({"payload.s": {"$startswith": "rder-"}}, False),
        ({"payload.s": {"$endswith": "-7"}}, True),
        ({"payload.n": {"$endswith": "0"}}, False),
        ({"payload.z": {"$exists": True}}, True),
        ({"payload.z": {"$exists": False}}, False),
        ({"payload.n": 10, "payload.s": "x"}, False),
        ({"$and": [{"payload.n": 10}, {"payload.t": True}]}, True),
        ({"$and": [{"payload.n": 10}, {"payload.t": False}]}, False),
        ({"$or": [{"payload.n": 1}, {"payload.t": True}]}, True),
        ({"$or": [{"payload.n": 1}, {"payload.t": False}]}, False),
        ({"$not": {"payload.n": 10}}, False),
        ({"$not": {"payload.absent": 10}}, True),
        ({"context.plan": "gold"}, True),
        ({"context.plan": {"$exists": False}}, False),
    ],
    ids=repr,
)
def test_each_operator(rules: Rules | str, expected: bool) -> None:
    """One condition, one answer; a path alone stands for "is 1"."""
    if isinstance(rules, str):
        rules = {rules: 1}

    assert expected == accepts(rules, _PAYLOAD, {"plan": "gold"})


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (None, False),
        ({"$eq": 1}, False),
        ({"$gt": 0}, False),
        ({"$gte": ""}, False),
        ({"$lt": 0}, False),
        ({"$lte": "z"}, False),
        ({"$in": [None]}, False),
        ({"$contains": ""}, False),
        ({"$startswith": ""}, False),
        ({"$endswith": ""}, False),
        ({"$exists": True}, False),
        ({"$exists": False}, True),
        ({"$ne": None}, True),
        ({"$nin": [None]}, True),
    ],
    ids=repr,
)
def test_an_absent_field_satisfies_three_operators(rule: Any, expected: bool) -> None:
    """Only `$exists: false`, `$ne` and `$nin` hold for what is not there."""
    assert expected == accepts({"payload.absent": rule}, "{}")


@pytest.mark.parametrize(
    ("number", "rule", "expected"),
    [
        ("0.1000000000000000055511151231257827", 0.1, False),
        ("0.10000", 0.1, True),
        ("1E400", {"$gt": 1e308}, True),
        ("1e99999999999999999999999", {"$gt": 1e308}, True),
        ("-1e99999999999999999999999", {"$lt": -1e308}, True),
        ("1e-99999999999999999999999", {"$gt": 0}, True),
        ("1e-99999999999999999999999", {"$lt": 5e-324}, True),
        ("-1e-99999999999999999999999", {"$lt": 0}, True),
        ("0e99999999999999999999999", 0, True),
        ("-0.0", 0, True),
        ("9" * 5000, {"$gt": 9007199254740991}, True),
        ("-" + "9" * 5000, {"$lt": 0}, True),
        ("9007199254740992.0000000000000000001", {"$gt": 9007199254740992}, True),
    ],
)
def test_numbers_are_compared_exactly(number: str, rule: Any, expected: bool) -> None:
    """No number is rounded to a float, and there is none too long or too large."""
    assert expected == accepts({"payload.n": rule}, f'{{"n": {number}}}')


# What is refused


@pytest.mark.parametrize(
    ("rules", "pointer", "rule"),
    [
        ({}, "", "minProperties"),
        ({"total": 1}, "/total", "path"),
        ({"body.total": 1}, "/body.total", "path"),
        ({"payload": 1}, "/payload", "path"),
        ({"payload.": 1}, "/payload.", "path"),
        ({"payload..a": 1}, "/payload..a", "path"),
        ({"payload.a\\": 1}, "/payload.a\\", "path"),
        ({"payload.a\\b": 1}, "/payload.a\\b", "path"),
        ({"payload" + ".a" * 32: 1}, "/payload" + ".a" * 32, "path"),
        ({"": 1}, "/", "path"),
        ({"payload.a/b~": {"$gtt": 1}}, "/payload.a~1b~0/$gtt", "operator"),
        ({"payload.a": {"gt": 1}}, "/payload.a/gt", "operator"),
        ({"payload.a": {}}, "/payload.a", "minProperties"),
        ({"payload.a": {"$gt": None}}, "/payload.a/$gt", "type"),
        ({"payload.a": {"$lte": True}}, "/payload.a/$lte", "type"),
        ({"payload.a": {"$in": "x"}}, "/payload.a/$in", "type"),
        ({"payload.a": {"$in": []}}, "/payload.a/$in", "type"),
        ({"payload.a": {"$nin": [1] * 101}}, "/payload.a/$nin", "type"),
        ({"payload.a": {"$exists": 1}}, "/payload.a/$exists", "type"),
        ({"payload.a": {"$startswith": 1}}, "/payload.a/$startswith", "type"),
        ({"payload.a": {"$endswith": ["x"]}}, "/payload.a/$endswith", "type"),
        ({"payload.a": {"$not": {"$gt": 1}}}, "/payload.a/$not", "operator"),
        ({"$nor": []}, "/$nor", "operator"),
        ({"$eq": 1}, "/$eq", "operator"),
        ({"$and": {}}, "/$and", "type"),
        ({"$or": []}, "/$or", "type"),
        ({"$or": [{"payload.a": 1}, 3]}, "/$or/1", "type"),
        ({"$and": [{"$not": {"x": 1}}]}, "/$and/0/$not/x", "path"),
        ({"$not": []}, "/$not", "type"),
        (
            {"$and": [{"payload.a": {"$ne": n}} for n in range(33)]},
            "/$and/32/payload.a/$ne",
            "max_conditions",
        ),
    ],
    ids=repr,
)
def test_what_is_no_filter_is_named(rules: Rules, pointer: str, rule: str) -> None:
    """The refusal says where and which rule, before any event is judged by it."""
    with pytest.raises(FilterError) as caught:
        compile_filter(rules)

    assert (pointer, rule) == (caught.value.pointer, caught.value.rule)
    assert str(caught.value).endswith(".")


# Against another judge: it reads the rules each time, and values as tagged tuples of fractions

_NUMBERS = ("0", "-0", "1", "1.0", "10e-1", "0.1", "0.10", "0.1000000000000000000001", "1e400", "2")
_TEXTS = ("", "a", "ab", "1", "b\u00e9")
_NAMES = ("a", "b", "0", "1")


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def _written(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, list):
        items: list[Any] = [*value]
        return f"[{', '.join(map(_written, items))}]"
    if isinstance(value, dict):
        members: Rules = {**value}
        return "{" + ", ".join(f"{json.dumps(k)}: {_written(v)}" for k, v in members.items()) + "}"
    return json.dumps(value)


def _tagged(value: Any) -> tuple[str, Any]:
    match value:
        case bool() | None:
            return ("other", value)
        case _Number():
            return ("number", Fraction(str(value)))
        case int() | float():
            return ("number", Fraction(repr(value)))
        case str():
            return ("text", value)
        case [*items]:
            return ("list", [_tagged(item) for item in items])
        case _:
            members: Rules = {**value}
            return ("object", {name: _tagged(member) for name, member in members.items()})


def _found(value: tuple[str, Any] | None, names: list[str]) -> tuple[str, Any] | None:
    for name in names:
        if value is None:
            return None
        kind, inside = value
        if kind == "object":
            value = inside.get(name)
        elif kind == "list" and name.isdigit() and int(name) < len(inside):
            value = inside[int(name)]
        else:
            return None
    return value


def _judged(rules: Rules, fields: tuple[str, Any]) -> bool:
    return all(_member(name, rule, fields) for name, rule in rules.items())


def _member(name: str, rule: Any, fields: tuple[str, Any]) -> bool:
    match name:
        case "$and":
            return all(_judged(each, fields) for each in rule)
        case "$or":
            return any(_judged(each, fields) for each in rule)
        case "$not":
            return not _judged(rule, fields)
        case _:
            found = _found(fields, name.split("."))
            rules: Rules = {**rule} if isinstance(rule, dict) else {"$eq": rule}
            return all(_operator(each, operand, found) for each, operand in rules.items())


def _operator(name: str, operand: Any, found: tuple[str, Any] | None) -> bool:
    if name in ("$in", "$nin"):
        return (found in [_tagged(each) for each in operand]) is (name == "$in")
    if name == "$exists":
        return (found is not None) is bool(operand)
    wanted = _tagged(operand)
    if name in ("$eq", "$ne"):
        return (found == wanted) == (name == "$eq")
    if found is None:
        return False
    kind, value = found
    if name == "$contains":
        return bool(
            wanted in value if kind == "list" else kind == wanted[0] == "text" and operand in value
        )
    if kind != wanted[0]:
        return False
    judges: dict[str, Callable[[], Any]] = {
        "$gt": lambda: value > wanted[1],
        "$gte": lambda: value >= wanted[1],
        "$lt": lambda: value < wanted[1],
        "$lte": lambda: value <= wanted[1],
        "$startswith": lambda: value[: len(operand)] == operand,
        "$endswith": lambda: (
            value[len(value) - len(operand) :] == operand and len(value) >= len(operand)
        ),
    }
    return bool(judges[name]())


_leaves = (
    st.sampled_from(_NUMBERS).map(_Number) | st.sampled_from(_TEXTS) | st.booleans() | st.none()
)
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)
_operands = st.sampled_from([0, 1, 1.0, 2, 0.1, 1e300, -1, *_TEXTS, True, False, None, [], [1]])
_ordered = st.sampled_from([0, 1, 0.1, 2.5, *_TEXTS])
_rule = st.one_of(
    _operands,
    st.dictionaries(
        st.sampled_from(["$eq", "$ne", "$contains"]), _operands, min_size=1, max_size=2
    ),
    st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), _ordered, min_size=1),
    st.dictionaries(
        st.sampled_from(["$in", "$nin"]), st.lists(_operands, min_size=1, max_size=3), min_size=1
    ),
    st.dictionaries(
        st.sampled_from(["$startswith", "$endswith"]), st.sampled_from(_TEXTS), min_size=1
    ),
    st.fixed_dictionaries({"$exists": st.booleans()}),
)


def _path(root: str, names: list[str]) -> str:
    return ".".join([root, *names])


_paths = st.builds(
    _path,
    st.sampled_from(["payload", "payload", "context"]),
    st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3),
)
_rules = st.recursive(
    st.dictionaries(_paths, _rule, min_size=1, max_size=2),
    lambda inner: (
        st.fixed_dictionaries({"$not": inner})
        | st.fixed_dictionaries({"$and": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"$or": st.lists(inner, min_size=1, max_size=2)})
    ),
    max_leaves=4,
)
_objects = st.dictionaries(st.sampled_from(_NAMES), _values, max_size=4)
_contexts = st.dictionaries(st.sampled_from(_NAMES), _operands, max_size=3)


@given(_rules, _objects, _contexts)
def test_it_agrees_with_another_judge(rules: Rules, payload: Rules, context: Rules) -> None:
    """Whatever the rules and the event, both say the same."""
    fields = ("object", {"payload": _tagged(payload), "context": _tagged(context)})

    assert _judged(rules, fields) == accepts(rules, _written(payload), context)


# Its cost


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"$contains": "a" * 49 + "b" + "a" * 49}, "a" * 65_000),
        ({"$endswith": "b" * 99}, "b" * 65_000),
        ({"$contains": {"a": 1}}, [{"a": 2}] * 6_000),
        ({"$contains": [[[1]]]}, [[[[2]]]] * 7_000),
    ],
)
def test_no_payload_makes_it_slow(rule: Rules, value: Any) -> None:
    """64 KiB that are made to be slow cost no more than reading them a few times."""
    names = [f"payload.{'a' * n}" for n in range(1, 17)]
    raw = json.dumps(dict.fromkeys(["x"], value)).encode()
    payload = read_exactly(raw)
    found = compile_filter({"$or": [{name: 1} for name in names] + [{"payload.x": rule}]})

    spent: list[float] = []
    for _ in range(5):
        began = time.thread_time()
        found.accepts({"payload": payload, "context": {}})
        spent.append(time.thread_time() - began)

    assert min(spent) < 0.05
