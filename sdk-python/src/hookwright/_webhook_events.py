"""The body of a genuine webhook as a typed event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast

from hookwright._webhook_body import parse
from hookwright.errors import InvalidHeaderError, InvalidPayloadError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)

Converter: TypeAlias = "type[P] | Callable[[dict[str, Any]], P]"
"""
A class for `data` or a function that makes something of it. Classes are made by `model_validate`
(pydantic), by `from_dict` (the models of this package), and otherwise from the members that they
name (dataclasses, attrs); members that they do not know are dropped. A TypedDict takes `data` as
it is.

Data that does not fit is told by a ValueError (as pydantic's ValidationError is one), of a class
also by a TypeError, KeyError or AttributeError, of a model of this package by its UsageError. What
else is raised, of a function everything else, is a fault of the converter and passes through.
"""

_Kinds: TypeAlias = tuple[type[Exception], ...]
_UNFIT_FOR_FUNCTIONS: Final[_Kinds] = (ValueError, UsageError)
_UNFIT_FOR_CLASSES: Final[_Kinds] = (*_UNFIT_FOR_FUNCTIONS, TypeError, KeyError, AttributeError)


@dataclass(frozen=True, slots=True)
class WebhookEvent(Generic[P_co]):
    """What a genuine webhook tells."""

    id: str
    """`webhook-id`: the same on every attempt, so it is what to deduplicate by."""
    type: str
    """The event's name, such as `order.created`."""
    timestamp: datetime
    """When the event was accepted for delivery."""
    attempted_at: datetime
    """When this attempt was signed."""
    data: P_co
    """The event's payload, as `into` made it."""
    body: bytes
    """The request's body as it was received."""


def check_converter(into: object) -> None:
    """Raises UsageError for what can make nothing of `data`."""
    from collections.abc import Mapping

    given = cast("Mapping[str, object]", into).values() if isinstance(into, Mapping) else [into]
    for each in given:
        if each is not None and not callable(each):
            raise UsageError(
                "into is a class, a function of the data, or a mapping from types of events to "
                f"these, not {each!r:.100}"
            )


def read_event(message_id: str, timestamp: str, content: bytes, into: object) -> WebhookEvent[Any]:
    """The event in `content`, whose signature was right. Raises InvalidPayloadError."""
    try:
        attempted_at = datetime.fromtimestamp(int(timestamp), UTC)
    except (OverflowError, OSError, ValueError):
        raise InvalidHeaderError(f"webhook-timestamp is no date: {timestamp}") from None
    envelope = parse(content)
    if not isinstance(envelope, dict):
        raise InvalidPayloadError(
            f"the body is signed, but a JSON {_kind(envelope)} instead of an object"
        )
    members = cast("dict[str, Any]", envelope)
    name, data = members.get("type"), members.get("data")
    if not isinstance(name, str) or not name:
        raise InvalidPayloadError("the body is signed, but its `type` is no event's name")
    if not isinstance(data, dict):
        raise InvalidPayloadError(f"`data` of {name!r:.150} is a {_kind(data)}, not an object")
    return WebhookEvent(
        id=message_id,
        type=name,
        timestamp=_instant(name, members.get("timestamp")),
        attempted_at=attempted_at,
        data=_converted(name, cast("dict[str, Any]", data), into),
        body=content,
    )


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _instant(name: str, value: object) -> datetime:
    try:
        parsed = datetime.fromisoformat(cast("str", value))
    except (TypeError, ValueError):
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise InvalidPayloadError(f"`timestamp` of {name!r:.150} is no RFC 3339 instant")
    return parsed


def _converted(name: str, data: dict[str, Any], into: object) -> Any:
    from collections.abc import Mapping

    if isinstance(into, Mapping):
        into = cast("Mapping[str, object]", into).get(name)
    if into is None:
        return data
    # What else is raised is no verdict on the data: a refusal would end its delivery for good.
    unfit = _UNFIT_FOR_CLASSES if isinstance(into, type) else _UNFIT_FOR_FUNCTIONS
    try:
        return _make(data, into)
    except unfit as error:
        if isinstance(error, UsageError) and not _reads_a_model(into):
            raise
        # What the converter says may quote the payload, which belongs into no log.
        what = getattr(into, "__qualname__", type(into).__name__)
        raise InvalidPayloadError(
            f"`data` of {name!r:.150} does not fit {what} ({type(error).__name__})"
        ) from error


def _reads_a_model(into: object) -> bool:
    """Whose UsageError is told by `from_dict`: its caller made nothing of this data."""
    from hookwright._core.model import Model  # needs attrs, which whoever gives a model has

    owner = into if isinstance(into, type) else getattr(into, "__self__", None)
    return isinstance(owner, type) and issubclass(owner, Model)


def _make(data: dict[str, Any], into: object) -> Any:
    if not isinstance(into, type):
        return cast("Callable[[dict[str, Any]], Any]", into)(data)
    for maker in ("model_validate", "from_dict"):
        if hasattr(into, maker):
            return getattr(into, maker)(data)
    if issubclass(into, dict):
        return data
    kind = cast("type[Any]", into)
    known = _known_members(kind)
    return kind(**(data if known is None else {k: v for k, v in data.items() if k in known}))


def _known_members(kind: type[Any]) -> set[str] | None:
    fields: Mapping[str, Any] | None = getattr(kind, "__dataclass_fields__", None)
    if fields is not None:
        return {name for name, field in fields.items() if field.init}
    attributes: Iterable[Any] | None = getattr(kind, "__attrs_attrs__", None)
    if attributes is not None:
        return {attribute.alias for attribute in attributes if attribute.init}
    return None
