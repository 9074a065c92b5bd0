"""Whether results were written by those who held the lease. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from hookwright_benchmarks.faults.record import Transition

_TERMINAL = frozenset({"delivered", "failed", "dead_letter", "cancelled"})


def lease_violations(transitions: Iterable[Transition]) -> tuple[list[str], list[str], int]:
    """Completions by other than the holder of the lease, and changes after the end."""
    holders: dict[str, tuple[str, int]] = {}
    stale: list[str] = []
    changed: list[str] = []
    count = 0
    for step in transitions:
        count += 1
        text = f"{step.delivery_id}: {step.before} to {step.after} by {step.writer}"
        if step.before in _TERMINAL:
            changed.append(text)
        if step.after == "sending":
            holders[step.delivery_id] = step.writer, step.fence
        elif step.taken_back:
            holders.pop(step.delivery_id, None)
        elif holders.pop(step.delivery_id, None) != (step.writer, step.fence):
            stale.append(text)
    return stale, changed, count
