"""The order of a key's events is judged by what its receiver saw, and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_benchmarks.faults.ordering import Order, order_kept
from hookwright_benchmarks.kill_campaign.history import Pair, Publish, Receipt

ROUTES = {"ordered": ("line",)}
PUBLISHES = [
    Publish(
        f"key-{n}",
        "ok",
        "digest",
        f"msg_{n}",
        sent_at=float(n),
        answered_at=n + 0.5,
        event_name="ordered",
        ordering_key="key",
    )
    for n in range(4)
]


def _receipt(number: int, at: float, *, refused: bool = False) -> Receipt:
    answered_at = None if refused else at + 0.5
    return Receipt("line", f"msg_{number}", "", frozenset(), True, at, answered_at)


def _judged(receipts: Sequence[Receipt], *ended_otherwise: int) -> Order:
    by_pair: dict[Pair, list[Receipt]] = {}
    for receipt in sorted(receipts, key=lambda each: each.at):
        by_pair.setdefault((receipt.endpoint, receipt.message_id), []).append(receipt)
    ended = frozenset(("line", f"msg_{n}") for n in ended_otherwise)
    return order_kept(PUBLISHES, ROUTES, by_pair, ended, {})


@given(st.permutations(range(4)))
def test_only_the_order_of_acceptance_is_sound(arrivals: list[int]) -> None:
    """Whatever order they come in, exactly those are named that come before a predecessor."""
    order = _judged([_receipt(n, 10.0 + place) for place, n in enumerate(arrivals)])

    early = [n for place, n in enumerate(arrivals) if any(m < n for m in arrivals[place + 1 :])]
    assert sorted(early) == sorted(int(text[4]) for text in order.inversions)
    assert ((), 4) == (order.gaps, order.judged)


def test_a_request_before_the_answer_is_too_early() -> None:
    """One at a time: the next may not be sent while the one before is being answered."""
    receipts = [_receipt(0, 10.0), _receipt(1, 10.4), _receipt(2, 12.0), _receipt(3, 13.0)]

    (found,) = _judged(receipts).inversions

    assert found.startswith("msg_1 at line")


def test_what_failed_comes_again_before_its_successors() -> None:
    """A try that was refused does not count; the successor waits for the one that was not."""
    refused = _receipt(0, 10.0, refused=True)
    rest = [_receipt(n, 12.0 + n) for n in (1, 2, 3)]

    assert () == _judged([refused, _receipt(0, 11.0), *rest]).inversions
    assert 3 == len(_judged([refused, _receipt(0, 20.0), *rest]).inversions)


def test_a_repetition_is_no_inversion() -> None:
    """What was delivered may come again, late: its successors had waited for it."""
    receipts = [_receipt(n, 10.0 + n) for n in range(4)]

    assert () == _judged([*receipts, _receipt(0, 30.0)]).inversions


def test_a_gap_is_a_predecessor_that_never_was_delivered() -> None:
    """Unless it failed or ended in another way; what comes last leaves no gap."""
    without_one = [_receipt(n, 10.0 + n) for n in (0, 2, 3)]
    without_last = [_receipt(n, 10.0 + n) for n in (0, 1, 2)]

    assert ("msg_1 at line: skipped",) == _judged(without_one).gaps
    assert () == _judged(without_one, 1).gaps
    assert () == _judged(without_last).gaps


@pytest.mark.parametrize(
    ("numbers", "inversions", "gaps"),
    [((7, 8, 9, 10), 0, 0), ((7, 8, 8, 9), 1, 0), ((7, 9, 8, 10), 1, 2)],
    ids=["in order", "twice", "swapped"],
)
def test_the_numbers_agree_with_the_order(
    numbers: tuple[int, ...], inversions: int, gaps: int
) -> None:
    """Each is one more than that of the event accepted before it."""
    sequences = {("line", f"msg_{n}"): number for n, number in enumerate(numbers)}
    order = order_kept(PUBLISHES, ROUTES, {}, frozenset(), sequences)

    assert (inversions, gaps) == (len(order.inversions), len(order.gaps))
