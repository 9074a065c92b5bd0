"""Secrets of scheme `v1a`: ed25519 keys as texts, and what they sign."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain import signing, signing_keys
from hookwright_server.domain.signing_keys import SecretFormatError

# The example in the tests of Svix's server.
PUBLISHED = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
OPENSSL = "whsk_" + base64.b64encode(bytes(range(32))).decode()


def test_signature_equals_the_published_example() -> None:
    """The v1a example that libraries share is reproduced byte for byte."""
    key = signing_keys.signing_key(PUBLISHED)

    actual = signing.sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [key]
    )

    expected = (
        "hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    )
    assert "v1a," + expected == actual
    assert "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=" == signing_keys.public_key(PUBLISHED)


def test_signature_equals_openssl() -> None:
    """`openssl pkeyutl -sign -rawin` signs a body of non-ASCII text in the same way."""
    body = '{"type":"a","timestamp":"2026-01-01T00:00:00.000Z","data":{"name":"Zoë 🪝 \\u00e9"}}'

    actual = signing.sign(
        "msg_01K9ZQ6A8C0E2G4J6M8P0R2T4V",
        1767225600,
        body.encode(),
        [signing_keys.signing_key(OPENSSL)],
    )

    assert (
        "v1a,APnLQltLtacOJ2uh8ly+5nqAkVs/fZM1wYkDrqhufy9qVrhTkRnrCR4+qvq0pEPyJYDIGwyyzkQhndlfar9tDQ=="
        == actual
    )
    assert "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=" == signing_keys.public_key(OPENSSL)


def test_both_schemes_sign_side_by_side() -> None:
    """Keys of both schemes give one signature each, in their order."""
    symmetric = signing_keys.signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    actual = signing.sign("msg_1", 1, b"{}", [signing_keys.signing_key(PUBLISHED), symmetric])

    assert ["v1a", "v1"] == [part.partition(",")[0] for part in actual.split(" ")]


@given(st.binary(min_size=32, max_size=32), st.binary())
def test_generated_keys_sign_what_their_public_key_verifies(drawn: bytes, body: bytes) -> None:
    """A generated secret holds the drawn bytes and its public key, which verifies."""
    secret = signing_keys.generate_secret(lambda _: drawn, "v1a")
    public = base64.b64decode(signing_keys.public_key(secret).removeprefix("whpk_"))

    signature = signing.sign("msg_1", 1, body, [signing_keys.signing_key(secret)])

    assert drawn + public == base64.b64decode(secret.removeprefix("whsk_"))
    assert "v1a" == signing_keys.scheme_of(secret)
    Ed25519PublicKey.from_public_bytes(public).verify(
        base64.b64decode(signature.removeprefix("v1a,")), b"msg_1.1." + body
    )


@pytest.mark.parametrize(
    "secret",
    [
        "whsk_",
        "whsec_" + base64.b64encode(b"k" * 32).decode(),
        "whpk_" + base64.b64encode(b"k" * 32).decode(),
        "whsk_" + base64.b64encode(b"k" * 31).decode(),
        "whsk_" + base64.b64encode(b"k" * 33).decode(),
        "whsk_" + base64.b64encode(b"k" * 32).decode().rstrip("="),
        "whsk_" + base64.b64encode(b"k" * 64).decode(),
        "whsk_" + base64.b64encode(b"k" * 96).decode(),
    ],
)
def test_malformed_keys_are_refused_without_being_repeated(secret: str) -> None:
    """A wrong prefix, length, padding or public key is refused, and the text does not quote it."""
    with pytest.raises(SecretFormatError) as refusal:
        signing_keys.verify_secret_format(secret, "v1a")

    assert "a2tr" not in str(refusal.value)
