"""Transformations: a new object, built of parts of the payload, each copied byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from hookwright_server.domain import strict_json
from hookwright_server.domain.contract import Limits
from hookwright_server.domain.field_path import Path, PathError, parse_path, parse_rooted
from hookwright_server.domain.json_spans import Wanted, find_spans, wanted
from hookwright_server.domain.strict_json import StrictJsonError

ROOT = "payload"
MOST_BYTES = Limits.payload_bytes
MOST_LEVELS = Limits.json_depth

_Shape: TypeAlias = "dict[str, int | _Shape]"
"""The result's members by their names as JSON text: the number of the mapping that fills one, or
what stands below it."""
_ENCODER = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` would make one each time


class MappingError(Exception):
    """A document is no transformation: `pointer` (into it) breaks `rule`; `str()` says how."""

    def __init__(self, pointer: str, rule: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.rule = rule


class TransformationFailed(Exception):
    """A transformation cannot be carried out on a payload; otherwise as MappingError."""

    def __init__(self, pointer: str, rule: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Transformation:
    """A checked transformation, ready to be applied many times."""

    _sources: tuple[Path, ...]
    _names: tuple[str, ...]
    _wanted: Wanted
    _shape: _Shape

    def apply(self, payload: bytes) -> bytes:
        """The result for `payload`, a JSON object. Raises TransformationFailed."""
        text = payload.decode()
        spans = find_spans(text, self._wanted)
        parts = [text[slice(*self._span(spans, number))] for number in range(len(self._sources))]
        if sum(map(len, parts)) > MOST_BYTES:  # before anything of that size is built
            raise _too_large()
        result = _rendered(self._shape, parts).encode()
        if len(result) > MOST_BYTES:
            raise _too_large()
        _check_depth(result)
        return result

    def _span(self, spans: Mapping[Path, tuple[int, int]], number: int) -> tuple[int, int]:
        try:
            return spans[self._sources[number]]
        except KeyError:
            message = f"The payload has no field {self._names[number]!r}."
            raise TransformationFailed(f"/mappings/{number}/from", "absent", message) from None


def compile_transformation(document: Mapping[str, object]) -> Transformation:
    """The transformation that a Transformation document of the API describes.

    Raises MappingError for one that passes the schema but has a path that is none, or two
    results for one place.
    """
    mappings = cast("Sequence[Mapping[str, str]]", document["mappings"])
    sources: list[Path] = []
    shape: _Shape = {}
    for number, mapping in enumerate(mappings):
        at = f"/mappings/{number}"
        try:
            path = parse_rooted(mapping["from"], (ROOT,))
        except PathError as error:
            raise MappingError(f"{at}/from", "path", str(error)) from error
        sources.append(path[1:])
        try:
            _place(shape, mapping["to"], number)
        except PathError as error:
            raise MappingError(f"{at}/to", "path", str(error)) from error
    names = tuple(mapping["from"] for mapping in mappings)
    return Transformation(tuple(sources), names, wanted(sources), shape)


def _place(shape: _Shape, target: str, number: int) -> None:
    *above, last = map(_ENCODER.encode, parse_path(target))
    for name in above:
        below = shape.setdefault(name, {})
        if isinstance(below, int):
            raise PathError(f"{target!r} lies inside the result of mapping {below}.")
        shape = below
    if last in shape:
        raise PathError(f"{target!r} is, or holds, the result of an earlier mapping.")
    shape[last] = number


def _rendered(shape: _Shape, parts: Sequence[str]) -> str:
    members = [
        f"{name}:{parts[what] if isinstance(what, int) else _rendered(what, parts)}"
        for name, what in shape.items()
    ]
    return f"{{{','.join(members)}}}"


def _too_large() -> TransformationFailed:
    message = f"The result has more than {MOST_BYTES} bytes."
    return TransformationFailed("/mappings", "max_bytes", message)


def _check_depth(result: bytes) -> None:
    if result.count(b"{") + result.count(b"[") < MOST_LEVELS:
        return
    try:
        strict_json.parse(b'{"%b":%b}' % (ROOT.encode(), result), untouched=(ROOT,))
    except StrictJsonError as error:
        raise TransformationFailed(
            "/mappings", error.rule, f"The result: {error.detail}"
        ) from error
