"""What generated code hands to the core: one call as plain data, and the values inside it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Generic, Literal, TypeGuard, TypeVar, cast
from urllib.parse import quote

from hookwright.errors import UsageError

T = TypeVar("T")


class Unset:
    """The type of UNSET: "this argument was not given", which is not None. Never make another."""

    __slots__ = ()

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        # A name instead of a state: copies and pickles stay the one object that `is` finds.
        return "UNSET"


UNSET: Final = Unset()
_AS_TEXT: Final = frozenset({"Decimal", "UUID"})


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What one call may override. `timeout` is in seconds; None waits without end."""

    timeout: float | Unset | None = UNSET
    max_retries: int | Unset = UNSET
    extra_headers: Mapping[str, str] | None = None
    idempotency_key: str | None = None


DEFAULT_OPTIONS: Final = CallOptions()


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """
    One logical call of one operation. `path` is already expanded; `decode` turns the parsed
    JSON (None for an empty body) into the result or, for a page, one item of it; `idempotent`
    says that the operation declares an Idempotency-Key.
    """

    operation: str
    method: str
    path: str
    decode: Callable[[Any], T]
    query: tuple[tuple[str, str], ...] = ()
    body: Any = UNSET
    idempotent: bool = False
    options: CallOptions = DEFAULT_OPTIONS


def expand(template: str, **params: str) -> str:
    """Fill `{name}` parts of a path template. UsageError for a value that is no path segment."""
    quoted = {name: _segment(name, value) for name, value in params.items()}
    return template.format_map(quoted)


def _segment(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name} must be a string, not {type(value).__name__}")
    if not value:
        raise UsageError(f"{name} must not be empty")
    if any(part in {".", ".."} for part in value.replace("\\", "/").split("/")):
        raise UsageError(f"{name} must not hold the path segment '.' or '..': {value!r}")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise UsageError(f"{name} is not valid Unicode: {value!r}") from None


def query_items(**params: Any) -> tuple[tuple[str, str], ...]:
    """The query as name and text pairs; UNSET and None are left out, sequences repeat a name."""
    return tuple(
        (name, _query_text(name, value))
        for name, given in params.items()
        for value in _each(given)
        if value is not None and not isinstance(value, Unset)
    )


def _each(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple, AbstractSet)):
        return cast("Iterable[Any]", value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        return cast("Iterable[Any]", value)
    return (value,)


def _query_text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, datetime):
        return _instant(value)
    raise UsageError(f"{name} cannot be sent in a query: {type(value).__name__}")


def _instant(value: datetime) -> str:
    """RFC 3339 in UTC; milliseconds unless the value is finer than that."""
    if value.utcoffset() is None:
        raise UsageError(f"{value!r} has no time zone; use datetime.now(UTC) or set tzinfo")
    precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
    try:
        return value.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
    except OverflowError:
        raise UsageError(f"{value!r} is before the year 1 or after 9999 in UTC") from None


def json_value(value: Any) -> Any:
    """Models, datetimes, sequences and mappings as JSON knows them; UNSET members are dropped."""
    try:
        return _convert(value)
    except RecursionError:
        raise UsageError("the value is nested too deeply for JSON, or holds itself") from None


def _convert(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if _is_mapping(value):
        return _convert_mapping(value)
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return _convert(value.value)
    if hasattr(value, "to_dict"):
        return _convert(value.to_dict())
    if isinstance(value, (Sequence, AbstractSet)) and not isinstance(value, (bytes, bytearray)):
        items = cast("Iterable[Any]", value)
        return [_convert(item) for item in items if not isinstance(item, Unset)]
    kind = type(value).__name__
    step = "send str(value)" if kind in _AS_TEXT else "make it a string, number, list or mapping"
    raise UsageError(f"a {kind} cannot be sent as JSON: {value!r:.100}; {step}")


def _is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _convert_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    converted: dict[str, Any] = {}
    for key, member in value.items():
        if not isinstance(key, str):
            raise UsageError(f"JSON keys are strings, not {type(key).__name__}: {key!r:.100}")
        if not isinstance(member, Unset):
            converted[key] = _convert(member)
    return converted
