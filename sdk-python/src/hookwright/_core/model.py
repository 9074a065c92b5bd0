"""What all models share: JSON in and out, copies with changes, a repr without secrets."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from hookwright._core.call import UNSET
from hookwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from attrs import Attribute

MALFORMED: Final = (LookupError, TypeError, ValueError, AttributeError)
"""What decoding raises when the data is not what the contract promises."""
HIDDEN: Final = "***"


class Model(ABC):
    """
    Data of the API. Models can be compared, copied, pickled and changed; so they have no hash.

    A field that is absent in JSON is UNSET, which is not None (JSON's null).
    """

    __slots__ = ()

    @classmethod
    @abstractmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From parsed JSON. UsageError when it is malformed."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """As JSON; fields that are UNSET are left out."""

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """From JSON text. UsageError when it is no JSON or malformed."""
        try:
            data = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"{cls.__name__} cannot be read from this: {error}") from error
        return cls.from_dict(data)

    def to_json(self) -> str:
        """As JSON text, secrets included. UsageError when a field holds what JSON cannot carry."""
        try:
            return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)
        except ValueError as error:
            raise UsageError(f"{type(self).__name__} cannot be sent as JSON: {error}") from error

    def _evolved(self, changes: Mapping[str, Any]) -> Self:
        members = {str(each.alias): getattr(self, each.name) for each in _fields(self)}
        unknown = sorted(changes.keys() - members.keys())
        if unknown:
            known = ", ".join(members)
            raise UsageError(f"{type(self).__name__} has no {unknown[0]!r}; its fields: {known}")
        make: Callable[..., Self] = type(self)
        return make(**{**members, **changes})

    def __repr__(self) -> str:
        shown = [
            f"{each.alias}={_shown(each, value)}"
            for each in _fields(self)
            if (value := getattr(self, each.name)) is not UNSET
            and not (each.name == "extra" and not value)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def malformed(model: type[Model], data: object, error: Exception) -> UsageError:
    """What to raise when `data` gave `error` on its way to becoming a `model`."""
    if not isinstance(data, Mapping):
        return UsageError(f"{model.__name__} is made from a JSON object, not {_kind(data)}")
    if isinstance(error, KeyError):
        return UsageError(f"{model.__name__} needs the member {error.args[0]!r}")
    # Bounded, because what Python says of a text that is no time holds all of it.
    return UsageError(f"{model.__name__} is malformed: {type(error).__name__}: {error!s:.500}")


def _kind(data: object) -> str:
    return "null" if data is None else type(data).__name__


def _fields(model: Any) -> Iterable[Attribute[Any]]:
    # Not attrs.fields, which wants to see that the class is decorated.
    fields: Iterable[Attribute[Any]] = model.__attrs_attrs__
    return fields


def _shown(attribute: Attribute[Any], value: Any) -> str:
    if attribute.name == "extra":
        # Names alone: nobody knows whether what is unknown is a secret.
        return repr(sorted(value))
    return repr(value) if attribute.repr or value is None else HIDDEN
