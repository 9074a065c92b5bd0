"""JSON read strictly, and the exact bytes of its members.

Python's `json` takes NaN, duplicate keys, lone surrogates and 1e999, and fails on depth and on
long integers with errors that are no JSONDecodeError. Here all of them are one typed refusal.

The common case costs little more than `json.loads`: a few searches in C tell that a rule
cannot be broken; only texts that might break it are looked at token by token.
"""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias, TypeVar, cast

from hookwright_server.domain.contract import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None

Read = TypeVar("Read")
_Spans: TypeAlias = dict[str, tuple[int, int]]

Rule = Literal[
    "encoding",
    "byte_order_mark",
    "syntax",
    "not_a_number",
    "number_out_of_range",
    "integer_out_of_range",
    "duplicate_key",
    "nul_character",
    "lone_surrogate",
    "too_deep",
]

MAX_INTEGER = 2**53
"""The largest integer that every JSON reader holds exactly (RFC 8259, section 6)."""


class StrictJsonError(Exception):
    """A text breaks `rule` at byte `offset`; `str()` is fit for the API's `detail`."""

    def __init__(self, rule: Rule, detail: str, offset: int) -> None:
        super().__init__(f"{detail} (byte {offset})")
        self.rule: Rule = rule
        self.detail = detail
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed text. `spans` says where the untouched top-level members stand in `text`."""

    value: JsonValue
    text: str
    spans: dict[str, tuple[int, int]]

    def member(self, name: str) -> bytes:
        """The value of the untouched member `name`, byte for byte; KeyError when it is absent."""
        start, end = self.spans[name]
        return self.text[start:end].encode()


def parse(
    raw: bytes, *, max_depth: int = Limits.json_depth, untouched: tuple[str, ...] = ()
) -> JsonValue:
    """The value of the JSON text `raw`; StrictJsonError when it breaks a rule.

    Inside the top-level members `untouched` any JSON number passes. There one that Python
    cannot hold (1e999, 5000 digits) reads as the largest float of its sign; its bytes are kept
    by `raw_member`. Elsewhere integers lie within ±2**53 and floats are finite.
    """
    return parse_document(raw, max_depth=max_depth, untouched=untouched).value


def raw_member(raw: bytes, name: str) -> bytes:
    """The bytes of the top-level member `name` of `raw`, as they stand there.

    `raw` must pass `parse` with `name` untouched; KeyError when it has no such member.
    """
    return parse_document(raw, untouched=(name,)).member(name)


def parse_document(
    raw: bytes, *, max_depth: int = Limits.json_depth, untouched: tuple[str, ...] = ()
) -> Document:
    """As `parse`, and in the same pass the exact bytes of the `untouched` members."""
    text = _decode(raw)
    decoder = _DECODER if _numbers_are_small(raw) else _SATURATING_DECODER
    value, spans = _guarded(text, max_depth, lambda: _read(text, decoder, untouched))
    _check_depth(value, text, max_depth)
    _check_escapes(text)
    if decoder is _SATURATING_DECODER:
        _check_numbers(text, [spans[name] for name in untouched if name in spans])
    return Document(value, text, spans)


def parse_items(
    raw: bytes, items: str, *, max_depth: int = Limits.json_depth, untouched: tuple[str, ...] = ()
) -> tuple[JsonValue, list[dict[str, bytes]]]:
    """As `parse_document`, where the objects in the top-level array `items` hold `untouched`.

    Also returns the exact bytes of those members, for each item.
    """
    text = _decode(raw)
    decoder = _DECODER if _numbers_are_small(raw) else _SATURATING_DECODER
    value, spans = _guarded(text, max_depth, lambda: _read_batch(text, decoder, items, untouched))
    _check_depth(value, text, max_depth)
    _check_escapes(text)
    if decoder is _SATURATING_DECODER:
        _check_numbers(text, [span for of_item in spans for span in of_item.values()])
    members = [
        {name: text[start:end].encode() for name, (start, end) in of_item.items()}
        for of_item in spans
    ]
    return value, members


# --- reading ---------------------------------------------------------------------------------


def _guarded(text: str, max_depth: int, read: Callable[[], Read]) -> Read:
    try:
        return read()
    except json.JSONDecodeError as error:
        _refuse("syntax", f"This is not JSON: {error.msg}", text, error.pos)
    except RecursionError:
        _refuse_depth(text, max_depth)
    except _DuplicateKeyError:
        _refuse_duplicate(text)
    except _ConstantError as error:
        at = next((at for at, lexeme in _outside_strings(text) if lexeme == error.name), 0)
        _refuse("not_a_number", f"{error.name} is no JSON number.", text, at)


class _DuplicateKeyError(Exception):
    pass


class _ConstantError(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _DuplicateKeyError
    return value


def _constant(name: str) -> NoReturn:
    raise _ConstantError(name)


def _saturating_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= sys.float_info.max_10_exp else _saturating_float(digits)


def _saturating_float(digits: str) -> float:
    return max(-sys.float_info.max, min(sys.float_info.max, float(digits)))


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_SATURATING_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_constant,
    parse_int=cast("type[int]", _saturating_int),
    parse_float=_saturating_float,
)
_SPACE = re.compile(r"[ \t\n\r]*")
# The usual way from one member's value to the next: a comma, and a name without escapes.
_NEXT_PLAIN_NAME = re.compile(r'[ \t\n\r]*,[ \t\n\r]*"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')


def _decode(raw: bytes) -> str:
    if raw.startswith(b"\xef\xbb\xbf"):
        raise StrictJsonError("byte_order_mark", "JSON begins without a byte order mark.", 0)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in raw[:2]:
        raise StrictJsonError("encoding", "JSON is sent as UTF-8, not as UTF-16 or UTF-32.", 0)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise StrictJsonError("encoding", "This is not UTF-8.", error.start) from None


def _read(
    text: str, decoder: json.JSONDecoder, wanted: tuple[str, ...]
) -> tuple[JsonValue, dict[str, tuple[int, int]]]:
    spans: dict[str, tuple[int, int]] = {}
    at = _skip(text, 0)
    value: JsonValue
    if wanted and text.startswith("{", at):
        value, at = _read_members(text, at, decoder, wanted, spans)
    else:
        value, at = decoder.raw_decode(text, at)
    at = _skip(text, at)
    if at != len(text):
        raise json.JSONDecodeError("Extra data", text, at)
    return value, spans


def _read_members(
    text: str,
    at: int,
    decoder: json.JSONDecoder,
    wanted: tuple[str, ...],
    spans: dict[str, tuple[int, int]],
) -> tuple[JsonValue, int]:
    members: dict[str, JsonValue] = {}
    name, at = _first_name(text, at + 1, decoder)
    while name is not None:
        if name in members:
            raise _DuplicateKeyError
        members[name], end = decoder.raw_decode(text, at)
        if name in wanted:
            spans[name] = (at, end)
        if plain := _NEXT_PLAIN_NAME.match(text, end):
            name, at = plain[1], plain.end()
        else:
            name, at = _next_name(text, end, decoder)
    return members, at


def _read_batch(
    text: str, decoder: json.JSONDecoder, items: str, wanted: tuple[str, ...]
) -> tuple[JsonValue, list[_Spans]]:
    spans: list[_Spans] = []
    at = _skip(text, 0)
    value: JsonValue
    if text.startswith("{", at):
        members: dict[str, JsonValue] = {}
        name, at = _first_name(text, at + 1, decoder)
        while name is not None:
            if name in members:
                raise _DuplicateKeyError
            if name == items and text.startswith("[", at):
                members[name], end = _read_items(text, at, decoder, wanted, spans)
            else:
                members[name], end = decoder.raw_decode(text, at)
            name, at = _next_name(text, end, decoder)
        value = members
    else:
        value, at = decoder.raw_decode(text, at)
    at = _skip(text, at)
    if at != len(text):
        raise json.JSONDecodeError("Extra data", text, at)
    return value, spans


def _read_items(
    text: str, at: int, decoder: json.JSONDecoder, wanted: tuple[str, ...], spans: list[_Spans]
) -> tuple[list[JsonValue], int]:
    values: list[JsonValue] = []
    at = _skip(text, at + 1)
    if text.startswith("]", at):
        return values, at + 1
    while True:
        found: _Spans = {}
        if text.startswith("{", at):
            value, at = _read_members(text, at, decoder, wanted, found)
        else:
            value, at = decoder.raw_decode(text, at)
        values.append(value)
        spans.append(found)
        at = _skip(text, at)
        if text.startswith("]", at):
            return values, at + 1
        if not text.startswith(",", at):
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _skip(text, at + 1)


def _first_name(text: str, at: int, decoder: json.JSONDecoder) -> tuple[str | None, int]:
    at = _skip(text, at)
    return (None, at + 1) if text.startswith("}", at) else _name(text, at, decoder)


def _next_name(text: str, at: int, decoder: json.JSONDecoder) -> tuple[str | None, int]:
    at = _skip(text, at)
    if text.startswith("}", at):
        return None, at + 1
    if not text.startswith(",", at):
        raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
    return _name(text, _skip(text, at + 1), decoder)


def _name(text: str, at: int, decoder: json.JSONDecoder) -> tuple[str, int]:
    if not text.startswith('"', at):
        raise json.JSONDecodeError("Expecting property name in double quotes", text, at)
    name, after = cast("tuple[str, int]", decoder.raw_decode(text, at))
    colon = _skip(text, after)
    if not text.startswith(":", colon):
        raise json.JSONDecodeError("Expecting ':' delimiter", text, colon)
    return name, _skip(text, colon + 1)


def _skip(text: str, at: int) -> int:
    return cast("re.Match[str]", _SPACE.match(text, at)).end()


# --- rules -----------------------------------------------------------------------------------

_SHAPE_OF_NUMBERS = bytes.maketrans(b"123456789E", b"000000000e")
_SHORTEST_BIG_INTEGER = b"0" * len(str(MAX_INTEGER))
# No possessive repeat of a group here: before Python 3.11.5 it takes half of what failed.
_LEXEME = re.compile(r'"(?:[^"\\]++|\\.)*"|[\[\]{}]|-?[0-9][0-9.eE+-]*+|-?[A-Z][A-Za-z]++')
# In JSON that parsed, this stops before the first escape of U+0000 or of half a pair.
_GOOD_ESCAPES = re.compile(
    r"(?:[^\\]++|\\[^u]"
    r"|\\u[dD][89abAB]..\\u[dD][c-fC-F].."
    r"|\\u(?!0000|[dD][89a-fA-F])....)*"
)
_ESCAPE_LENGTH = len("\\u0000")


def _numbers_are_small(raw: bytes) -> bool:
    # Beyond the range needs 16 digits in a row, or an exponent that is not negative.
    shape = raw.translate(_SHAPE_OF_NUMBERS)
    return not (b"0e0" in shape or b"0e+" in shape or _SHORTEST_BIG_INTEGER in shape)


def _check_depth(value: JsonValue, text: str, max_depth: int) -> None:
    if text.count("{") + text.count("[") <= max_depth:
        return
    level = [value]
    for _ in range(max_depth):
        level = [
            child
            for container in level
            for child in _children(container)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    _refuse_depth(text, max_depth)


def _children(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_escapes(text: str) -> None:
    if "\\u0000" not in text and "\\ud" not in text and "\\uD" not in text:
        return
    at = cast("re.Match[str]", _GOOD_ESCAPES.match(text)).end()
    escape = text[at : at + _ESCAPE_LENGTH]
    if escape == "\\u0000":
        _refuse("nul_character", "Text must not hold \\u0000.", text, at)
    if escape:
        _refuse("lone_surrogate", f"{escape} is half of a surrogate pair.", text, at)


def _check_numbers(text: str, free: list[tuple[int, int]]) -> None:
    start = 0
    for free_start, free_end in [*sorted(free), (len(text), len(text))]:
        for at, lexeme in _outside_strings(text, start, free_start):
            if lexeme[-1].isdigit():
                _check_number(lexeme, text, at)
        start = free_end


def _check_number(lexeme: str, text: str, at: int) -> None:
    if lexeme.lstrip("-").isdigit():
        if len(lexeme) > 17 or abs(int(lexeme)) > MAX_INTEGER:
            detail = "An integer lies between -2^53 and 2^53 here."
            _refuse("integer_out_of_range", detail, text, at)
    elif math.isinf(float(lexeme)):
        _refuse("number_out_of_range", "A number fits a 64-bit float here.", text, at)


# --- finding where a rule is broken ----------------------------------------------------------


def _outside_strings(
    text: str, start: int = 0, end: int = sys.maxsize
) -> Iterator[tuple[int, str]]:
    for found in _LEXEME.finditer(text, start, end):
        if not found[0].startswith('"'):
            yield found.start(), found[0]


def _refuse_depth(text: str, max_depth: int) -> NoReturn:
    detail = f"JSON is nested at most {max_depth} levels deep."
    depth = 0
    for at, lexeme in _outside_strings(text):
        depth += (lexeme in "[{") - (lexeme in "]}")
        if depth > max_depth:
            _refuse("too_deep", detail, text, at)
    _refuse("too_deep", detail, text, 0)


def _refuse_duplicate(text: str) -> NoReturn:
    open_objects: list[set[str] | None] = []
    for found in _LEXEME.finditer(text):
        lexeme = found[0]
        if lexeme in "[{":
            open_objects.append(set() if lexeme == "{" else None)
        elif lexeme in "]}":
            open_objects.pop()
        elif open_objects and (names := open_objects[-1]) is not None and _is_name(text, found):
            name = cast("str", json.loads(lexeme))
            if name in names:
                detail = f"The key {json.dumps(name[:40])} stands twice in one object."
                _refuse("duplicate_key", detail, text, found.start())
            names.add(name)
    _refuse("duplicate_key", "A key stands twice in one object.", text, 0)


def _is_name(text: str, found: re.Match[str]) -> bool:
    return found[0].startswith('"') and text.startswith(":", _skip(text, found.end()))


def _refuse(rule: Rule, detail: str, text: str, at: int) -> NoReturn:
    raise StrictJsonError(rule, detail, len(text[:at].encode())) from None
