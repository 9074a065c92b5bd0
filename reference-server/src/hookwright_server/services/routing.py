"""What an endpoint wants of an event: whether (`filter_rules`), and in which form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from hookwright_server.domain.exact_json import exactly, read_exactly
from hookwright_server.domain.filters import Fields, Filter, FilterError, compile_filter
from hookwright_server.domain.transformation import MappingError, compile_transformation
from hookwright_server.errors import invalid
from hookwright_server.services.sizes import check_filter_rules


class Selective(Protocol):
    """Whoever may have a filter."""

    @property
    def filter(self) -> Filter | None:
        """The filter; None: everything is wanted."""
        ...


S = TypeVar("S", bound=Selective)


def accepting(those: list[S], payload: bytes, context: Mapping[str, Any] | None) -> list[S]:
    """Those of `those` whose filters accept the event; its payload is read if one has any."""
    if all(each.filter is None for each in those):
        return those
    fields: Fields = {"payload": read_exactly(payload), "context": exactly(context or {})}
    return [each for each in those if each.filter is None or each.filter.accepts(fields)]


def check_filter(rules: Mapping[str, Any] | None) -> None:
    """Refuse filter rules that are none (400), or too long (413)."""
    if rules is None:
        return
    check_filter_rules(rules)
    try:
        compile_filter(rules)
    except FilterError as error:
        raise invalid(f"/filter_rules{error.pointer}", error.rule, str(error)) from error


def check_transformation(document: Mapping[str, Any] | None) -> None:
    """Refuse a transformation that cannot be one (400)."""
    if document is None:
        return
    try:
        compile_transformation(document)
    except MappingError as error:
        raise invalid(f"/transformation{error.pointer}", error.rule, str(error)) from error
