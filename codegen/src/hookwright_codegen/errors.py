"""Errors of the generator.

GenerationError        one or more reasons why nothing was generated
"""

from __future__ import annotations

from collections.abc import Sequence


class GenerationError(Exception):
    """The contract cannot be turned into code; `reasons` says why, one line each."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = tuple(reasons)
