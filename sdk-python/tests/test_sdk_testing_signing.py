"""`sign_request`: requests that a handler takes, and requests that it must not take."""

from __future__ import annotations

import pytest

from hookwright import (
    InvalidHeaderError,
    InvalidPayloadError,
    MissingHeaderError,
    SignatureMismatchError,
    TimestampOutOfToleranceError,
    UsageError,
    Webhook,
    WebhookVerificationError,
)
from hookwright.testing import BROKEN, SECRET, Broken, SignedRequest, sign_request

ERRORS: dict[Broken, type[WebhookVerificationError]] = {
    "signature": SignatureMismatchError,
    "secret": SignatureMismatchError,
    "body": SignatureMismatchError,
    "scheme": SignatureMismatchError,
    "expired": TimestampOutOfToleranceError,
    "future": TimestampOutOfToleranceError,
    "no_id": MissingHeaderError,
    "no_timestamp": MissingHeaderError,
    "no_signature": MissingHeaderError,
    "bad_timestamp": InvalidHeaderError,
    "bad_signature": InvalidHeaderError,
    "bad_json": InvalidPayloadError,
}


def test_a_signed_request_is_taken(signed_request: type[SignedRequest]) -> None:
    """It has the form and the signature of a delivery; the fixture is the function."""
    made = sign_request("order.paid", {"id": 7}, skew_seconds=-200, message_id="msg_1")

    event = Webhook(SECRET).verify(made.body, made.headers)

    assert ("order.paid", {"id": 7}) == (event["type"], event["data"])
    assert "msg_1" == made.headers["webhook-id"]
    assert sign_request is signed_request


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_request_is_refused(broken: Broken) -> None:
    """Each kind of fault has its error."""
    made = sign_request(broken=broken)

    with pytest.raises(ERRORS[broken]):
        Webhook(made.secret).verify(made.body, made.headers)


def test_an_unknown_fault_is_a_mistake_of_the_test() -> None:
    """The message lists those there are."""
    with pytest.raises(UsageError, match=r"'typo' is unknown; there are signature, secret"):
        sign_request(broken="typo")  # type: ignore[arg-type]  # what a user may write
