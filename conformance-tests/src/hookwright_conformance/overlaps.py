"""How much happened at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def most_at_a_time(spans: Iterable[tuple[Any, Any]]) -> int:
    """How many spans of time, each with its begin and its end, overlapped at most."""
    edges = [edge for begin, end in spans for edge in ((begin, 1), (end, -1))]
    running = most = 0
    for _, step in sorted(edges):
        running += step
        most = max(most, running)
    return most
