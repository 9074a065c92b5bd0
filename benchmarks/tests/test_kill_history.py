"""The history checker finds each fault that is put into a sound history, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookwright_benchmarks.kill_campaign.history import (
    FAULTS,
    History,
    Kill,
    Publish,
    Receipt,
    StoredMessage,
    judge,
)


def _receipt(endpoint: str, number: int, at: float, *, cut_at: float | None = None) -> Receipt:
    return Receipt(
        endpoint=endpoint,
        message_id=f"msg_{number}",
        key=f"key-{number}",
        digests=frozenset({f"digest-{number}"}),
        verified=True,
        at=at,
        answered_at=None if cut_at else at + 0.01,
        cut_at=cut_at,
    )


def _sound() -> History:
    """Message 1 went out before a kill, message 2 during it, message 3 got no answer."""
    return History(
        endpoints=("one", "two"),
        publishes=[
            Publish("key-1", "ok", "digest-1", "msg_1"),
            Publish("key-2", "ok", "digest-2", "msg_2"),
            Publish("key-3", "unknown", "digest-3"),
            Publish("key-4", "unknown", "digest-4"),
            Publish("key-5", "fail", "digest-5"),
        ],
        receipts=[
            _receipt("one", 1, 1.0),
            _receipt("two", 1, 1.0),
            _receipt("one", 2, 9.9, cut_at=10.001),
            _receipt("one", 2, 12.0),
            _receipt("two", 2, 9.95),
            _receipt("two", 2, 12.5),
            _receipt("one", 3, 13.0),
            _receipt("two", 3, 13.0),
        ],
        kills=[Kill(10.0, "worker", publishing=1)],
        messages=[
            StoredMessage("msg_1", 2, {"one": 0, "two": 0}),
            StoredMessage("msg_2", 2, {"one": 1, "two": 1}),
            StoredMessage("msg_3", 2, {"one": 0, "two": 0}),
        ],
    )


def _without(history: History, endpoint: str, message_id: str) -> History:
    kept = [r for r in history.receipts if (r.endpoint, r.message_id) != (endpoint, message_id)]
    return replace(history, receipts=kept)


def _with(history: History, *receipts: Receipt) -> History:
    return replace(history, receipts=[*history.receipts, *receipts])


def _stored(history: History, *messages: StoredMessage) -> History:
    others = [m for m in history.messages if m.id not in {message.id for message in messages}]
    return replace(history, messages=[*others, *messages])


_SOUND = _sound()
BROKEN: dict[str, History] = {
    "lost": _without(_SOUND, "two", "msg_1"),
    "stranded": _without(_SOUND, "two", "msg_3"),
    "forgotten": replace(_SOUND, messages=_SOUND.messages[1:]),
    "unexpected": _with(_SOUND, _receipt("one", 5, 14.0)),
    "corrupted": _with(
        _without(_SOUND, "one", "msg_1"),
        replace(_receipt("one", 1, 1.0), digests=frozenset({"other"})),
    ),
    "unverified": _with(_SOUND, replace(_receipt("one", 6, 14.0), verified=False, key="")),
    "accepted_twice": _with(_SOUND, replace(_receipt("one", 3, 14.0), message_id="msg_9")),
    "partial_fan_outs": _stored(_SOUND, StoredMessage("msg_1", 2, {"one": 0})),
    "inversions": replace(
        _SOUND, publishes=[replace(p, ordering_key="a") for p in reversed(_SOUND.publishes)]
    ),
    "unexplained_duplicates": _with(_SOUND, _receipt("one", 1, 5.0)),
    "not_resumed": _with(_without(_SOUND, "one", "msg_2"), _receipt("one", 2, 9.9, cut_at=10.001)),
    "not_marked": _stored(_SOUND, StoredMessage("msg_2", 2, {"one": 0, "two": 1})),
}


def test_a_sound_history_has_no_faults() -> None:
    """Retries after a kill, recovered and vanished unknowns and refused publishes are all well."""
    verdict = judge(_sound())

    assert {} == verdict.faults
    assert {"ok": 2, "fail": 1, "unknown": 2} == verdict.publishes
    assert (1, 1, 1) == (verdict.recovered, verdict.duplicates, verdict.in_flight)
    assert (2.0,) == verdict.resumed_after_s
    assert () == verdict.idle_kills


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    """Each kind of fault is named, and no kind that was not put in."""
    verdict = judge(BROKEN[fault])

    assert {fault} == verdict.faults.keys()
    assert not verdict.sound


def test_further_kills_restart_the_clock() -> None:
    """What was cut off cannot go on while the server is dead again; both times are told."""
    again = Kill(11.5, "start", publishing=0, counted=False)

    verdict = judge(replace(_SOUND, kills=[*_SOUND.kills, again]))

    assert ((0.5,), (2.0,)) == (verdict.resumed_after_s, verdict.waited_s)


def test_a_row_too_many_is_a_partial_fan_out() -> None:
    """Fan-out is all delivery rows or none, and each once."""
    message = StoredMessage("msg_1", 2, {"one": 0, "two": 0, "two again": 0})

    assert {"partial_fan_outs"} == judge(_stored(_SOUND, message)).faults.keys()


def test_a_kill_explains_duplicates_only_shortly_after_the_answer() -> None:
    """What was answered long before a kill had been written down."""
    late = replace(_SOUND, kills=[*_SOUND.kills, Kill(4.0, "group", publishing=1)])

    verdict = judge(_with(late, _receipt("one", 1, 5.0)))

    assert {"unexplained_duplicates"} == verdict.faults.keys()


def test_what_a_kill_interrupted_explains_as_many_duplicates() -> None:
    """A machine that stalls writes down later; the database says which attempts a kill cut off."""
    late = replace(_SOUND, kills=[*_SOUND.kills, Kill(4.0, "group", publishing=1)])
    stalled = _stored(late, StoredMessage("msg_1", 2, {"one": 1, "two": 0}))
    once = judge(_with(stalled, _receipt("one", 1, 5.0)))
    twice = judge(_with(stalled, _receipt("one", 1, 5.0), _receipt("one", 1, 6.0)))
    before_any = replace(stalled, kills=_SOUND.kills)

    assert {} == once.faults
    assert {"unexplained_duplicates"} == twice.faults.keys()
    assert {"unexplained_duplicates"} == judge(
        _with(before_any, _receipt("one", 1, 5.0))
    ).faults.keys()


@pytest.mark.parametrize(
    "kill",
    [Kill(20.0, "worker", publishing=1), Kill(10.0, "worker", publishing=0)],
    ids=["no delivery", "no publish"],
)
def test_a_kill_without_work_in_flight_is_told(kill: Kill) -> None:
    """Such a kill proves nothing and must not be counted."""
    verdict = judge(replace(_SOUND, kills=[kill]))

    assert 1 == len(verdict.idle_kills)


def test_a_kill_during_a_start_need_not_hit_anything() -> None:
    """It is extra, and is not counted."""
    kill = Kill(20.0, "start", publishing=0, counted=False)

    assert () == judge(replace(_SOUND, kills=[*_SOUND.kills, kill])).idle_kills
