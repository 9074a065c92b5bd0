"""What goes to and comes from the transport, in no HTTP library's terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_BODY_BYTES: Final = 64 * 1024 * 1024
LARGEST_ERROR_BODY_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request, sent as it is on each try. Header names are lower-case."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    timeout: float | None
    label: str
    """Method and path, without the query: what errors and logs may show."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer. `defect` says why the body is not whole, if it is not."""

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    defect: str | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code < 300
