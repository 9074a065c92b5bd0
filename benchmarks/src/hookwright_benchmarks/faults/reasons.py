"""Which fault explains what must not happen without one. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from hookwright_benchmarks.faults.record import Fault, ServerError
from hookwright_benchmarks.kill_campaign.history import Pair, Receipt, duplicates

_SKEW_S = 0.5


def repetitions(
    by_pair: Mapping[Pair, Sequence[Receipt]], replays: Mapping[Pair, int]
) -> Iterator[tuple[Receipt, Receipt]]:
    """As the history's; where a message was replayed, those that were answered 2xx alone, since
    nothing else tells the tries of a replay from a repetition."""
    for before, after in duplicates(by_pair):
        pair = (after.endpoint, after.message_id)
        if not replays.get(pair) or after.answered_at is not None:
            yield before, after


def disturbed(faults: Sequence[Fault]) -> Callable[[float], bool]:
    """Whether a worker or Postgres may have stood still."""
    spans = sorted(
        (fault.began, fault.ended + fault.lingers_s)
        for fault in faults
        if fault.touches & {"worker", "postgres"}
    )
    begins = [began for began, _ in spans]
    latest = list(accumulate((ended for _, ended in spans), max))

    def is_disturbed(at: float) -> bool:
        place = bisect_right(begins, at + _SKEW_S)
        return place > 0 and latest[place - 1] >= at

    return is_disturbed


def causes_of(errors: Iterable[ServerError], faults: Sequence[Fault]) -> dict[str, list[str]]:
    """The errors by the part that explains them; who answers through what comes first.

    A worker explains none of publishing, which waits for what a stopped one holds until Postgres
    takes it; who changes an endpoint, whose row it may hold, is asked to come again sooner.
    """
    parts = ("postgres", "api", "worker", "redis")
    causes: dict[str, list[str]] = {name: [] for name in (*parts, "nothing")}
    for error in errors:
        felt = {part for fault in faults if fault.is_felt_at(error.at) for part in fault.touches}
        if not _changes_an_endpoint(error):
            felt.discard("worker")
        cause = next((part for part in parts if part in felt), "nothing")
        causes[cause].append(error_text(error))
    return causes


def _changes_an_endpoint(error: ServerError) -> bool:
    method, _, path = error.asked.partition(" ")
    return method != "GET" and path.startswith("endpoints/")


def error_text(error: ServerError) -> str:
    named = "with" if error.retry_after else "without"
    return f"{error.asked}: {error.status} {error.code} {named} Retry-After at {error.at:.3f}"


def unexplained(
    repeated: Iterable[tuple[Receipt, Receipt]],
    faults: Sequence[Fault],
    replays: Mapping[Pair, int],
) -> list[str]:
    """A duplicate needs a fault, between answer and record, of what has to do with recording; or
    it is a replay, of which each explains one."""
    relevant = [f for f in faults if f.touches & {"worker", "postgres", "sink"}]
    left = Counter(replays)
    found: list[str] = []
    for before, after in repeated:
        if any(_explains(fault, before, after) for fault in relevant):
            continue
        pair = (after.endpoint, after.message_id)
        if left[pair]:
            left[pair] -= 1
            continue
        found.append(f"{pair[1]} at {pair[0]}: {before.at:.3f} and {after.at:.3f}")
    return found


def _explains(fault: Fault, before: Receipt, after: Receipt) -> bool:
    """It began before the answer could be written down, and before the repetition."""
    answered_at = before.answered_at if before.answered_at is not None else before.at
    return (fault.began <= after.at and fault.is_felt_at(answered_at)) or (
        answered_at <= fault.began <= min(after.at, answered_at + fault.lingers_s)
    )
