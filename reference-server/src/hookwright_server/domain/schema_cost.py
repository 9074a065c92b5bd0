"""How often a JSON Schema can make a validator look at one value: known before it is ever used.

A validator looks at a value once for each schema that applies to it, and references multiply:
twenty definitions that each name the next one twice are a million looks. Whoever may save such a
schema may stop the server. The measure is an upper bound over all values: of schemas that exclude
each other the dearest counts, of all else the sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard, cast
from urllib.parse import unquote

from hookwright_server.domain.contract import Limits
from hookwright_server.domain.schema_work import work

Schema: TypeAlias = Mapping[str, Any]

_LEAST_PAYLOAD = 2_000
"""Payloads of so many bytes can be judged by any schema that is saved."""

_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = (
    *("properties", "patternProperties", "dependentSchemas", "dependencies"),
    *("$defs", "definitions"),
)
_SINGLE = (
    *("not", "if", "then", "else", "additionalProperties", "unevaluatedProperties"),
    *("items", "unevaluatedItems", "contains", "propertyNames"),
)
_SAME_VALUE = frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"}
)
# Of these one at most applies to a member of an object or to an item of an array.
_ONE_DEEPER = frozenset(
    {"properties", "additionalProperties", "unevaluatedProperties"}
    | {"prefixItems", "items", "unevaluatedItems"}
)
_EACH_DEEPER = frozenset({"patternProperties", "propertyNames", "contains"})
_REFERENCES = ("$ref", "$dynamicRef")
_ANCHORS = ("$anchor", "$dynamicAnchor")


class SchemaRefused(Exception):
    """The part of a schema at `pointer` breaks `rule`; `str()` is fit for the API's `message`."""

    def __init__(self, pointer: str, rule: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Cost:
    """What a schema can need: looks at one value and all that it lies in; units for each byte of a
    payload, see `schema_work`."""

    looks: int
    units: int

    @property
    def most_bytes(self) -> int:
        """How large a payload may be that is judged by it."""
        return Limits.event_schema_work // self.units


def cost(schema: Schema) -> Cost:
    """The cost of a schema that fits its metaschema.

    Raises SchemaRefused when it is too high, and for what the measure cannot follow: references
    that leave the schema or lead nowhere, and an `$id` below the top, which gives references
    another meaning.
    """
    parts = _Collection(schema).parts()
    order = list(_from_needed_to_needing(parts))
    most = Limits.event_schema_evaluations
    looks = _most(parts, order, [1] * len(parts), most)
    if looks > most:
        message = (
            f"The schema can need more than {most} looks at one value. "
            "Let fewer alternatives and references lead to the same definition."
        )
        raise SchemaRefused("", "too_costly", message)
    most = Limits.event_schema_work // _LEAST_PAYLOAD
    units = _most(parts, order, [part.work for part in parts], most)
    if units > most:
        message = (
            "To judge a payload by the schema can take too long. Name fewer constants, above all "
            "fewer numbers and objects, and repeat less in patterns."
        )
        raise SchemaRefused("", "too_costly", message)
    return Cost(looks, units)


def _most(parts: list[_Part], order: list[int], own: list[int], most: int) -> int:
    """The sum of `own` of each part that looks at one value or what it lies in; what is beyond
    `most` stays comparable, and small."""
    looks = [0] * len(parts)
    for _ in range(Limits.json_depth):
        deeper, looks, again = looks, [0] * len(parts), [0] * len(parts)
        for number in order:
            found, repeated = parts[number].looks(own[number], looks, again, deeper)
            looks[number], again[number] = min(found, most + 1), min(repeated, most + 1)
        if looks[0] > most or looks == deeper:
            break
    return looks[0]


def escaped(name: str) -> str:
    """`name` as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


@dataclass(frozen=True, slots=True)
class _Part:
    """Which other parts look too when this one looks at a value, by number."""

    pointer: str
    work: int
    same_value: tuple[int, ...]
    needs_rest: bool
    one_deeper: tuple[int, ...]
    each_deeper: tuple[int, ...]

    def looks(
        self, own: int, here: list[int], again: list[int], deeper: list[int]
    ) -> tuple[int, int]:
        """How many at a value, and at one value in it, and so on down; one of its own is `own`.

        The second number: how many it takes to find out what of a value this has looked at. For
        that each of the others is asked once more, and then what it has looked at.
        """
        same = repeated = below = 0
        if self.same_value:
            same = sum([here[each] for each in self.same_value])
            repeated = same + sum([again[each] for each in self.same_value])
        if self.one_deeper:
            below = max([deeper[each] for each in self.one_deeper])
        if self.each_deeper:
            below += sum([deeper[each] for each in self.each_deeper])
        if self.needs_rest:
            repeated += below
            return own + same + below + repeated, repeated
        return own + same + below, repeated


class _Collection:
    """Every subschema of a schema once, and what references lead to."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._found: dict[int, tuple[int, str, Schema]] = {}
        self._anchors: dict[str, Schema] = {}
        self._patterns = 0
        self._collect("", root)
        seen = 0
        while seen < len(self._found):  # what a reference leads to may hold references
            waiting = list(self._found.values())[seen:]
            seen += len(waiting)
            for _, pointer, schema in waiting:
                for place, target in self._targets(pointer, schema):
                    self._collect(place, target)

    def parts(self) -> list[_Part]:
        """Each subschema; the whole schema is the first."""
        return [self._part(pointer, schema) for _, pointer, schema in self._found.values()]

    def _part(self, pointer: str, schema: Schema) -> _Part:
        children = [
            (keyword, self._found[id(child)][0])
            for keyword, _, child in _children(schema)
            if _is_schema(child)
        ]
        targets = [
            self._found[id(target)][0]
            for _, target in self._targets(pointer, schema)
            if _is_schema(target)
        ]
        direct = [number for keyword, number in children if keyword in _SAME_VALUE]
        return _Part(
            pointer=pointer,
            work=work(schema),
            same_value=(*direct, *targets),
            needs_rest="unevaluatedProperties" in schema or "unevaluatedItems" in schema,
            one_deeper=tuple(number for keyword, number in children if keyword in _ONE_DEEPER),
            each_deeper=tuple(number for keyword, number in children if keyword in _EACH_DEEPER),
        )

    def _collect(self, pointer: str, schema: object) -> None:
        if not _is_schema(schema) or id(schema) in self._found:
            return
        if pointer and "$id" in schema:
            message = "An '$id' stands at the top of the schema only. Leave it out here."
            raise SchemaRefused(f"{pointer}/$id", "nested_id", message)
        self._found[id(schema)] = (len(self._found), pointer, schema)
        self._count(schema)
        self._anchors |= {str(schema[name]): schema for name in _ANCHORS if name in schema}
        for _, place, child in _children(schema):
            self._collect(f"{pointer}{place}", child)

    def _count(self, schema: Schema) -> None:
        self._patterns += ("pattern" in schema) + len(_map(schema, "patternProperties"))
        if len(self._found) > Limits.event_schema_parts:
            message = f"A schema has at most {Limits.event_schema_parts} subschemas. Simplify it."
            raise SchemaRefused("", "too_many_parts", message)
        if self._patterns > Limits.event_schema_patterns:
            message = (
                f"A schema has at most {Limits.event_schema_patterns} patterns. Leave some out."
            )
            raise SchemaRefused("", "too_many_patterns", message)

    def _targets(self, pointer: str, schema: Schema) -> Iterator[tuple[str, object]]:
        for keyword in _REFERENCES:
            if keyword in schema:
                yield self._target(f"{pointer}/{keyword}", schema[keyword])

    def _target(self, pointer: str, reference: object) -> tuple[str, object]:
        if not isinstance(reference, str) or not reference.startswith("#"):
            message = "A reference begins with '#'. Copy what it leads to into '$defs'."
            raise SchemaRefused(pointer, "remote_reference", message)
        fragment = unquote(reference[1:])
        try:
            if fragment and not fragment.startswith("/"):
                return fragment, self._anchors[fragment]
            return fragment, _at(self._root, fragment)
        except (LookupError, TypeError, ValueError):
            message = f"{reference[:80]!r} leads nowhere. Name what the schema has."
            raise SchemaRefused(pointer, "reference", message) from None


def _at(root: object, fragment: str) -> object:
    found: Any = root
    for token in fragment.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        found = cast("list[object]", found)[int(key)] if isinstance(found, list) else found[key]
    return found


def _is_schema(value: object) -> TypeGuard[Schema]:
    return isinstance(value, Mapping)


def _children(schema: Schema) -> Iterator[tuple[str, str, object]]:
    """Keyword, place and subschema (or what stands in its place) of each."""
    for keyword in _SINGLE:
        if keyword in schema:
            yield keyword, f"/{keyword}", schema[keyword]
    for keyword in _LISTS:
        for index, each in enumerate(_list(schema, keyword)):
            yield keyword, f"/{keyword}/{index}", each
    for keyword in _MAPS:
        for name, each in _map(schema, keyword).items():
            yield keyword, f"/{keyword}/{escaped(name)}", each


def _list(schema: Schema, keyword: str) -> list[object]:
    found = schema.get(keyword)
    return cast("list[object]", found) if isinstance(found, list) else []


def _map(schema: Schema, keyword: str) -> Mapping[str, object]:
    found = schema.get(keyword)
    return cast("Mapping[str, object]", found) if isinstance(found, Mapping) else {}


def _from_needed_to_needing(parts: list[_Part]) -> Iterable[int]:
    """Each part after those that look at the same value because of it."""
    done: dict[int, None] = {}
    for start in range(len(parts)):
        path = {start: iter(parts[start].same_value)}
        while path:
            part, needed = next(reversed(path.items()))
            following = next((each for each in needed if each not in done), None)
            if following is None:
                done[part] = None
                del path[part]
            elif following in path:
                message = "The schema refers to itself without going deeper into the value."
                raise SchemaRefused(parts[part].pointer, "endless_reference", message)
            else:
                path[following] = iter(parts[following].same_value)
    return done
