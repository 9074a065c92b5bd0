from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain import signing, signing_keys
from hookwright_server.domain.signing_keys import SecretFormatError


def test_signature_equals_the_published_example() -> None:
    """The example that the Standard Webhooks libraries share is reproduced byte for byte."""
    key = signing_keys.key_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    actual = signing.sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [key]
    )

    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == actual


@given(st.binary(min_size=24, max_size=64), st.text(), st.integers(0, 2**33))
def test_signature_equals_the_reference_library(key: bytes, text: str, at_s: int) -> None:
    """The `standardwebhooks` package computes the same signature for any key, body and time."""
    secret = signing_keys.PREFIX + base64.b64encode(key).decode()
    moment = datetime.fromtimestamp(at_s, UTC)

    actual = signing.sign("msg_1", at_s, text.encode(), [signing_keys.key_bytes(secret)])

    assert standardwebhooks.Webhook(secret).sign("msg_1", moment, text) == actual


def test_every_secret_verifies_alone_while_two_sign() -> None:
    """During a rotation a receiver that knows either secret accepts the delivery."""
    secrets = [signing_keys.generate_secret(fill.__mul__) for fill in (b"a", b"b")]
    body = signing.build_body("order.paid", 0, b'{"n": 1.10}')
    now_s = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now_s),
        "webhook-signature": signing.sign(
            "msg_1", now_s, body, list(map(signing_keys.key_bytes, secrets))
        ),
    }

    read = [standardwebhooks.Webhook(secret).verify(body, headers) for secret in secrets]

    assert [json.loads(body)] * 2 == read


def test_signing_without_a_key_is_impossible() -> None:
    """No key is a programming error, never an unsigned delivery."""
    with pytest.raises(ValueError, match="at least one key"):
        signing.sign("msg_1", 0, b"{}", [])


def test_body_is_compact_with_the_payload_verbatim() -> None:
    """type, timestamp, data in this order; the payload keeps spaces, digits and escapes."""
    payload = b'{ "a" : 1.50, "b":"\\u00e9", "a2":1e999 }'

    actual = signing.build_body("order.paid", 1_614_265_330_007, payload)

    expected = b'{"type":"order.paid","timestamp":"2021-02-25T15:02:10.007Z","data":%b}' % payload
    assert expected == actual


def test_generated_secrets_hold_the_random_bytes() -> None:
    """A generated secret is `whsec_` and the base64 of 32 random bytes."""
    secret = signing_keys.generate_secret(lambda size: bytes(range(size)))

    assert bytes(range(32)) == signing_keys.key_bytes(secret)


@pytest.mark.parametrize("length", [24, 25, 32, 63, 64])
def test_secrets_of_24_to_64_bytes_are_accepted(length: int) -> None:
    """The whole range of Standard Webhooks key lengths is taken."""
    signing_keys.verify_secret_format(
        signing_keys.PREFIX + base64.b64encode(b"k" * length).decode()
    )


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
        "whsec_" + base64.b64encode(b"k" * 32).decode().rstrip("="),
        "whsec_" + base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "whsec_" + base64.b64encode(b"k" * 25).decode()[:-3] + "x==",
        "whsec_" + base64.b64encode(b"k" * 24).decode() + "\n",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSé",
        "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ],
)
def test_malformed_secrets_are_refused_without_being_repeated(secret: str) -> None:
    """A wrong prefix, alphabet, padding or length is refused, and the text does not quote it."""
    with pytest.raises(SecretFormatError) as refusal:
        signing_keys.verify_secret_format(secret)

    assert len(secret) < 12 or secret[6:] not in str(refusal.value)


@given(st.text())
def test_key_bytes_never_fails_otherwise(text: str) -> None:
    """Any text after the prefix is a key or a SecretFormatError."""
    try:
        key = signing_keys.key_bytes(signing_keys.PREFIX + text)
    except SecretFormatError:
        return

    assert 24 <= len(key) <= 64
