"""Signing and verifying: Standard Webhooks 1.0, `v1a` (ed25519)."""

from __future__ import annotations

import base64
import builtins
from typing import Any

import pytest

from hookwright import webhooks
from hookwright.errors import InvalidSecretError, MissingExtraError, UsageError
from hookwright.webhooks import Webhook

# The example that Svix, who began Standard Webhooks, publishes in the tests of its server.
PRIVATE = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
SEED = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = 1_614_265_330
BODY = '{"test": 2432232314}'
SIGNATURE = (
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
)
SYMMETRIC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HMAC = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def _verify(secret: str | list[str], signature: str, body: str = BODY) -> Any:
    headers = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": signature}
    return Webhook(secret, clock=lambda: AT).verify(body, headers)


@pytest.mark.parametrize("secret", [PRIVATE, SEED])
def test_known_vector(secret: str) -> None:
    """The published signature comes out, with or without the public key in the secret."""
    assert SIGNATURE == Webhook(secret).sign(ID, AT, BODY)


@pytest.mark.parametrize("secret", [PRIVATE, SEED, PUBLIC, [SYMMETRIC, PUBLIC]])
@pytest.mark.parametrize("form", ["{v1a}", "{v1} {v1a}", "{v1a} v1a,!!", "v1a,AAAA {v1a}"])
def test_verifies(secret: Any, form: str) -> None:
    """The public key is enough, and what else is in the header does no harm."""
    assert {"test": 2432232314} == _verify(secret, form.format(v1a=SIGNATURE, v1=HMAC))


@pytest.mark.parametrize(
    ("signature", "body"),
    [
        (HMAC, BODY),
        (SIGNATURE, BODY + " "),
        (SIGNATURE.replace("v1a,", "v1,"), BODY),
        ("v1a," + base64.b64encode(b"s" * 64).decode(), BODY),
        ("v1a,AAAA", BODY),
    ],
)
def test_refuses(signature: str, body: str) -> None:
    """Another scheme, body or key, and what is no signature at all, does not verify."""
    with pytest.raises(webhooks.SignatureMismatchError, match="v1a"):
        _verify(PUBLIC, signature, body)


def test_an_unreadable_signature_is_named() -> None:
    """A v1a signature that is not base64 is a malformed header."""
    with pytest.raises(webhooks.InvalidHeaderError, match="v1a"):
        _verify(PUBLIC, "v1a,!!")


def test_a_scheme_does_not_vouch_for_another() -> None:
    """The bytes of a right signature under the name of another scheme verify nothing."""
    with pytest.raises(webhooks.SignatureMismatchError):
        _verify([SYMMETRIC, PUBLIC], f"v1,{SIGNATURE[4:]} v1a,{HMAC[3:]}")


def test_a_public_key_does_not_sign() -> None:
    """Signing with it is a mistake in the program, and is named."""
    with pytest.raises(UsageError, match="whsk_"):
        Webhook(PUBLIC).sign(ID, AT, BODY)


@pytest.mark.parametrize(
    "secret",
    [
        "whpk_",
        "whpk_!!",
        "whpk_" + base64.b64encode(b"k" * 31).decode(),
        "whpk_" + base64.b64encode(b"k" * 64).decode(),
        "whsk_" + base64.b64encode(b"k" * 33).decode(),
        "whsk_" + base64.b64encode(b"k" * 64).decode(),
    ],
)
def test_wrong_keys(secret: str) -> None:
    """A key of another length, or with a foreign public key, is an InvalidSecretError."""
    with pytest.raises(InvalidSecretError) as caught:
        Webhook(secret)

    assert "a2tr" not in str(caught.value)


@pytest.mark.parametrize("secret", [PRIVATE, PUBLIC])
def test_without_the_extra(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package for ed25519 a typed error says what to install; v1 goes on working."""
    present = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("cryptography"):
            raise ModuleNotFoundError(name)
        return present(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)

    with pytest.raises(MissingExtraError, match=r"hookwright\[ed25519\]"):
        Webhook(secret)
    assert HMAC == Webhook(SYMMETRIC).sign(ID, AT, BODY)
