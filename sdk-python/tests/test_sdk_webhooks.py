"""Signing and verifying: Standard Webhooks 1.0, `v1`."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from hookwright import webhooks
from hookwright.errors import InvalidSecretError, UsageError
from hookwright.webhooks import Webhook

NOW = 1_800_000_000
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()
BODY = '{"type": "order.created", "data": {"naïve": 1.10}}'.encode()


def _webhook(secret: Any = SECRET, **options: Any) -> Webhook:
    return Webhook(secret, clock=lambda: NOW, **options)


def _headers(
    signature: str | None = None, *, timestamp: Any = NOW, body: bytes = BODY
) -> dict[str, Any]:
    if signature is None:
        signature = _webhook().sign(
            "msg_1", NOW if not isinstance(timestamp, int) else timestamp, body
        )
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }


def test_known_vector() -> None:
    """The signature of the example in the Standard Webhooks documentation comes out."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = '{"test": 2432232314}'

    signature = Webhook(secret).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == signature


@given(
    st.binary(min_size=24, max_size=64),
    st.from_regex(r"[A-Za-z0-9_]{1,40}", fullmatch=True),
    st.dictionaries(st.text(), st.text()),
)
def test_agrees_with_standardwebhooks(key: bytes, message_id: str, data: dict[str, str]) -> None:
    """Both sides of the `standardwebhooks` package understand ours, for any key and body."""
    secret = "whsec_" + base64.b64encode(key).decode()
    body = json.dumps(data, ensure_ascii=False)
    now = int(datetime.now(UTC).timestamp())
    theirs = standardwebhooks.Webhook(secret)
    ours = Webhook(secret)

    signature = ours.sign(message_id, now, body)

    assert theirs.sign(message_id, datetime.fromtimestamp(now, UTC), body) == signature
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature,
    }
    assert data == ours.verify(body, headers) == theirs.verify(body, headers)


@pytest.mark.parametrize("body", [BODY, BODY.decode(), bytearray(BODY)])
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_verify_returns_the_json(body: Any, case: Any) -> None:
    """Bytes and text verify alike, and header names match in any case."""
    headers = {case(name): value for name, value in _headers().items()}

    assert json.loads(BODY) == _webhook().verify(body, headers)


@pytest.mark.parametrize("form", ["bytes", "list", "blanks"])
def test_header_values_in_other_forms(form: str) -> None:
    """Bytes, one-element lists and surrounding blanks are read as frameworks hand them out."""
    headers: dict[str, Any] = {}
    for name, value in _headers().items():
        headers[name] = {"bytes": value.encode(), "list": [value], "blanks": f" {value}\t"}[form]

    assert json.loads(BODY) == _webhook().verify(BODY, {**headers, "x-other": 7})


@pytest.mark.parametrize("secrets", [[SECRET, OTHER], [OTHER, SECRET], (SECRET,)])
def test_several_secrets(secrets: Any) -> None:
    """During a rotation a signature by any of the secrets verifies."""
    assert json.loads(BODY) == _webhook(secrets).verify(BODY, _headers())


@pytest.mark.parametrize(
    "form",
    ["{bad} {good}", "{good} {bad}", "v1a,xyz {good}", "v1,!! {good}", "odd  {good}", "v2, {good}"],
)
def test_one_right_signature_is_enough(form: str) -> None:
    """Unknown schemes, foreign and unreadable signatures beside a right one do no harm."""
    good = _webhook().sign("msg_1", NOW, BODY)
    bad = _webhook(OTHER).sign("msg_1", NOW, BODY)

    assert json.loads(BODY) == _webhook().verify(BODY, _headers(form.format(good=good, bad=bad)))


def test_two_secrets_sign_twice() -> None:
    """sign gives one signature per secret, each of which its holder can verify."""
    signature = _webhook([SECRET, OTHER]).sign("msg_1", NOW, BODY)

    assert 2 == len(signature.split(" "))
    for secret in (SECRET, OTHER):
        assert json.loads(BODY) == _webhook(secret).verify(BODY, _headers(signature))


@pytest.mark.parametrize("offset", [-300, 0, 300])
def test_times_within_tolerance(offset: int) -> None:
    """300 s to either side are accepted."""
    assert json.loads(BODY) == _webhook().verify(BODY, _headers(timestamp=NOW + offset))


@pytest.mark.parametrize("offset", [-301, 301, -NOW, 999_999_999_999])
def test_times_out_of_tolerance(offset: int) -> None:
    """A correctly signed time 301 s off, in either direction, is refused."""
    with pytest.raises(webhooks.TimestampOutOfToleranceError):
        _webhook().verify(BODY, _headers(timestamp=NOW + offset))


def test_own_tolerance() -> None:
    """tolerance_seconds is the limit."""
    strict = _webhook(tolerance_seconds=0)

    assert json.loads(BODY) == strict.verify(BODY, _headers())
    with pytest.raises(webhooks.TimestampOutOfToleranceError):
        strict.verify(BODY, _headers(timestamp=NOW - 1))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("empty", [None, "", "  ", []])
def test_missing_headers(name: str, empty: Any) -> None:
    """An absent or empty header is named."""
    headers = _headers()
    del headers[name]
    if empty is not None:
        headers[name] = empty

    with pytest.raises(webhooks.MissingHeaderError, match=name):
        _webhook().verify(BODY, headers)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_doubled_headers(name: str) -> None:
    """A header that is given twice, even with the same value, is refused."""
    headers = _headers()

    for doubled in ({name.title(): headers[name]}, {name: [headers[name], headers[name]]}):
        with pytest.raises(webhooks.InvalidHeaderError, match="more than once"):
            _webhook().verify(BODY, {**headers, **doubled})


@pytest.mark.parametrize(
    "timestamp",
    [
        "1800000000.0",
        "-1800000000",
        "+1800000000",
        "1e9",
        "9" * 5000,
        "١٨٠٠٠٠٠٠٠٠",
        "NaN",
        "0x6b",
        "now",
    ],
)
def test_odd_timestamps(timestamp: str) -> None:
    """A timestamp that is not plain whole seconds is a malformed header."""
    with pytest.raises(webhooks.InvalidHeaderError, match="webhook-timestamp"):
        _webhook().verify(BODY, _headers(timestamp=timestamp))


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg 1"},
        {"webhook-id": "msg_\n1"},
        {"webhook-id": "é"},
        {"webhook-id": 7},
        {"webhook-id": "m" * 10_000},
        {"webhook-signature": "v1,AAA"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1,A A="},
        {"webhook-signature": "nonsense"},
        {"webhook-signature": "v1," + "A" * 10_000},
    ],
)
def test_malformed_headers(changed: dict[str, Any]) -> None:
    """What cannot be read is an InvalidHeaderError, never another exception."""
    with pytest.raises(webhooks.InvalidHeaderError):
        _webhook().verify(BODY, {**_headers(), **changed})


@pytest.mark.parametrize("signature", ["v1a,AAAA", "v2,x", "v1,", "v1,AAAA", "V1,AAAA"])
def test_no_matching_signature(signature: str) -> None:
    """Without a matching v1 signature nothing verifies."""
    with pytest.raises(webhooks.SignatureMismatchError):
        _webhook().verify(BODY, _headers(signature))


@given(st.integers(0, len(BODY) * 8 - 1))
def test_each_bit_of_the_body_counts(bit: int) -> None:
    """Flipping any bit of the body breaks the signature."""
    changed = bytearray(BODY)
    changed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(webhooks.SignatureMismatchError):
        _webhook().verify(changed, _headers())


@pytest.mark.parametrize("changed", [{"webhook-id": "msg_2"}, {"webhook-timestamp": str(NOW + 1)}])
def test_id_and_time_are_signed(changed: dict[str, str]) -> None:
    """Another id or time breaks the signature."""
    with pytest.raises(webhooks.SignatureMismatchError):
        _webhook().verify(BODY, {**_headers(), **changed})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        '{"a": 1}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"NaN",
        b"[" * 200_000,
    ],
)
def test_signed_rubbish(body: bytes) -> None:
    """A signed body that is not JSON in UTF-8 is an InvalidPayloadError."""
    with pytest.raises(webhooks.InvalidPayloadError):
        _webhook().verify(body, _headers(body=body))


def test_text_with_surrogates() -> None:
    """Text that has no UTF-8 form is an InvalidPayloadError."""
    with pytest.raises(webhooks.InvalidPayloadError):
        _webhook().verify("\ud800", _headers())


@pytest.mark.parametrize("body", [{"type": "x"}, None, 5])
def test_parsed_bodies_are_refused(body: Any) -> None:
    """Passing parsed JSON is the classic mistake, and is named."""
    with pytest.raises(UsageError, match="raw request body"):
        _webhook().verify(body, _headers())


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_!!!!",
        "whsec_é",
        "whpk_" + "A" * 44,
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
        [],
        [SECRET, ""],
        [None],
        [b"k" * 32],
    ],
)
def test_wrong_secrets(secret: Any) -> None:
    """What is no secret is an InvalidSecretError, which shows nothing of it."""
    with pytest.raises(InvalidSecretError) as caught:
        Webhook(secret)

    assert "AAAA" not in str(caught.value)


def test_a_secret_in_bytes() -> None:
    """A secret that was not decoded is called what it is."""
    with pytest.raises(InvalidSecretError, match=r"^a secret is a string, not bytes$"):
        Webhook(cast("Any", b"whsec_AAAA"))


@pytest.mark.parametrize("seconds", ["300", None, -1, True, float("nan")])
def test_wrong_tolerances(seconds: Any) -> None:
    """A tolerance that is no number of seconds is a UsageError that names it."""
    with pytest.raises(UsageError, match=f"tolerance_seconds is a number .*, not {seconds!r}"):
        _webhook(tolerance_seconds=seconds)


@pytest.mark.parametrize(
    ("message_id", "timestamp"), [("", 1), ("a b", 1), ("é", 1), ("m", -1), ("m", 1.5), ("m", True)]
)
def test_sign_refuses(message_id: str, timestamp: Any) -> None:
    """An id or a time that no receiver would accept is not signed."""
    with pytest.raises(UsageError):
        _webhook().sign(message_id, timestamp, BODY)


HEADER_VALUES = st.text() | st.binary() | st.lists(st.text()) | st.none() | st.integers()


@given(
    st.binary() | st.text(),
    st.dictionaries(
        st.sampled_from(
            ["webhook-id", "Webhook-Timestamp", "WEBHOOK-SIGNATURE", "webhook-signature"]
        ),
        HEADER_VALUES,
    ),
)
def test_nothing_but_typed_errors(body: bytes | str, headers: dict[str, Any]) -> None:
    """Whatever arrives, the answer is a WebhookVerificationError."""
    with pytest.raises(webhooks.WebhookVerificationError):
        _webhook().verify(body, headers)
