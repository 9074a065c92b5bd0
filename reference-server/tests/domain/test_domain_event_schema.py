"""Schemas of payloads: what may be saved, what they may cost, what they say of a payload."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain.contract import Limits
from hookwright_server.domain.event_schema import EventSchema, Mismatch, SchemaRefused
from hookwright_server.domain.schema_cost import cost

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def refused(schema: Schema) -> tuple[str, str]:
    """Pointer and rule of the refusal."""
    with pytest.raises(SchemaRefused) as caught:
        EventSchema(schema)
    return caught.value.pointer, caught.value.rule


def found(schema: Schema, payload: object) -> tuple[str, str] | None:
    """Pointer and rule of what is wrong with `payload`."""
    mismatch = EventSchema(schema).mismatch(payload)
    return None if mismatch is None else (mismatch.pointer, mismatch.rule)


@pytest.mark.parametrize(
    ("schema", "payload", "wrong"),
    [
        ({}, {"a": 1}, None),
        ({"$schema": DRAFT, "required": ["a"]}, {}, ("/a", "required")),
        ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": ["x", 1]}, ("/a/1", "type")),
        ({"properties": {"a/b~": {"minimum": 2}}}, {"a/b~": 1}, ("/a~1b~0", "minimum")),
        ({"properties": {"x": False}}, {"x": 1}, ("/x", "falseSchema")),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            {"x": 1},
            ("/x", "additionalProperties"),
        ),
        ({"properties": {"a": {"format": "date-time"}}}, {"a": "yesterday"}, ("/a", "format")),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 10**300}, None),
        ({"properties": {"a": {"multipleOf": 0.01}}}, {"a": 19.99}, None),
        ({"prefixItems": [{"const": 1}]}, [2], ("/0", "const")),
        ({"unevaluatedProperties": False}, {"x": 1}, ("/x", "unevaluatedProperties")),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, ("/b", "required")),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}, ("", "oneOf")),
        (
            {"$ref": "#/$defs/n%61me", "$defs": {"name": {"minProperties": 1}}},
            {},
            ("", "minProperties"),
        ),
        ({"$anchor": "tree", "properties": {"sub": {"$ref": "#tree"}}}, {"sub": {"sub": {}}}, None),
        (
            {"type": "object", "additionalProperties": {"$ref": "#"}},
            {"sub": {"sub": 1}},
            ("/sub/sub", "type"),
        ),
    ],
)
def test_a_payload_is_judged(schema: Schema, payload: object, wrong: object) -> None:
    """Draft 2020-12, with formats; the pointer leads to the value, or to where it is missing."""
    assert wrong == found(schema, payload)


@pytest.mark.parametrize(
    ("schema", "refusal"),
    [
        ({"type": "strin"}, ("/type", "anyOf")),
        ({"properties": {"a": {"minimum": "1"}}}, ("/properties/a/minimum", "type")),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, ("/$schema", "const")),
        ({"$ref": "https://example.com/schema.json"}, ("/$ref", "remote_reference")),
        ({"items": {"$ref": "file:///etc/passwd"}}, ("/items/$ref", "remote_reference")),
        ({"allOf": [{"$dynamicRef": "other"}]}, ("/allOf/0/$dynamicRef", "remote_reference")),
        ({"$defs": {"a": {"$ref": "//x"}}}, ("/$defs/a/$ref", "remote_reference")),
        ({"$ref": "#/$defs/nothing"}, ("/$ref", "reference")),
        ({"$ref": "#nothing"}, ("/$ref", "reference")),
        ({"properties": {"a": {"$id": "x"}}}, ("/properties/a/$id", "nested_id")),
        ({"pattern": "(?=a)b"}, ("/pattern", "regex")),
        ({"pattern": r"(a)\1"}, ("/pattern", "regex")),
        ({"patternProperties": {"(": {}}}, ("/patternProperties/(", "regex")),
        ({"pattern": r"\p{L}{1,1000}"}, ("/pattern", "regex")),
        ({"$ref": "#"}, ("", "endless_reference")),
        ({"anyOf": [{"$ref": "#"}, {}]}, ("/anyOf/0", "endless_reference")),
    ],
)
def test_a_schema_that_may_not_be_saved(schema: Schema, refusal: object) -> None:
    """The refusal leads to the part that breaks the rule."""
    assert refusal == refused(schema)


def test_the_size_of_a_schema_is_bounded() -> None:
    """Subschemas and patterns are counted, wherever they stand."""
    many = {f"p{number}": {"pattern": "a"} for number in range(Limits.event_schema_patterns + 1)}
    parts: Schema = {f"p{number}": {} for number in range(Limits.event_schema_parts)}

    assert ("", "too_many_patterns") == refused({"properties": many})
    assert ("", "too_many_parts") == refused({"$defs": parts})
    many.popitem()
    parts.popitem()
    assert found({"properties": many, "$defs": {}}, {}) is None
    assert found({"$defs": parts}, {}) is None


def doubling(levels: int) -> Schema:
    """A few lines that mean 2 ** levels looks."""
    definitions: Schema = {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{levels}": {"type": "object"}}}


def nested(levels: int) -> Schema:
    """Each level is looked at again to know what the one above has looked at."""
    definitions: Schema = {
        f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}]} for level in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{levels}": {"type": "object"}}}


_COSTLY: dict[str, Schema] = {
    "doubling": doubling(40),
    "alternatives": {"additionalProperties": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}},
    "patterns": {"patternProperties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}},
    "unevaluated": {
        "properties": {"a": {"unevaluatedProperties": False, "allOf": [{"$ref": "#"}]}}
    },
    "wide": {"allOf": [{"not": {}}] * 600},
    "unevaluated chain": {**nested(30), "unevaluatedProperties": False},
}


@pytest.mark.parametrize("schema", _COSTLY.values(), ids=_COSTLY.keys())
def test_a_schema_that_costs_too_much_is_refused(schema: Schema) -> None:
    """Without measuring, the first of these would take years for an empty object."""
    assert ("", "too_costly") == refused(schema)


def looks(schema: Schema) -> int:
    """How many looks at one value the schema can need."""
    return cost(schema).looks


def test_what_a_schema_costs() -> None:
    """Of what excludes each other the dearest counts, of all else the sum."""
    assert 1 == looks({"type": "object"})
    assert 2 == looks({"properties": {"a": {}, "b": {}}, "items": {}})
    assert 3 == looks({"patternProperties": {"a": {}, "b": {}}})
    assert 4 == looks({"allOf": [{}, {}], "not": {}})
    assert 2 * Limits.json_depth - 1 == looks({"properties": {"sub": {"$ref": "#"}}})
    assert 2**6 - 1 < looks(doubling(5)) < 2**8
    assert 2 * 30 + 2 == looks(nested(30))
    assert 1 + 2 + 2 == looks({"allOf": [{}, {}], "unevaluatedItems": False})


HALVES = [number + 0.5 for number in range(300)]
SLOW: list[tuple[Schema, Any]] = [
    ({"enum": HALVES}, 1.25),
    ({"enum": [{"a": number} for number in range(1_000)]}, {"a": -1}),
    ({"enum": [f"name {number}" for number in range(2_000)]}, "x"),
    ({"allOf": [{"const": number} for number in range(90)]}, 90),
    ({"allOf": [{"minimum": 0.5}] * 90}, 1),
    ({"anyOf": [{"minimum": 1}] * 900}, 0),
    ({"multipleOf": 1e-300}, 1e300),
    ({"dependentRequired": {f"name {number}": ["x"] for number in range(1_500)}}, {}),
    (
        {
            "unevaluatedProperties": False,
            "anyOf": [{"properties": {f"{n}": True}} for n in range(300)],
        },
        {"1": 1},
    ),
    ({"allOf": [{"format": "email"}] * 600}, "a@" + "b." * 120 + "c"),
    ({"pattern": "^(a|b)*a(a|b){200}c"}, "abbabaaababbbabaabbb" * 100),
    ({"pattern": "(?:[ab]*a[ab]{20}){1,20}c"}, "abbabaaababbbabaabbb" * 100),
]


@pytest.mark.parametrize(("schema", "value"), SLOW, ids=range(len(SLOW)))
def test_what_may_be_judged_is_judged_in_time(schema: Schema, value: object) -> None:
    """A payload as large as the schema may judge, of values that take it longest, takes seconds."""
    judge = EventSchema({"items": {"not": schema}})
    most = min(judge.most_bytes, Limits.payload_bytes)
    payload = [value] * (most // (len(json.dumps(value, separators=(",", ":"))) + 1))
    began = time.thread_time()
    judge.mismatch(payload)

    assert time.thread_time() - began < 15


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": [number + 0.5 for number in range(3_000)]},
        {"enum": [{"a": number} for number in range(2_500)]},
        {"allOf": [{"multipleOf": 0.01}] * 200},
    ],
    ids=["numbers", "objects", "fractions"],
)
def test_what_no_payload_could_be_judged_by_is_refused(schema: Schema) -> None:
    """A schema that is saved can judge at least a small payload."""
    assert ("", "too_costly") == refused(schema)


def test_common_schemas_judge_the_largest_payload() -> None:
    """What people write is far from the bound."""
    member: Schema = {
        "type": "object",
        "required": ["id", "amount"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "amount": {"type": "number", "minimum": 0, "multipleOf": 0.01},
            "state": {"enum": [f"state {number}" for number in range(200)]},
            "at": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        },
    }
    schema = EventSchema({"properties": {"lines": {"type": "array", "items": member}}})

    assert schema.most_bytes >= Limits.payload_bytes


def test_one_error_of_many_is_quick_to_name() -> None:
    """A hundred thousand wrong values, also behind alternatives, do not take seconds."""
    wrong: list[object] = [1] * 100_000
    began = time.thread_time()

    assert ("/0", "type") == found({"items": {"type": "string"}}, wrong)
    assert ("", "schema") == found(
        {"anyOf": [{"items": {"type": "string"}}, {"type": "null"}]}, wrong
    )
    assert time.thread_time() - began < 10


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)*$", "^(a?){40}a{40}$", "(.*)*b$"])
def test_patterns_are_matched_in_linear_time(pattern: str) -> None:
    """What a backtracking engine would never finish takes no time."""
    began = time.thread_time()

    assert ("", "pattern") == found({"pattern": pattern}, "a" * 100_000 + "!")
    assert time.thread_time() - began < 10


def test_no_message_shows_the_value() -> None:
    """A problem is logged and passed on: what a payload holds stays out of it."""
    schemas: list[Schema] = [
        {"type": "integer"},
        {"const": "x"},
        {"enum": ["x", "y"]},
        {"pattern": "^x$"},
        {"format": "uuid"},
        {"maxLength": 1},
        {"not": {"type": "string"}},
        {"anyOf": [{"type": "null"}, {"maxLength": 1}]},
    ]
    for schema in schemas:
        mismatch = EventSchema({"properties": {"a": schema}}).mismatch({"a": "secret-value"})

        assert isinstance(mismatch, Mismatch)
        assert "secret-value" not in mismatch.message


# Any schema

KEYWORDS = (
    *("allOf", "anyOf", "oneOf", "not", "if", "then", "properties", "patternProperties", "items"),
    *("additionalProperties", "prefixItems", "contains", "$defs", "dependentSchemas"),
)
REFERENCES = st.sampled_from(["#", "#/$defs/a", "#/properties/a", "#/allOf/0", "#/not"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "#", "string"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*KEYWORDS, "$ref", "type", "a", "$id"]), inner, max_size=4
        )
    ),
    max_leaves=15,
)


LISTS = ("allOf", "anyOf", "prefixItems")
MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
SINGLE = ("not", "if", "then", "items", "additionalProperties", "contains")


def _assembled(parts: list[tuple[str, Any]]) -> Schema:
    schema: Schema = {}
    for keyword, part in parts:
        if keyword in LISTS:
            schema.setdefault(keyword, []).append(part)
        elif keyword in MAPS:
            named = schema.setdefault(keyword, {})
            named["b" if "a" in named else "a"] = part
        else:
            schema[keyword] = part
    return schema


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    keyword = st.sampled_from((*LISTS, *MAPS, *SINGLE))
    part = st.tuples(keyword, inner) | st.tuples(st.just("$ref"), REFERENCES)
    return st.lists(part, max_size=4).map(_assembled)


SCHEMAS = _objects(st.recursive(st.just({}), _objects, max_leaves=8))
VALUES = st.recursive(
    st.just(1),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*KEYWORDS, "$ref", "a", "$anchor"]), JSON), JSON)
def test_whatever_is_sent_is_a_schema_or_refused(schema: Schema, payload: object) -> None:
    """Nothing but SchemaRefused ever comes out, and what is a schema judges anything."""
    pointer = ""
    try:
        EventSchema(schema).mismatch(payload)
    except SchemaRefused as error:
        pointer = error.pointer

    assert pointer in {"", *_pointers(schema)}


@given(SCHEMAS, VALUES)
def test_no_value_is_looked_at_more_often_than_measured(schema: Schema, value: object) -> None:
    """A validator that never stops early stays within the measure."""
    try:
        most = looks(schema)
    except SchemaRefused:
        return
    assert max(_looks(schema, schema, value)) <= most


def _looks(root: Schema, schema: object, value: object) -> Iterator[int]:
    """For each way down into `value`: how many schemas are asked on it."""
    if not isinstance(schema, dict):
        yield 0
        return
    asked, below = _asked(root, cast("Schema", schema))
    deepest = [0]
    if isinstance(value, dict):
        deepest = [
            sum(max(_looks(root, each, member)) for one in asked for each in _for_member(one, name))
            for name, member in cast("dict[str, object]", value).items()
        ] or [0]
    if isinstance(value, list):
        deepest = [
            sum(max(_looks(root, each, item)) for one in asked for each in _for_item(one, index))
            for index, item in enumerate(cast("list[object]", value))
        ] or [0]
    yield below + max(deepest)


def _asked(root: Schema, schema: Schema) -> tuple[list[Schema], int]:
    """The schemas that are asked about the same value, and how many they are."""
    asked = [schema]
    for each in asked:
        inner = [
            *(one for keyword in ("allOf", "anyOf") for one in each.get(keyword, ())),
            *(each[keyword] for keyword in ("not", "if", "then") if keyword in each),
            *each.get("dependentSchemas", {}).values(),
        ]
        if "$ref" in each:
            target: Any = root
            for token in each["$ref"].split("/")[1:]:
                if isinstance(target, list):
                    target = cast("list[object]", target)[int(token)]
                else:
                    target = target[token]
            inner.append(target)
        asked += [one for one in inner if isinstance(one, dict)]
    return asked, len(asked)


def _for_member(schema: Schema, name: str) -> list[object]:
    patterns = [
        each for pattern, each in schema.get("patternProperties", {}).items() if pattern in name
    ]
    own = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    rest = [] if own or patterns else [schema.get("additionalProperties")]
    return [*patterns, *own, *rest]


def _for_item(schema: Schema, index: int) -> list[object]:
    own = schema.get("prefixItems", [])[index : index + 1] or [schema.get("items")]
    return [*own, schema.get("contains")]


def _pointers(value: object, here: str = "") -> Iterator[str]:
    """Every place in `value`, and every place where one could be missing."""
    pairs: list[tuple[Any, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        pairs = list(enumerate(value))  # pyright: ignore[reportUnknownArgumentType]
    for name, inner in pairs:
        yield f"{here}/{name}"
        yield from _pointers(inner, f"{here}/{name}")
