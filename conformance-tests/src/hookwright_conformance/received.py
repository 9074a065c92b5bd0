"""What a receiver records: one request, byte for byte, and how its exchange ended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from hookwright_conformance.certificates import Flavour

Listener = Literal["http", "http6"] | Flavour
EndedBy = Literal["answered", "client", "receiver"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an exchange ended: `answered`, given up by the `client`, or cut by the `receiver`."""

    by: EndedBy
    at: float


@dataclass(slots=True)
class Received:
    """One request as it stood on the wire. `began` and `arrived` are `time.monotonic()` of its
    first and last byte, `wall` is Unix seconds of the last; `ending` is set when all is over.
    `tls` is the version of TLS (`TLSv1.3`), None without; `answer` names what it got, or was to."""

    number: int
    connection: int
    listener: Listener
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    head: bytes
    began: float
    body: bytes = b""
    arrived: float = 0.0
    wall: float = 0.0
    ending: Ending | None = None
    tls: str | None = None
    answer: str = ""

    @property
    def ended_at(self) -> float:
        """When the exchange ended (`time.monotonic()`); infinity while it goes on."""
        return math.inf if self.ending is None else self.ending.at

    @property
    def raw(self) -> bytes:
        """The exact bytes of the request (a chunked body as its content)."""
        return self.head + self.body

    def values(self, name: str) -> list[str]:
        """Every value of a header, in order; the name in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next(iter(self.values(name)), None)
