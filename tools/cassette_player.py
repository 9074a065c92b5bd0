"""vcrpy, which has no types: recording anew, and playing what is there and nothing else."""

from __future__ import annotations

from typing import Any

import vcr  # type: ignore[import-untyped]
from cassette_scrub import Scrubber

_untyped: Any = vcr


def recorder() -> Any:
    """Records everything, scrubbed; ids are numbered over all of its cassettes."""
    scrubber = Scrubber()
    return _untyped.VCR(
        record_mode="all",
        before_record_request=scrubber.request,
        before_record_response=scrubber.response,
    )


def player() -> Any:
    """Plays what was recorded; another request fails."""
    return _untyped.VCR(record_mode="none", match_on=("method", "uri", "body"))
