"""The history check of the demo: what it counts, and that it sees what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from hookwright_server.demo.ledger import (
    Ledger,
    Outage,
    Publication,
    Receipt,
    Shown,
    Verdict,
    percentile,
)

OUTAGE = Outage(killed_at=10.0, restarted_at=11.0, ready_at=12.0)
PAYLOAD = {"number": 1}


@dataclass(frozen=True)
class Endpoint:
    name: str
    event: str
    sound: bool = True
    prompt: bool = True

    def wants(self, event_name: str) -> bool:
        return event_name == self.event


def _ledger_with(*receipts: Receipt) -> Ledger:
    """One accepted event, m1, that `shop` must get and `other` must not."""
    ledger = Ledger((Endpoint("shop", "order"), Endpoint("other", "invoice")))
    ledger.accepted(Publication("order", PAYLOAD, "m1", called_at=1.0, accepted_at=1.1))
    for receipt in receipts:
        ledger.received(receipt)
    return ledger


def _receipt(at: float = 1.2, status: int | None = 200, **changes: Any) -> Receipt:
    made: dict[str, Any] = {
        "endpoint": "shop",
        "message_id": "m1",
        "at": at,
        "status": status,
        "payload": PAYLOAD,
        "fault": None,
    }
    return Receipt(**(made | changes))


def _judged(ledger: Ledger, status: str = "delivered", attempts: int = 1) -> Verdict:
    return ledger.judge({("m1", "shop"): Shown("d1", status, attempts)}, OUTAGE)


def test_a_delivery_that_arrived_is_delivered() -> None:
    """An event that its subscriber took passes, and nobody else is owed it."""
    verdict = _judged(_ledger_with(_receipt()))

    assert (1, 1, 1, ()) == (
        verdict.accepted_events,
        verdict.owed,
        verdict.delivered,
        verdict.lost,
    )
    assert verdict.passed


def test_a_delivery_that_vanished_is_lost() -> None:
    """An accepted event that neither arrived nor is shown by the server is lost."""
    verdict = _ledger_with().judge({}, OUTAGE)

    assert (("m1", "shop"),) == verdict.lost
    assert not verdict.passed


def test_a_delivery_that_only_the_server_calls_delivered_is_lost() -> None:
    """The server's word is not enough: the receiver must have taken the request."""
    verdict = _judged(_ledger_with(_receipt(status=503)), "delivered")

    assert (("m1", "shop"),) == verdict.lost


@pytest.mark.parametrize("status", ["held", "failed", "dead_letter", "cancelled"])
def test_a_delivery_that_is_visibly_not_made_is_not_lost(status: str) -> None:
    """What the server shows as held or ended is accounted for."""
    verdict = _judged(_ledger_with(), status)

    assert () == verdict.lost
    assert verdict.passed


def test_a_delivery_that_still_waits_fails_the_demo() -> None:
    """What is pending at the end is not lost, but not done either."""
    verdict = _judged(_ledger_with(), "pending")

    assert ((), 1) == (verdict.lost, verdict.unfinished)
    assert not verdict.passed


def test_a_bad_signature_fails_the_demo() -> None:
    """One request that does not verify is enough."""
    verdict = _judged(_ledger_with(_receipt(fault="no v1 signature matches", payload=None)))

    assert ("no v1 signature matches",) == verdict.faults
    assert (0, 0) == (verdict.verified, verdict.altered)
    assert not verdict.passed


def test_a_changed_payload_fails_the_demo() -> None:
    """What arrives must be what was published."""
    verdict = _judged(_ledger_with(_receipt(payload={"number": 2})))

    assert 1 == verdict.altered
    assert not verdict.passed


@pytest.mark.parametrize("changes", [{"endpoint": "other"}, {"message_id": "m2"}])
def test_a_request_that_nobody_asked_for_fails_the_demo(changes: dict[str, Any]) -> None:
    """Neither unknown messages nor endpoints without the subscription are expected."""
    verdict = _judged(_ledger_with(_receipt(), _receipt(**changes)))

    assert 1 == verdict.unexpected
    assert not verdict.passed


def test_a_repeat_across_the_kill_is_explained_by_it() -> None:
    """The old process's delivery was not noted, so the new one made it again."""
    verdict = _judged(_ledger_with(_receipt(at=10.001), _receipt(at=11.9)), attempts=2)

    assert (1, 0, 1) == (verdict.repeats_by_kill, verdict.repeats_otherwise, verdict.retried)
    assert verdict.passed


def test_a_repeat_away_from_the_kill_is_not_explained() -> None:
    """Two deliveries by the same process are told apart."""
    verdict = _judged(_ledger_with(_receipt(at=2.0), _receipt(at=3.0)))

    assert (0, 1) == (verdict.repeats_by_kill, verdict.repeats_otherwise)


def test_a_retry_after_a_refusal_is_no_repeat() -> None:
    """A receiver that refused and then took a request has it once."""
    ledger = _ledger_with(_receipt(at=2.0, status=None), _receipt(at=3.0))
    verdict = _judged(ledger, attempts=2)

    assert (0, 0, 1) == (verdict.repeats_by_kill, verdict.repeats_otherwise, verdict.retried)
    assert (1, 1, 1) == (
        ledger.tally("shop").owed,
        ledger.tally("shop").taken,
        ledger.tally("shop").retries,
    )


def test_latency_counts_first_attempts_outside_the_kill_window() -> None:
    """From the 202 to the first request; negative is zero; the outage and a second are left out."""
    ledger = _ledger_with(_receipt(at=1.103))
    for name, accepted_at, received_at in (("m2", 5.0, 4.9), ("m3", 9.9, 10.1), ("m4", 12.5, 13.0)):
        ledger.accepted(Publication("order", PAYLOAD, name, accepted_at, accepted_at))
        ledger.received(_receipt(at=received_at, message_id=name))

    verdict = _judged(ledger)

    assert (2, 0.0) == (verdict.since_accepted.count, verdict.since_accepted.p50_ms)
    assert pytest.approx(3.0) == verdict.since_accepted.p99_ms
    assert pytest.approx(103.0) == verdict.since_called.p99_ms


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.99, 4.0), (0.0, 1.0)])
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    """Nearest rank, so that no value is made up."""
    assert expected == percentile([4.0, 1.0, 3.0, 2.0], share)


def test_a_percentile_of_nothing_is_zero() -> None:
    """A demo without a single latency still ends with a table."""
    assert 0.0 == percentile([], 0.99)
