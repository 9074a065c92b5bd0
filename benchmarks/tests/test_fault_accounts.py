"""What is held or replayed is accounted for, row by row and receipt by receipt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookwright_benchmarks.faults.accounts import (
    StoredDelivery,
    StoredTask,
    Task,
    held_lost,
    replays_lost,
)
from hookwright_benchmarks.kill_campaign.history import Pair, Publish, Receipt

EVENT_OF = {"msg_1": "sampled", "msg_2": "sampled", "msg_3": "plain"}
BY_RANGE = Task("rpl_range", made_at=90_000, event_name="sampled", after=0, before=10_000)
BY_IDS = Task("rpl_ids", made_at=90_000, delivery_ids=frozenset({"del_3"}))
TASKS = [BY_RANGE, BY_IDS]
STORED = [
    StoredTask("rpl_range", "completed", processed=2, replayed=2, skipped=0, total=2),
    StoredTask("rpl_ids", "completed", processed=1, replayed=1, skipped=0, total=1),
]


def _row(number: int, replay_of: str | None = None) -> StoredDelivery:
    name = f"del_{number}" if replay_of is None else f"again_{number}"
    pair = ("one", f"msg_{number}")
    return StoredDelivery(name, pair, "delivered", 1000 * number, 2000 * number, 1, replay_of)


ROWS = [_row(n) for n in (1, 2, 3)] + [_row(n, f"del_{n}") for n in (1, 2, 3)]


def _receipt(message_id: str, answered_at: float | None = 1.5) -> Receipt:
    return Receipt("one", message_id, "", frozenset(), True, 1.0, answered_at)


BY_PAIR: dict[Pair, list[Receipt]] = {
    ("one", message_id): [_receipt(message_id)] * 2 for message_id in EVENT_OF
}


def test_tasks_that_did_what_they_say_are_well() -> None:
    """Each of a range and each id has one replay, and each of these was received."""
    assert [] == replays_lost(TASKS, STORED, ROWS, BY_PAIR, EVENT_OF)


@pytest.mark.parametrize(
    ("rows", "stored", "expected"),
    [
        (ROWS, STORED[:1], "rpl_ids: answered 202, not stored"),
        (ROWS[:-1], STORED, "rpl_ids (completed): 0 replays, but processed 1"),
        (ROWS[:-1], STORED, "rpl_ids: del_3 left out"),
        ([*ROWS, replace(ROWS[3], id="third")], STORED, "del_1: replayed 2 times"),
        ([*ROWS[:-1], replace(ROWS[-1], status="failed")], STORED, "again_3 of del_3: failed"),
        (ROWS, [replace(STORED[0], skipped=1), STORED[1]], "rpl_range (completed): 2 replays"),
    ],
    ids=["forgotten", "miscounted", "left out", "twice", "not delivered", "does not add up"],
)
def test_a_task_that_did_not_is_named(
    rows: list[StoredDelivery], stored: list[StoredTask], expected: str
) -> None:
    """With what it did instead."""
    found = replays_lost(TASKS, stored, rows, BY_PAIR, EVENT_OF)

    assert [expected] == [text[: len(expected)] for text in found if text.startswith(expected)]


def test_a_cancelled_task_may_leave_deliveries_out() -> None:
    """Its figures must still be those of what it made."""
    cancelled = [replace(STORED[0], status="cancelled", processed=1, replayed=1), STORED[1]]
    rows = [row for row in ROWS if row.id != "again_2"]

    assert [] == replays_lost(TASKS, cancelled, rows, BY_PAIR, EVENT_OF)


def test_a_replay_that_was_not_received_is_lost() -> None:
    """Its row says delivered, but its receiver said 2xx only once."""
    by_pair = {**BY_PAIR, ("one", "msg_2"): [_receipt("msg_2"), _receipt("msg_2", None)]}

    assert ["msg_2 at one: 2 delivered, 1 received"] == replays_lost(
        TASKS, STORED, ROWS, by_pair, EVENT_OF
    )


@pytest.mark.parametrize(
    ("status", "answered_at", "expected"),
    [
        ("delivered", 1.5, True),
        ("delivered", None, False),
        ("failed", None, True),
        ("failed", 1.5, False),
        ("dead_letter", None, True),
        ("cancelled", None, False),
        ("pending", None, False),
    ],
)
def test_an_event_for_a_disabled_endpoint_is_accounted_for(
    status: str, answered_at: float | None, expected: bool
) -> None:
    """Received as its row says, or visibly given up."""
    publish = Publish("key", "ok", "digest", "msg_1", event_name="held")
    rows = {("one", "msg_1"): [replace(_row(1), status=status)]}
    by_pair = {("one", "msg_1"): [_receipt("msg_1", answered_at)]}

    lost = held_lost([publish], {"one"}, {"held": ("one",)}, rows, by_pair)

    assert expected == (not lost)
    assert 1 == len(held_lost([publish], {"one"}, {"held": ("one",)}, {}, by_pair))
