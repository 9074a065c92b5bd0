"""Writes the tables of docs/behaviour/retries.md from the presets of the contract."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.retry_policy import RetryPolicies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hookwright_server.domain.retry_policy import RetryPolicy

PAGE = Path(__file__).resolve().parent.parent / "docs" / "behaviour" / "retries.md"
BEGIN = "<!-- Made from openapi.yaml by tools/retry_schedules.py. -->\n"


class ScheduledAttempt(NamedTuple):
    """Attempt `number` starts `at_ms` after the first one, without jitter."""

    number: int
    wait_ms: int
    at_ms: int


def main() -> None:
    """Bring the page up to date."""
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def updated(page: str) -> str:
    """`page` with fresh tables: what follows the mark is ours."""
    return page.partition(BEGIN)[0] + BEGIN + tables()


def tables() -> str:
    """A table for each preset, waits and times since the first attempt."""
    policies = RetryPolicies(RETRY_PRESETS)
    return "".join(
        f"\n{line}\n"
        for name in RETRY_PRESETS
        for line in _section(name, policies.from_document({"preset": name}))
    )


def _section(name: str, policy: RetryPolicy) -> Iterator[str]:
    rows = schedule_table(policy)
    yield f"## Preset `{name}`"
    if len(rows) == 1:
        yield "One attempt."
        return
    yield (
        f"{len(rows)} attempts over {duration_text(rows[-1].at_ms)}; jitter makes each wait up to"
        f" {policy.jitter:.0%} longer."
    )
    head = ["| attempt | wait before it | after the first attempt |", "|---|---|---|"]
    body = [_row(list(run)) for _, run in groupby(rows, lambda row: row.wait_ms)]
    yield "\n".join(head + body)


def _row(run: list[ScheduledAttempt]) -> str:
    """Attempts after the same wait in one row of the table."""
    first, last = run[0], run[-1]
    wait, at = duration_text(first.wait_ms), duration_text(first.at_ms)
    if first == last:
        return f"| {first.number} | {wait} | {at} |"
    return (
        f"| {first.number} to {last.number} | {wait} each | {at} to {duration_text(last.at_ms)} |"
    )


def schedule_table(policy: RetryPolicy) -> tuple[ScheduledAttempt, ...]:
    """Every attempt with its wait and its time since the first attempt, without jitter."""
    rows = [ScheduledAttempt(1, 0, 0)]
    for wait in policy.delays_ms:
        rows.append(ScheduledAttempt(len(rows) + 1, wait, rows[-1].at_ms + wait))
    return tuple(rows)


def duration_text(duration_ms: int) -> str:
    """A duration for people, to the millisecond: `75 h 17 min 35 s`, `250 ms`, `0 s`."""
    seconds, milliseconds = divmod(duration_ms, 1000)
    parts = [
        (seconds // 3600, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
        (milliseconds, "ms"),
    ]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


if __name__ == "__main__":
    main()
