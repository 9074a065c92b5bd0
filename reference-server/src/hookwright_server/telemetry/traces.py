"""Trace context (W3C Trace Context): what a message keeps of it and what its deliveries carry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

Fields = Mapping[str, str | int]

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})"
)


def trace_id(traceparent: str | None) -> str | None:
    """The trace id of a header's value; None when the value is not valid."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return found[1] if found else None


class Span(Protocol):
    """A request or an attempt while it runs."""

    @property
    def traceparent(self) -> str | None:
        """What those carry who act for it; None: nothing."""
        ...

    def end(self, fields: Fields, error: str | None = None) -> None:
        """It is over; `error` names what went wrong in one word."""
        ...


class Tracer(Protocol):
    """Begins spans."""

    def request(self, operation: str, given: str | None) -> Span:
        """A request that came with the header `traceparent: given`."""
        ...

    def attempt(self, parent: str, fields: Fields) -> Span:
        """An attempt at a delivery of a message that was kept with `parent`."""
        ...

    def close(self) -> None:
        """Hand over what has ended; waits some seconds at most."""
        ...


@dataclass(frozen=True, slots=True)
class _Unrecorded:
    traceparent: str | None

    def end(self, fields: Fields, error: str | None = None) -> None:
        pass


NO_SPAN: Span = _Unrecorded(None)


class NoTraces:
    """Keeps nothing and passes nothing on."""

    def request(self, operation: str, given: str | None) -> Span:
        return NO_SPAN

    def attempt(self, parent: str, fields: Fields) -> Span:
        return NO_SPAN

    def close(self) -> None:
        pass


class PassOn:
    """Records nothing; deliveries carry the publisher's context as it came."""

    def request(self, operation: str, given: str | None) -> Span:
        if given is None:
            return NO_SPAN
        found = _TRACEPARENT.fullmatch(given)
        # Of a later version only the fields of version 00 are known.
        return _Unrecorded("00-{}-{}-{}".format(*found.groups())) if found else NO_SPAN

    def attempt(self, parent: str, fields: Fields) -> Span:
        return _Unrecorded(parent)

    def close(self) -> None:
        pass


NO_TRACES: Tracer = NoTraces()
