"""Transformations: what is copied is copied byte for byte, and nothing wrong ever comes out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain.field_path import ABSENT, look_up, parse_path
from hookwright_server.domain.json_spans import find_spans, wanted
from hookwright_server.domain.transformation import (
    MappingError,
    TransformationFailed,
    compile_transformation,
)


def applied(payload: str, *mappings: tuple[str, str]) -> str:
    """The result of mappings, each `(from, to)`."""
    document = {"mappings": [{"from": source, "to": target} for source, target in mappings]}
    return compile_transformation(document).apply(payload.encode()).decode()


def test_the_documented_example() -> None:
    """Fields are copied and renamed, in the order of the mappings."""
    payload = '{"event": "payment.completed", "data": {"amount": 4999, "currency": "usd"}}'

    assert '{"amount":4999,"currency":"usd","type":"payment.completed"}' == applied(
        payload,
        ("payload.data.amount", "amount"),
        ("payload.data.currency", "currency"),
        ("payload.event", "type"),
    )


@pytest.mark.parametrize(
    "value",
    [
        "1.10",
        "12345678901234567890.123456789",
        "1E400",
        "9" * 5000,
        "-0",
        '"caf\\u00e9 \u00e9 \\/ \\ud83e\\ude9d"',
        '{ "b": [1,\t2, {}], "a" : null }',
        "[ ]",
        "true",
    ],
)
def test_what_is_copied_keeps_its_bytes(value: str) -> None:
    """Precision, key order, escapes and white space survive."""
    payload = f' {{"before": [1, {{"x": 2}}] , "v" :\n{value} , "after": {{"v": 0}} }}'

    assert f'{{"to":{value}}}' == applied(payload, ("payload.v", "to"))


def test_results_nest_in_the_order_of_their_first_mention() -> None:
    """Objects on the way are made, and what belongs together stands together."""
    assert '{"a":{"b":1,"c":{"d":2}},"e":1}' == applied(
        '{"x": 1, "y": [0, 2]}', ("payload.x", "a.b"), ("payload.x", "e"), ("payload.y.1", "a.c.d")
    )


def test_the_whole_payload_can_be_wrapped() -> None:
    """`payload` alone is all of it, also beside a part of it."""
    assert '{"all":{"a": {"b": 1}},"part":{"b": 1},"one":1}' == applied(
        '{"a": {"b": 1}}', ("payload", "all"), ("payload.a", "part"), ("payload.a.b", "one")
    )


def test_names_with_dots_have_backslashes() -> None:
    """On both sides."""
    assert '{"c.d":1,"\\"\\\\":1}' == applied(
        '{"a.b": 1}', (r"payload.a\.b", r"c\.d"), (r"payload.a\.b", '"\\\\')
    )


@pytest.mark.parametrize(
    ("payload", "mapping", "pointer", "rule"),
    [
        ("{}", ("payload.a", "a"), "/mappings/0/from", "absent"),
        ('{"a": null}', ("payload.a.b", "a"), "/mappings/0/from", "absent"),
        ('{"a": [1]}', ("payload.a.1", "a"), "/mappings/0/from", "absent"),
        ('{"a": [1]}', ("payload.a.00", "a"), "/mappings/0/from", "absent"),
        ('{"a": "%s"}' % ("x" * 262_144), ("payload.a", "a"), "/mappings", "max_bytes"),
        ('{"a": "%s"}' % ("\u00e9" * 131_070), ("payload.a", "a"), "/mappings", "max_bytes"),
        (
            '{"a": ' + "[" * 60 + "1" + "]" * 60 + "}",
            ("payload.a", "a.b.c.d"),
            "/mappings",
            "too_deep",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_done_fails(
    payload: str, mapping: tuple[str, str], pointer: str, rule: str
) -> None:
    """An absent field, a result that is too large or too deep: no result, and a reason."""
    with pytest.raises(TransformationFailed) as caught:
        applied(payload, mapping)

    assert (pointer, rule) == (caught.value.pointer, caught.value.rule)


def test_a_result_may_be_as_deep_as_a_payload() -> None:
    """64 levels with the envelope, also when the value held that many brackets."""
    value = "[" * 60 + "1" + "]" * 60

    assert f'{{"a":{{"b":{value}}}}}' == applied(f'{{"a": {value}}}', ("payload.a", "a.b"))
    assert applied('{"a": [' + "[], " * 100 + "1]}", ("payload.a", "b"))


def test_the_same_field_a_hundred_times_is_not_built() -> None:
    """What would be 25 MB fails before it is made."""
    with pytest.raises(TransformationFailed, match="262144 bytes"):
        applied('{"a": "%s"}' % ("x" * 250_000), *(("payload.a", f"copy{n}") for n in range(100)))


@pytest.mark.parametrize(
    ("mappings", "pointer"),
    [
        ([("payload.a", "")], "/mappings/0/to"),
        ([("payload.a", "a.")], "/mappings/0/to"),
        ([("payload.a", "a\\")], "/mappings/0/to"),
        ([("payload.a", ".".join("a" * 33))], "/mappings/0/to"),
        ([("a", "a")], "/mappings/0/from"),
        ([("context.a", "a")], "/mappings/0/from"),
        ([("payload.a", "a"), ("payload..a", "b")], "/mappings/1/from"),
        ([("payload.a", "a"), ("payload.b", "a")], "/mappings/1/to"),
        ([("payload.a", "a"), ("payload.b", "a.b")], "/mappings/1/to"),
        ([("payload.a", "a.b.c"), ("payload.b", "a.b")], "/mappings/1/to"),
    ],
    ids=repr,
)
def test_what_is_no_transformation_is_named(mappings: list[tuple[str, str]], pointer: str) -> None:
    """Paths that are none, and two results for one place."""
    with pytest.raises(MappingError) as caught:
        applied("{}", *mappings)

    assert (pointer, "path") == (caught.value.pointer, caught.value.rule)


# Against the parsed value

_NAMES: list[str] = ["a", "b", "0", "1", "e\u00e9"]


def _object(members: dict[str, str]) -> str:
    return "{" + " ,".join(f" {json.dumps(name)} : {text}" for name, text in members.items()) + "}"


_values = st.recursive(
    st.sampled_from(["1", "1.0", "-0", "1e400", '"a"', '"\\u0061"', "true", "null", "{ }", "[]"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[ {' , '.join(items)}]")
        | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=3).map(_object)
    ),
    max_leaves=10,
)
_objects = st.dictionaries(st.sampled_from(_NAMES), _values, max_size=4).map(_object)


_paths = st.lists(st.sampled_from(_NAMES), max_size=3).map(tuple)


@given(_objects, st.lists(_paths, max_size=6))
def test_spans_hold_what_stands_at_a_path(text: str, paths: list[tuple[str, ...]]) -> None:
    """Each span is the text of the very value, and what is absent has none."""
    spans = find_spans(text, wanted(paths))
    value = json.loads(text, parse_int=str, parse_float=str)
    expected = {path: found for path in paths if (found := look_up(value, path)) is not ABSENT}

    assert expected == {
        path: json.loads(text[start:end], parse_int=str, parse_float=str)
        for path, (start, end) in spans.items()
    }


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ('{"a":1,"b":2}', "b", "2"),
        (' { "\\u0061\\"" : 1 , "a" : { } } ', 'a"', "1"),
        ('{"x":"{\\"a\\":1}","a":3}', "a", "3"),
        ('{"x":{"a":1},"a":[ 4 ]}', "a", "[ 4 ]"),
        ('{"l":[{"0":1},[5]]}', "l.1.0", "5"),
        ('{"l":{"1":{"0":6}}}', "l.1.0", "6"),
        ('{"l":[ ],"a":[\n7\t]}', "a.0", "7"),
        ("{}", "a", None),
        ('{"a":[]}', "a.0", None),
        ('{"a":"b"}', "a.b", None),
    ],
)
def test_a_span_is_found_in_any_spelling(text: str, path: str, expected: str | None) -> None:
    """Escapes, white space, brackets within texts, and names that are numbers."""
    names = parse_path(path)
    span = find_spans(text, wanted([names, ("not", "there")])).get(names)

    assert expected == (None if span is None else text[slice(*span)])


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_any_name_has_a_path(names: list[str]) -> None:
    """Backslashes make every name sayable."""
    text = ".".join(name.replace("\\", r"\\").replace(".", r"\.") for name in names)

    assert tuple(names) == parse_path(text)
