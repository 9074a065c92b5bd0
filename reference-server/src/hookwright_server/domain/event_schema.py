"""JSON Schema (draft 2020-12) of an event's payload: compiled when saved, asked at each publish."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import jsonschema_rs

from hookwright_server.domain.contract import Limits
from hookwright_server.domain.schema_cost import SchemaRefused, cost, escaped

__all__ = ["EventSchema", "Mismatch", "SchemaRefused"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
# A value of a payload is nobody's business but its publisher's: it must not come into a problem.
_MASK = "the value"
_LONGEST_MESSAGE = 300
_EXPLAINED_LOOKS = 50_000
_ALTERNATIVES = re.compile('"(anyOf|oneOf)"')


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first value that a schema refuses; `message` does not show it."""

    pointer: str
    rule: str
    message: str


class EventSchema:
    """A compiled schema; may be asked by many threads."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises SchemaRefused when it is none, or one that may not be used."""
        _check_draft(schema)
        try:
            jsonschema_rs.meta.validate(dict(schema))
            self._cost = cost(schema)
            self._has_alternatives = _ALTERNATIVES.search(json.dumps(schema)) is not None
            # Patterns run in a linear-time engine, which has no look-around and no
            # back-references; nothing is ever fetched.
            self._validator = jsonschema_rs.Draft202012Validator(
                dict(schema),
                validate_formats=True,
                offline=True,
                mask=_MASK,
                pattern_options=jsonschema_rs.RegexOptions(
                    size_limit=Limits.event_schema_pattern_bytes
                ),
            )
        except jsonschema_rs.ValidationError as error:
            raise _refused(error) from error

    @property
    def most_bytes(self) -> int:
        """How large a payload may be as JSON: judging a larger one could take too long."""
        return self._cost.most_bytes

    def mismatch(self, payload: object) -> Mismatch | None:
        """What is wrong with `payload`, the first thing found; None: nothing."""
        if self._validator.is_valid(payload):
            return None
        # An error about alternatives holds every error of each of them. Of a large payload these
        # would be millions, and take minutes.
        if self._has_alternatives and _is_larger(payload, _EXPLAINED_LOOKS // self._cost.looks):
            message = "The payload breaks its schema, and is too large to say where."
            return Mismatch("", "schema", message)
        try:
            self._validator.validate(payload)
        except jsonschema_rs.ValidationError as error:
            return _mismatch(error)
        return None


def _check_draft(schema: Mapping[str, Any]) -> None:
    named = schema.get("$schema", _DRAFT)
    if not isinstance(named, str) or named.rstrip("#") != _DRAFT:
        raise SchemaRefused("/$schema", "const", f"The draft is {_DRAFT}. Send that, or nothing.")


def _is_larger(value: object, most: int) -> bool:
    """Whether there are more than `most` values in it, itself counted."""
    waiting, count = [value], 0
    while waiting:
        count += 1
        if count > most:
            return True
        found = waiting.pop()
        if isinstance(found, dict):
            waiting += cast("dict[str, object]", found).values()
        elif isinstance(found, list):
            waiting += cast("list[object]", found)
    return False


def _mismatch(error: jsonschema_rs.ValidationError) -> Mismatch:
    rule, details = error.kind.name, error.kind.as_dict()
    path: list[str | int] = [*error.instance_path]
    if rule == "required":
        path.append(str(details["property"]))
    elif rule in {"additionalProperties", "unevaluatedProperties"}:
        path.append(str(details["unexpected"][0]))
    said = _sentence(error.message)
    return Mismatch(_pointer(path), rule, f"{said} Correct it, or the schema of the event type.")


def _refused(error: jsonschema_rs.ValidationError) -> SchemaRefused:
    rule = error.kind.name
    if rule == "format" and error.kind.as_dict().get("format") == "regex":
        message = (
            "The pattern is no regular expression, needs look-around or back-references, or is too "
            "large when compiled. Correct or simplify it."
        )
        return SchemaRefused(_pointer(error.instance_path), "regex", message)
    message = f"{_sentence(error.message)} Send a JSON Schema of draft 2020-12."
    return SchemaRefused(_pointer(error.instance_path), rule, message)


def _sentence(message: str) -> str:
    text = message[:1].upper() + message[1:].rstrip(".")
    return f"{text[:_LONGEST_MESSAGE]}…" if len(text) > _LONGEST_MESSAGE else f"{text}."


def _pointer(path: Sequence[str | int]) -> str:
    return "".join(f"/{escaped(str(part))}" for part in path)
