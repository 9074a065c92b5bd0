"""The audit names every way in which rows can contradict each other, and is silent otherwise."""

from __future__ import annotations

import pytest
from store_lab import StoreLab

from hookwright_server.store import tables
from hookwright_server.store.audit import CHECKS, Finding, audit

DELIVERY = tables.deliveries
WRONG: dict[str, dict[str, object]] = {
    "delivery_status": {"status": "lost"},
    "pending_without_time": {"next_attempt_at": None},
    "delivery_order": {"is_ordered": True, "next_attempt_at": None},
    "lease_without_session": {"status": "sending", "lease_session": "wrk_unknown"},
    "lease_without_sending": {"lease_session": "wrk_unknown"},
    "finished_without_end": {"status": "delivered", "next_attempt_at": None},
    "unfinished_with_end": {"completed_at": 1},
    "cancelled_without_reason": {"cancel_reason": "user"},
    "attempts_of_delivery": {"attempt_count": 1},
    "fan_out": {"message_id": "msg_other"},
    "delivery_owners": {"account_id": "acc_other"},
    "overdue": {"next_attempt_at": 0},
}


def _audit(lab: StoreLab) -> list[Finding]:
    return lab.database.read(lambda connection: audit(connection, lab.clock.now))


def _sound(lab: StoreLab) -> str:
    app_id = lab.app()
    return lab.deliver(app_id, lab.endpoint(app_id))


def test_sound_rows_have_no_findings(lab: StoreLab) -> None:
    """Accepted messages, leases of living sessions and records are all well."""
    delivery_id = _sound(lab)
    lab.session("wrk_one")
    lab.update(DELIVERY, delivery_id, status="sending", lease_session="wrk_one", fence=1)
    _sound(lab)

    assert [] == _audit(lab)


@pytest.mark.parametrize("check", sorted(WRONG))
def test_a_contradiction_is_found(lab: StoreLab, check: str) -> None:
    """Each rule finds the row that breaks it, by its id."""
    delivery_id = _sound(lab)
    message_id = lab.rows(tables.messages)[0]["id"]
    lab.update(DELIVERY, delivery_id, **WRONG[check])

    found = {finding.check: finding for finding in _audit(lab)}

    assert check in found
    assert 1 == found[check].count
    assert (message_id if check == "fan_out" else delivery_id,) == found[check].examples


def test_an_attempt_without_its_delivery_is_found(lab: StoreLab) -> None:
    """An orphaned attempt row is named."""
    delivery_id = _sound(lab)
    lab.attempt(delivery_id, "att_one", number=1)
    lab.delete(DELIVERY, delivery_id)

    assert "attempts_without_delivery" in {finding.check for finding in _audit(lab)}


def test_a_gap_in_the_numbers_is_found(lab: StoreLab) -> None:
    """Attempts are numbered from 1 without a gap."""
    delivery_id = _sound(lab)
    lab.attempt(delivery_id, "att_one", number=2)
    lab.update(DELIVERY, delivery_id, attempt_count=1)

    assert [("attempt_numbers", (delivery_id,))] == [(f.check, f.examples) for f in _audit(lab)]


def test_a_silent_session_is_a_notice(lab: StoreLab) -> None:
    """A worker that died is worth a word, and no fault: its deliveries go on by themselves."""
    lab.session("wrk_one")
    lab.clock.now += 10_001

    assert [("silent_sessions", False)] == [(f.check, f.is_fault) for f in _audit(lab)]


def test_every_check_is_tested() -> None:
    """A rule of the audit without a test that breaks it does not count."""
    assert {check.name for check in CHECKS} == WRONG.keys() | {
        "attempt_numbers",
        "attempts_without_delivery",
        "silent_sessions",
    }


def test_many_findings_are_counted_and_a_few_shown(lab: StoreLab) -> None:
    """The count is complete, the examples are three."""
    for _ in range(5):
        lab.update(DELIVERY, _sound(lab), next_attempt_at=None)

    [finding] = _audit(lab)

    assert (5, 3) == (finding.count, len(finding.examples))
