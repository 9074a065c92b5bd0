"""Through every rotation each receipt is signed by all secrets that are valid, and no other."""

from __future__ import annotations

import pytest

from hookwright.webhooks import Webhook, WebhookVerificationError
from hookwright_benchmarks.faults.keyring import Keyring, signature_faults

OLD = "whsec_" + "b2xk" * 8
NEW = "whsec_" + "bmV3" * 8
NOW = 1_795_000_000
ROTATED = NOW - 100
ENDED = NOW - 50


def _rotated() -> Keyring:
    """The old secret signs until 50 s ago, beside the new one since 100 s ago."""
    keyring = Keyring("one", lambda: NOW)
    keyring.learn(OLD, made_after=0, known_at=NOW - 1000)
    keyring.learn(NEW, made_after=ROTATED - 1, known_at=ROTATED, until=ENDED)
    return keyring


def _receive(keyring: Keyring, timestamp: int, *secrets: str) -> None:
    body = b'{"data":{}}'
    signature = Webhook(secrets).sign("msg_1", timestamp, body)
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    values = ("msg_1", str(timestamp), signature)
    keyring.verify(body, dict(zip(names, values, strict=True)))


def _found(keyring: Keyring, *, disturbed: bool = False) -> set[str]:
    secrets = {keyring.endpoint: keyring.secrets}
    faults = signature_faults(keyring.receipts, secrets, lambda _at: disturbed)
    return {name for name, cases in faults.items() if cases}


@pytest.mark.parametrize(
    ("timestamp", "secrets", "expected"),
    [
        (ROTATED - 10, [OLD], set[str]()),
        (ROTATED + 10, [NEW, OLD], set[str]()),
        (ENDED + 10, [NEW], set[str]()),
        (ROTATED - 10, [NEW], {"unverified"}),
        (ENDED + 10, [OLD], {"unverified"}),
        (ENDED + 10, ["whsec_" + "AAAA" * 8], {"unverified"}),
        (ROTATED + 10, [NEW], {"wrong_signers"}),
        (ROTATED + 10, [OLD], {"wrong_signers"}),
        (ENDED + 10, [NEW, OLD], {"wrong_signers"}),
    ],
    ids=[
        "before",
        "during the overlap",
        "after",
        "too early",
        "too late",
        "unknown",
        "without the old one",
        "without the new one",
        "still with the old one",
    ],
)
def test_signers_are_those_that_are_valid(
    timestamp: int, secrets: list[str], expected: set[str]
) -> None:
    """By the second that the receipt names itself."""
    keyring = _rotated()
    _receive(keyring, timestamp, *secrets)

    assert expected == _found(keyring)


def test_a_process_that_stood_still_may_sign_with_what_it_had_read() -> None:
    """For as long as it may stand still; it never explains that no secret was valid."""
    keyring, late = _rotated(), _rotated()
    _receive(keyring, ENDED + 10, NEW, OLD)
    _receive(keyring, ROTATED + 10, OLD)
    _receive(late, ROTATED + 30, OLD)

    assert set[str]() == _found(keyring, disturbed=True)
    assert {"wrong_signers"} == _found(late, disturbed=True)


def test_a_secret_that_is_shown_late_verifies_what_came_before() -> None:
    """The answer to a rotation may come after the first receipts that it signs alone."""
    keyring = Keyring("one", lambda: NOW)
    keyring.learn(OLD, made_after=0, known_at=NOW - 1000)
    _receive(keyring, ENDED + 10, NEW)
    keyring.learn(NEW, made_after=ROTATED - 1, known_at=NOW, until=ENDED)

    assert set[str]() == _found(keyring)


def test_a_receipt_of_another_time_is_not_verified() -> None:
    """As the libraries have it: five minutes."""
    keyring = _rotated()
    _receive(keyring, NOW - 400, OLD)

    assert {"unverified"} == _found(keyring)


def test_what_is_not_signed_at_all_is_refused() -> None:
    """The sink then counts it as unverified by itself."""
    with pytest.raises(WebhookVerificationError):
        _rotated().verify(b"{}", {"webhook-id": "msg_1", "webhook-timestamp": "1"})
