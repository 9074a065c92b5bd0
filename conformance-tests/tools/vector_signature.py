"""vectors/signature.json: what a verifier must accept, and a refusal for each reason."""

# ruff: noqa: INP001 - make_vectors.py stands beside it

from __future__ import annotations

import base64

import vector_openssl as openssl
from vector_openssl import Computed

Vector = dict[str, object]

ABOUT = (
    "Whether a webhook is genuine: `verdict` is `valid` or `refused` for `headers` and the body, "
    "with `secrets`, at Unix time `now`. `reason` names the first rule that is broken."
)
_LIBRARY = (
    "https://github.com/standard-webhooks/standard-webhooks, "
    "libraries/python/tests/test_webhooks.py"
)
PRIVATE, FOREIGN = bytes(range(32)), bytes(range(100, 132))
NOW = 1_767_225_600
ID = "msg_01K9ZQ6A8C0E2G4J6M8P0R2T4V"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(100, 132))).decode()
SHORT = "whsec_" + base64.b64encode(bytes(range(24))).decode()
LONG = "whsec_" + base64.b64encode(bytes(range(64))).decode()
PLAIN = b'{"type":"invoice.paid","timestamp":"2026-01-01T00:00:00.000Z","data":{"total":4200}}'
UNICODE = (
    '{"type":"a","timestamp":"2026-01-01T00:00:00.000Z","data":{"name":"Zoë 🪝 \\u00e9"}}'.encode()
)
NUMBERS = (
    b'{"type":"a","timestamp":"2026-01-01T00:00:00.000Z",'
    b'"data":{"b":1.0,"a":12345678901234567890.10}}'
)

PUBLISHED_ID, PUBLISHED_AT = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330
PUBLISHED_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - everybody's
PUBLISHED_BODY = b'{"test": 2432232314}'
PUBLISHED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
_OTHER_PUBLISHED = "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="


def v1(secret: str, timestamp: int, body: bytes) -> str:
    """One signature."""
    return _noted(openssl.v1(secret, ID, timestamp, body))


def v1a(key: bytes, timestamp: int, body: bytes) -> str:
    """One ed25519 signature."""
    return _noted(openssl.v1a(key, ID, timestamp, body))


def public(key: bytes) -> str:
    """The public key that belongs to a private one."""
    return _noted(openssl.public(key))


_made: dict[str, Computed] = {}


def _noted(computed: Computed) -> str:
    _made[computed.value] = computed
    return computed.value


def vector(
    name: str,
    *,
    secrets: tuple[str, ...] = (SECRET,),
    timestamp: int | str = NOW,
    signature: str | None = None,
    body: bytes = PLAIN,
    without: str = "",
    reason: str | None = None,
) -> Vector:
    """One entry; `signature` defaults to the right one, `reason` None means that it is valid."""
    stamp = timestamp if isinstance(timestamp, int) else NOW
    given = v1(SECRET, stamp, body) if signature is None else signature
    headers = {"webhook-id": ID, "webhook-timestamp": str(timestamp), "webhook-signature": given}
    headers.pop(without, None)
    return {
        "name": name,
        "secrets": list(secrets),
        "now": NOW,
        "headers": headers,
        "body_base64": base64.b64encode(body).decode(),
        "verdict": "valid" if reason is None else "refused",
        "reason": reason,
        "computed": _origins(given, secrets),
    }


def _origins(given: str, secrets: tuple[str, ...]) -> list[dict[str, str]]:
    """What openssl computed of this: signatures as they stand there, or as they were before they
    were spoilt, and public keys."""
    parts = given.replace(",v1,", " v1,").split(" ")
    found = [
        made
        for value, made in _made.items()
        if value in secrets or any(_comes_from(part, value) for part in parts)
    ]
    # What was left out altogether: as it would have been.
    return [made.document() for made in found or [openssl.v1(SECRET, ID, NOW, PLAIN)]]


def _comes_from(part: str, value: str) -> bool:
    digest = part.rpartition(",")[2]
    return len(digest) > 20 and value.partition(",")[2].startswith(digest)


def published() -> list[Vector]:
    """What the standard's own libraries are tested with."""
    none = "no_matching_signature"
    several = f"v1,{_OTHER_PUBLISHED} v2,{_OTHER_PUBLISHED} {PUBLISHED} v1,{_OTHER_PUBLISHED}"
    return [
        _published("published: a signature", PUBLISHED, None, "test_sign_function"),
        _published(
            "published: several signatures", several, None, "test_multi_sig_payload_is_valid"
        ),
        _published(
            "published: a character is wrong",
            PUBLISHED[:-2] + "A=",
            none,
            "test_invalid_signature_raises_error",
        ),
    ]


def _published(name: str, signature: str, reason: str | None, test: str) -> Vector:
    return {
        "name": name,
        "secrets": [PUBLISHED_SECRET],
        "now": PUBLISHED_AT,
        "headers": {
            "webhook-id": PUBLISHED_ID,
            "webhook-timestamp": str(PUBLISHED_AT),
            "webhook-signature": signature,
        },
        "body_base64": base64.b64encode(PUBLISHED_BODY).decode(),
        "verdict": "valid" if reason is None else "refused",
        "reason": reason,
        "published": {"source": f"{_LIBRARY}: {test}"},
    }


def vectors() -> list[Vector]:
    """All entries: what must be accepted, and a refusal for each reason and common mistake."""
    good, foreign = v1(SECRET, NOW, PLAIN), v1(OTHER, NOW, PLAIN)
    moved = v1(SECRET, NOW - 1, PLAIN)
    none = "no_matching_signature"
    return [
        vector("a plain delivery"),
        vector("a body with non-ASCII text and escapes", body=UNICODE),
        vector("a body whose numbers do not survive a float", body=NUMBERS),
        vector("an empty body", body=b""),
        vector("a secret of 24 bytes", secrets=(SHORT,), signature=v1(SHORT, NOW, PLAIN)),
        vector("a secret of 64 bytes", secrets=(LONG,), signature=v1(LONG, NOW, PLAIN)),
        vector("a secret without its prefix", secrets=(SECRET.removeprefix("whsec_"),)),
        vector("two signatures, the second matches", signature=f"{foreign} {good}"),
        vector("two secrets, the second matches", secrets=(OTHER, SECRET)),
        vector("a signature of an unknown scheme beside a right one", signature=f"v9,AAAA {good}"),
        vector("exactly 300 s old", timestamp=NOW - 300),
        vector("exactly 300 s ahead", timestamp=NOW + 300),
        vector("301 s old", timestamp=NOW - 301, reason="too_old"),
        vector("301 s ahead", timestamp=NOW + 301, reason="too_new"),
        vector("a timestamp that is no number", timestamp="yesterday", reason="invalid_timestamp"),
        vector("a timestamp in milliseconds", timestamp=f"{NOW}000", reason="too_new"),
        vector("a timestamp with a fraction", timestamp=f"{NOW}.5", reason="invalid_timestamp"),
        vector("no id", without="webhook-id", reason="missing_header"),
        vector("no timestamp", without="webhook-timestamp", reason="missing_header"),
        vector("no signature", without="webhook-signature", reason="missing_header"),
        vector("an empty signature", signature="", reason="missing_header"),
        vector("another secret", signature=foreign, reason=none),
        vector("the signature of an empty body", signature=v1(SECRET, NOW, b""), reason=none),
        vector("the signature of another moment", signature=moved, reason=none),
        vector("a signature without its scheme", signature=good.removeprefix("v1,"), reason=none),
        vector("a signature of another scheme", signature="v1a," + good[3:], reason=none),
        vector("a truncated signature", signature=good[:-4], reason=none),
        vector("signatures joined by a comma", signature=f"{foreign},{good}", reason=none),
        vector(
            "a secret that is not base64", secrets=("whsec_not base64!",), reason="invalid_secret"
        ),
        *vectors_v1a(),
        *published(),
    ]


def vectors_v1a() -> list[Vector]:
    """Entries of ed25519: the receiver knows the public key alone."""
    key = (public(PRIVATE),)
    good, symmetric = v1a(PRIVATE, NOW, PLAIN), v1(SECRET, NOW, PLAIN)
    none = "no_matching_signature"
    text = v1a(PRIVATE, NOW, UNICODE)
    moved = v1a(PRIVATE, NOW - 1, PLAIN)
    foreign = v1a(FOREIGN, NOW, PLAIN)
    renamed = good.replace("v1a,", "v1,")
    return [
        vector("ed25519: a plain delivery", secrets=key, signature=good),
        vector("ed25519: non-ASCII text", secrets=key, signature=text, body=UNICODE),
        vector("ed25519: beside a v1 signature", secrets=key, signature=f"{symmetric} {good}"),
        vector("ed25519: a v1 secret beside it", signature=f"{good} {symmetric}"),
        vector("ed25519: another key", secrets=key, signature=foreign, reason=none),
        vector("ed25519: another moment", secrets=key, signature=moved, reason=none),
        vector("ed25519: called v1", secrets=key, signature=renamed, reason=none),
        vector("ed25519: truncated", secrets=key, signature=good[:-4], reason=none),
        vector("ed25519: a v1 signature alone", secrets=key, signature=symmetric, reason=none),
        vector(
            "ed25519: a key of 31 bytes",
            secrets=("whpk_" + base64.b64encode(bytes(31)).decode(),),
            reason="invalid_secret",
        ),
    ]
