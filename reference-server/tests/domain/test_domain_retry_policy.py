from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain import retry_policy
from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.outcome import (
    Blocked,
    DeadlineExceeded,
    Delivered,
    NotTransformed,
    Outcome,
    Overflow,
    Refused,
    Unreachable,
)
from hookwright_server.domain.retry_policy import (
    Decision,
    DisableEndpoint,
    Exhausted,
    PolicyError,
    Rejected,
    RetryAt,
    RetryPolicies,
    RetryPolicy,
    Succeeded,
)

NOW_MS = 1_795_249_815_123


POLICIES = RetryPolicies(RETRY_PRESETS)
STRICT = RetryPolicy((1000, 2000), 0.0, retry_client_errors=False)
LENIENT = RetryPolicy((1000, 2000), 0.0, retry_client_errors=True)


def decide(outcome: Outcome, attempt: int = 1, policy: RetryPolicy = STRICT) -> Decision:
    """A decision without jitter."""
    return retry_policy.decide(outcome, attempt, policy, NOW_MS, lambda: 0.0)


RETRY = RetryAt(NOW_MS + 1000)


@pytest.mark.parametrize(
    ("outcome", "decision"),
    [
        (Delivered(200), Succeeded()),
        (NotTransformed(), Rejected()),
        (Delivered(299), Succeeded()),
        (Refused(410), DisableEndpoint()),
        *[(Refused(status), RETRY) for status in (101, 301, 302, 307, 408, 409, 425, 429)],
        *[(Refused(status), RETRY) for status in (500, 501, 503, 599, 600)],
        *[(Refused(status), Rejected()) for status in (400, 401, 403, 404, 407, 422, 499)],
        (Unreachable("dns_error"), RETRY),
        (Unreachable("protocol_error"), RETRY),
        (DeadlineExceeded("connect"), RETRY),
        (Blocked("private"), RETRY),
        (Overflow("header_bytes"), RETRY),
    ],
)
def test_each_outcome_has_its_decision(outcome: Outcome, decision: Decision) -> None:
    """2xx succeeds, 410 disables, other final 4xx are rejected, everything else is retried."""
    actual = decide(outcome)

    assert decision == actual


@pytest.mark.parametrize(
    ("status", "decision"), [(400, RETRY), (404, RETRY), (410, DisableEndpoint()), (500, RETRY)]
)
def test_client_errors_are_retried_on_request(status: int, decision: Decision) -> None:
    """With retry_client_errors every 4xx but 410 is retried."""
    actual = decide(Refused(status), policy=LENIENT)

    assert decision == actual


def test_delays_are_taken_in_order_and_then_end() -> None:
    """Attempt n is followed after the n-th delay; after the last attempt nothing follows."""
    actual = [decide(Refused(500), attempt) for attempt in (1, 2, 3, 4)]

    assert [RetryAt(NOW_MS + 1000), RetryAt(NOW_MS + 2000), Exhausted(), Exhausted()] == actual


@pytest.mark.parametrize("outcome", [Refused(410), Delivered(200), Refused(404)])
def test_the_last_attempt_is_judged_by_its_answer(outcome: Outcome) -> None:
    """An answer that ends a delivery by itself does so on the last attempt too."""
    assert decide(outcome, 1) == decide(outcome, 3)


DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("retry_after_ms", "wait_ms"),
    [(None, 1000), (0, 1000), (-5, 1000), (999, 1000), (1500, 1500), (10**15, DAY_MS)],
)
def test_retry_after_only_delays(retry_after_ms: int | None, wait_ms: int) -> None:
    """Retry-After postpones the planned attempt, by a day at most, and never hastens it."""
    actual = decide(Refused(503, retry_after_ms))

    assert RetryAt(NOW_MS + wait_ms) == actual


def test_a_planned_wait_beyond_a_day_stands() -> None:
    """The cap is on Retry-After, not on the schedule."""
    policy = RetryPolicy((129_600_000,), 0.0, retry_client_errors=False)

    actual = decide(Refused(503, 10**15), policy=policy)

    assert RetryAt(NOW_MS + 129_600_000) == actual


@given(
    st.integers(0, 10**9),
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
)
def test_jitter_is_only_ever_later(delay_ms: int, jitter: float, drawn: float) -> None:
    """The attempt lies between the planned instant and that plus the jitter's share."""
    policy = RetryPolicy((delay_ms,), jitter, retry_client_errors=False)

    decision = retry_policy.decide(Refused(500), 1, policy, NOW_MS, lambda: drawn)

    assert isinstance(decision, RetryAt)
    assert NOW_MS + delay_ms <= decision.at_ms <= NOW_MS + delay_ms * (1 + jitter)


@pytest.mark.parametrize(
    ("document", "delays_ms"),
    [
        ({"preset": "none"}, ()),
        ({"preset": "linear", "max_attempts": 4}, (60_000,) * 3),
        ({"preset": "exponential", "max_attempts": 3}, (30_000, 60_000)),
        ({"delays_seconds": []}, ()),
        ({"delays_seconds": [0.05, 0.2]}, (50, 200)),
        ({"delays_seconds": [0.05, 0.2], "max_attempts": 5}, (50, 200, 200, 200)),
        ({"delays_seconds": [1, 2, 3], "max_attempts": 2}, (1000,)),
        ({"delays_seconds": [1], "max_attempts": 1}, ()),
        ({"max_attempts": 2}, (5000,)),
        ({"preset": None, "delays_seconds": [1], "max_attempts": None}, (1000,)),
    ],
)
def test_documents_become_schedules(
    document: dict[str, object], delays_ms: tuple[int, ...]
) -> None:
    """Presets and lists are cut to max_attempts, or their last delay repeats up to it."""
    policy = POLICIES.from_document(document)

    assert (delays_ms, len(delays_ms) + 1) == (policy.delays_ms, policy.max_attempts)


def test_exponential_doubles_up_to_an_hour() -> None:
    """The preset waits 30 s, 1 m, 2 m … and then an hour each, for 50 attempts."""
    delays_ms = POLICIES.from_document({"preset": "exponential"}).delays_ms

    assert (49, 30_000, 1_920_000, {3_600_000}) == (
        len(delays_ms),
        delays_ms[0],
        delays_ms[6],
        set(delays_ms[7:]),
    )


@pytest.mark.parametrize(
    ("document", "jitter", "retry_client_errors"),
    [
        ({"delays_seconds": [1]}, 0.1, False),
        ({"delays_seconds": [1], "jitter": 0}, 0, False),
        ({"preset": "linear", "jitter": 0.5, "retry_client_errors": True}, 0.5, True),
    ],
)
def test_documents_set_jitter_and_client_errors(
    document: dict[str, object], jitter: float, retry_client_errors: bool
) -> None:
    """Both are taken from the document, else from the preset."""
    policy = POLICIES.from_document(document)

    assert (jitter, retry_client_errors) == (policy.jitter, policy.retry_client_errors)


@pytest.mark.parametrize(
    "document",
    [
        {"preset": "default", "delays_seconds": [1]},
        {"preset": "weekly"},
        {"preset": "none", "max_attempts": 2},
        {"delays_seconds": [], "max_attempts": 2},
    ],
)
def test_contradictory_documents_are_refused(document: dict[str, object]) -> None:
    """A document that passes the schema but says two things is a PolicyError."""
    with pytest.raises(PolicyError):
        POLICIES.from_document(document)


def test_the_nearest_policy_holds() -> None:
    """The endpoint's policy beats the app's, and the app's beats the default."""
    actual = [
        POLICIES.resolve(STRICT, LENIENT),
        POLICIES.resolve(None, LENIENT),
        POLICIES.resolve(None, None),
    ]

    assert [STRICT, LENIENT, POLICIES.default] == actual
