from __future__ import annotations

import json
import math
import sys
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookwright_server.domain import strict_json
from hookwright_server.domain.strict_json import JsonValue, StrictJsonError

LARGEST = sys.float_info.max
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=30
)


def refusal(
    raw: bytes, max_depth: int = 64, untouched: tuple[str, ...] = ()
) -> StrictJsonError | None:
    """The error with which `raw` is refused, if it is."""
    try:
        strict_json.parse(raw, max_depth=max_depth, untouched=untouched)
    except StrictJsonError as error:
        return error
    return None


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_valid_json_reads_as_the_standard_library_reads_it(
    value: JsonValue, ascii_only: bool, indent: int | None
) -> None:
    """Whatever breaks no rule gives the same value as json.loads."""
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()

    assert json.loads(raw) == strict_json.parse(raw)
    assert json.loads(raw) == strict_json.parse(raw, untouched=("payload",))


@pytest.mark.parametrize(
    ("raw", "rule", "offset"),
    [
        (b"", "syntax", 0),
        (b" ", "syntax", 1),
        (b"{", "syntax", 1),
        (b'{"a"}', "syntax", 4),
        (b'{"a":}', "syntax", 5),
        (b'{"a":1,}', "syntax", 7),
        (b'{"a":1 "b":2}', "syntax", 7),
        (b"{a:1}", "syntax", 1),
        (b'{"a":1}x', "syntax", 7),
        (b'{"a":1}{"b":2}', "syntax", 7),
        (b"[1]]", "syntax", 3),
        (b"[01]", "syntax", 2),
        (b"[+1]", "syntax", 1),
        (b"[.5]", "syntax", 1),
        (b"['a']", "syntax", 1),
        (b'"a\nb"', "syntax", 2),
        (b'"\\x"', "syntax", 1),
        (b'{"a\x01":1}', "syntax", 3),
        (b"\xc2\xa0[]", "syntax", 0),
        (b"[1]\x00\x00\x00\x00", "syntax", 3),
        ("[\u0661]".encode(), "syntax", 1),
        (b"\xef\xbb\xbf{}", "byte_order_mark", 0),
        ('{"a":1}'.encode("utf-16"), "encoding", 0),
        ('{"a":1}'.encode("utf-16-be"), "encoding", 0),
        ('{"a":1}'.encode("utf-32-le"), "encoding", 0),
        (b'"ab\xff"', "encoding", 3),
        (b'"\xed\xa0\x80"', "encoding", 1),
        (b'"\xc0\x80"', "encoding", 1),
        (b"NaN", "not_a_number", 0),
        (b'["NaN", NaN]', "not_a_number", 8),
        (b'{"a":{"b":[-Infinity]}}', "not_a_number", 11),
        ('["é", Infinity]'.encode(), "not_a_number", 7),
        (b'{"payload":{"a":NaN}}', "not_a_number", 16),
        (b"[1e999]", "number_out_of_range", 1),
        (b"[-1E+400]", "number_out_of_range", 1),
        (b"[" + b"9" * 400 + b".0]", "number_out_of_range", 1),
        (b'{"a": 9007199254740993}', "integer_out_of_range", 6),
        (b"-9007199254740993", "integer_out_of_range", 0),
        (b"[" + b"1" * 5000 + b"]", "integer_out_of_range", 1),
        (b'{"a":1,"a":2}', "duplicate_key", 7),
        (b'{"a":1,"\\u0061":2}', "duplicate_key", 7),
        (b'{"b":[{"a":1, "a" :2}]}', "duplicate_key", 14),
        (b'{"x":{"a":"b"},"y":["b","b"],"z":{"b":1,"b":2}}', "duplicate_key", 40),
        (b'{"a":1,"a":{"b":1,"b":2}}', "duplicate_key", 7),
        (b'["\\u0000"]', "nul_character", 2),
        (b'{"\\u0000":1}', "nul_character", 2),
        (b'["\\ud83d\\ude00\\\\u0000\\u0000"]', "nul_character", 21),
        (b'["\\ud800"]', "lone_surrogate", 2),
        (b'["\\udC00"]', "lone_surrogate", 2),
        (b'["\\uD83D\\uD83D\\uDE00"]', "lone_surrogate", 2),
        (b'["\\ude00\\ud83d"]', "lone_surrogate", 2),
        (b'{"\\ud83d\\n":1}', "lone_surrogate", 2),
        (b"[" * 65 + b"]" * 65, "too_deep", 64),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "too_deep", 64 * 5),
        (b'{"a[[[":' + b"[" * 64 + b"]" * 64 + b"}", "too_deep", 8 + 63),
        (b"[" * 100_000, "too_deep", 64),
        (b'{"a":' * 100_000, "too_deep", 64 * 5),
        (b'{"payload":' + b"[" * 100_000 + b'"\\"', "too_deep", 11 + 63),
    ],
)
@pytest.mark.parametrize("untouched", [(), ("payload",)])
def test_each_rule_is_named_with_its_place(
    raw: bytes, rule: str, offset: int, untouched: tuple[str, ...]
) -> None:
    """A refusal names the rule and the byte, whichever way the text is read."""
    error = refusal(raw, untouched=untouched)

    assert error is not None
    assert (rule, offset) == (error.rule, error.offset)
    assert str(error) == f"{error.detail} (byte {offset})"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"9007199254740992", 2**53),
        (b"-9007199254740992", -(2**53)),
        (b"[1.7976931348623157e308]", [LARGEST]),
        (b"[1e-999]", [0.0]),
        (b"[0.30000000000000004]", [0.30000000000000004]),
        (b'["1e999", "12345678901234567890"]', ["1e999", "12345678901234567890"]),
        (b'["\\ud83d\\ude00"]', ["\U0001f600"]),
        (b'["\\\\u0000\\\\ud800"]', ["\\u0000\\ud800"]),
        (b'{"a":1,"b":{"a":2}}', {"a": 1, "b": {"a": 2}}),
        (b" \t\r\n{ } ", {}),
        (b'{"":0}', {"": 0}),
    ],
)
@pytest.mark.parametrize("untouched", [(), ("payload",)])
def test_what_only_looks_wrong_is_read(
    raw: bytes, value: JsonValue, untouched: tuple[str, ...]
) -> None:
    """The bounds themselves, escaped backslashes and numbers inside strings pass."""
    actual = strict_json.parse(raw, untouched=untouched)

    assert value == actual


def test_depth_64_passes() -> None:
    """Exactly 64 levels are allowed, and brackets inside strings are no levels."""
    raw = b"[" * 64 + b'"[[[[{{{{"' + b"]" * 64

    assert refusal(raw, max_depth=64) is None
    assert refusal(raw, max_depth=63) is not None


def test_wide_documents_are_not_deep() -> None:
    """Many containers beside one another are no depth."""
    empty: list[JsonValue] = []
    value: list[JsonValue] = [{"a": [1, {"b": empty}]} for _ in range(100)]

    assert value == strict_json.parse(json.dumps(value).encode())


def test_any_number_passes_inside_untouched_members() -> None:
    """In the payload numbers may have any size; what Python cannot hold reads as the largest."""
    digits = b"7" * 5000
    raw = b'{"a":1,"payload":{"x":[1e999,-1e999,%b,-%b,12345678901234567890]}}' % (digits, digits)

    actual = strict_json.parse(raw, untouched=("payload",))

    numbers: JsonValue = [LARGEST, -LARGEST, LARGEST, -LARGEST, 12345678901234567890]
    assert {"a": 1, "payload": {"x": numbers}} == actual


@pytest.mark.parametrize(
    ("raw", "offset"),
    [
        (b'{"payload":{"a":1e999},"metadata":{"payload":1e999}}', 45),
        (b'{"a":1e999,"payload":1e999}', 5),
        (b'{"other":12345678901234567890}', 9),
        (b'[{"payload":1e999}]', 12),
    ],
)
def test_the_bounds_hold_outside_untouched_members(raw: bytes, offset: int) -> None:
    """Only the top-level member of that name is free, before, after and below it nothing is."""
    error = refusal(raw, untouched=("payload",))

    assert error is not None
    assert offset == error.offset


@given(
    st.dictionaries(TEXTS, VALUES, max_size=4),
    VALUES,
    st.integers(0, 4),
    st.sampled_from(['"payload"', '"pay\\u006coad"', '"\\u0070ayload"']),
    st.text(" \t\r\n", max_size=3),
    st.booleans(),
)
@example({}, {"a": "}"}, 0, '"payload"', " ", False)
def test_raw_member_is_byte_for_byte(
    others: dict[str, JsonValue],
    payload: JsonValue,
    place: int,
    name: str,
    space: str,
    ascii_only: bool,
) -> None:
    """The member's bytes come back whatever stands around it and however its name is written."""
    others.pop("payload", None)
    written = json.dumps(payload, ensure_ascii=ascii_only, indent=1)
    members = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in others.items()]
    members.insert(place, f"{name}{space}:{space}{written}{space}")
    raw = f"{space}{{{space}{f'{space},{space}'.join(members)}{space}}}{space}".encode()

    actual = strict_json.raw_member(raw, "payload")

    assert written.encode() == actual


def test_raw_member_keeps_numbers_and_escapes() -> None:
    """Precision, order, spaces and escapes survive."""
    payload = b'{ "b":1.10, "a":1e999,"\\u00e9":"\\/", "n":' + b"1" * 5000 + b" }"

    actual = strict_json.raw_member(b'{"x":"payload","payload": %b ,"y":0}' % payload, "payload")

    assert payload == actual


@pytest.mark.parametrize("raw", [b"{}", b"[]", b'"payload"', b'{"a":{"payload":1}}'])
def test_a_missing_member_is_a_key_error(raw: bytes) -> None:
    """Only a member at the top counts."""
    with pytest.raises(KeyError):
        strict_json.raw_member(raw, "payload")


@given(
    st.lists(st.tuples(VALUES, st.dictionaries(TEXTS, VALUES, max_size=2)), max_size=4),
    st.text(" \t\r\n", max_size=3),
    st.booleans(),
)
def test_items_keep_the_bytes_of_their_members(
    given_items: list[tuple[JsonValue, dict[str, JsonValue]]], space: str, ascii_only: bool
) -> None:
    """Each item's payload is found as it was written, and the whole reads as it always does."""
    payloads = [json.dumps(value, ensure_ascii=ascii_only) for value, _ in given_items]
    others = [
        {name: value for name, value in members.items() if name != "payload"}
        for _, members in given_items
    ]
    items = [
        f'{{"payload":{space}{payload}{space},"rest":{json.dumps(rest)}}}'
        for payload, rest in zip(payloads, others, strict=True)
    ]
    raw = f'{{"other":[1]{space},"events":[{f"{space},".join(items)}{space}]}}'.encode()
    value, members = strict_json.parse_items(raw, "events", untouched=("payload",))

    assert strict_json.parse(raw, max_depth=99) == value
    assert payloads == [each["payload"].decode() for each in members]


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b'{"events":[{"payload":1e999,"n":1e999}]}', "number_out_of_range"),
        (b'{"events":[{"payload":{},"payload":{}}]}', "duplicate_key"),
        (b'{"events":[],"events":[]}', "duplicate_key"),
        (b'{"events":[{"payload":{}},]}', "syntax"),
        (b'{"events":[{"payload":{}} {}]}', "syntax"),
        (b'{"events":[{"payload":"\\u0000"}]}', "nul_character"),
        (b'{"events":[[[[1]]]]}', "too_deep"),
    ],
)
def test_rules_hold_for_items(raw: bytes, rule: str) -> None:
    """Inside the payloads any number passes; everything else is judged as ever."""
    with pytest.raises(StrictJsonError) as caught:
        strict_json.parse_items(raw, "events", max_depth=4, untouched=("payload",))

    assert rule == caught.value.rule


def test_any_number_passes_inside_the_members_of_items() -> None:
    """Also beside items that are no objects, or lack the member."""
    raw = b'{"events":[{"payload":1e999},2,{"n":1},[],{"payload":12345678901234567890}]}'
    _, members = strict_json.parse_items(raw, "events", untouched=("payload",))

    assert [{"payload": b"1e999"}, {}, {}, {}, {"payload": b"12345678901234567890"}] == members


FRAGMENTS = st.sampled_from(
    b'{ } [ ] " : , 1e999 NaN - 12345678901234567890 "a" "payload"'.split()
    + b"\\u0000 \\ud800 \\ null \xff 0.5".split()
)


@given(st.binary() | st.lists(FRAGMENTS).map(b"".join))
def test_items_of_any_bytes_are_a_value_or_a_typed_refusal(raw: bytes) -> None:
    """The same bytes are refused, or read to the same value, with and without items."""
    told: StrictJsonError | None = None
    value: strict_json.JsonValue = None
    try:
        value, _ = strict_json.parse_items(raw, "a", untouched=("payload",))
    except StrictJsonError as error:
        told = error
    found = refusal(raw)

    assert (found and (found.rule, found.offset)) == (told and (told.rule, told.offset))
    assert found or strict_json.parse(raw) == value


@given(st.binary() | st.lists(FRAGMENTS).map(b"".join))
def test_any_bytes_are_a_value_or_a_typed_refusal(raw: bytes) -> None:
    """Nothing but StrictJsonError leaves, and what passes is storable by every back end."""
    error = refusal(raw, untouched=("payload",))

    if error is None:
        value = strict_json.parse(raw, untouched=("payload",))
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    else:
        assert 0 <= error.offset <= len(raw)


def test_values_never_hold_infinities() -> None:
    """A saturated number stays finite."""
    value = strict_json.parse(b'{"payload":1e999}', untouched=("payload",))

    assert isinstance(value, dict)
    assert math.isfinite(float(str(value["payload"])))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"payload":"' + b"\\\\" * 400_000 + b'\\u0000"}',
        b'{"payload":"' + b'\\"' * 400_000,
        b'{"a":1,"a":' + b'"' * 400_000,
        b'{"payload":[' + b"[]," * 250_000 + b"1e999]}",
        b'{"payload":' + b"1" * 800_000 + b"}",
        b"{" + b'"' * 800_000,
        b" " * 800_000,
        b'{"payload":' + b"[" * 63 + b'"\\' * 200_000,
    ],
)
def test_hostile_texts_cost_linear_time(raw: bytes) -> None:
    """Texts made to provoke backtracking are judged in the time of a pass or two."""
    started = time.thread_time()
    error = refusal(raw, untouched=("payload",))

    assert time.thread_time() - started < 10
    assert error is None or error.offset <= len(raw)
