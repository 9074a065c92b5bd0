"""A timeout that knows when it began, so that many waits together stay within it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline(float):
    """
    Seconds, as an HTTP library takes them for each single wait; `remaining` is what is left of
    them for all waits of one try.
    """

    __slots__ = ("_ends_at", "_monotonic")

    def __new__(cls, seconds: float, monotonic: Callable[[], float]) -> Self:
        self = super().__new__(cls, seconds)
        self._monotonic = monotonic
        self._ends_at = monotonic() + seconds
        return self

    _monotonic: Callable[[], float]
    _ends_at: float

    def remaining(self) -> float:
        """Seconds until the end; 0 or less when it is over."""
        return self._ends_at - self._monotonic()
