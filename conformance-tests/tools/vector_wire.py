"""vectors/wire.json: whole deliveries as they stand on the wire, sound and spoilt on their way."""

# ruff: noqa: INP001 - make_vectors.py stands beside it

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import vector_openssl as openssl
from vector_signature import ID, NOW, PLAIN, PRIVATE, SECRET, UNICODE, Vector

ABOUT = (
    "A delivery, byte for byte (`request_base64`: HTTP/1.1), and what a receiver that reads it "
    "off the wire must make of it at Unix time `now`. `sent_base64` is what the sender signed."
)
Fields = Sequence[tuple[str, str]]


def vectors() -> list[Vector]:
    """All entries."""
    lost = "missing_header"
    none = "no_matching_signature"
    spaced = b'{"type": "invoice.paid", "timestamp": "2026-01-01T00:00:00.000Z", "data": {}}\r\n'
    text = UNICODE.decode()
    return [
        _vector("as it is sent"),
        _vector("names in upper case", rename=str.upper),
        _vector("names in title case", rename=str.title),
        _vector("spaces around values", pad="  "),
        _vector("headers in reverse order", backwards=True),
        _vector("headers of proxies", more=(("X-Forwarded-For", "192.0.2.1"), ("Via", "1.1 p"))),
        _vector("a body that ends with a line", sent=spaced),
        _vector("non-ASCII text in the body", sent=UNICODE),
        _vector("a chunked body", chunks=True),
        _vector("ed25519", key=openssl.public(PRIVATE).value),
        _vector("a proxy dropped the signature", without="webhook-signature", reason=lost),
        _vector("a proxy dropped the id", without="webhook-id", reason=lost),
        _vector("a proxy dropped the timestamp", without="webhook-timestamp", reason=lost),
        _vector("a proxy cut the body", arrived=PLAIN[:-10], reason=none),
        _vector("the last line end is lost", sent=spaced, arrived=spaced[:-2], reason=none),
        _vector("line ends were converted", sent=spaced, arrived=spaced[:-2] + b"\n", reason=none),
        _vector(
            "the JSON was written anew", sent=spaced, arrived=spaced.replace(b" ", b""), reason=none
        ),
        _vector("it was coded anew", sent=UNICODE, arrived=text.encode("utf-16-le"), reason=none),
        _vector("another id", message_id="msg_01K9ZQ6A8C0E2G4J6M8P0R2T4W", reason=none),
        _vector("it arrives six minutes later", now=NOW + 360, reason="too_old"),
        _vector("it was held back until yesterday", now=NOW - 86_400, reason="too_new"),
    ]


def _vector(  # noqa: PLR0913 - one for each way in which requests differ
    name: str,
    *,
    sent: bytes = PLAIN,
    arrived: bytes | None = None,
    key: str | None = None,
    message_id: str = ID,
    now: int = NOW,
    rename: Callable[[str], str] = str,
    pad: str = "",
    backwards: bool = False,
    more: Fields = (),
    without: str = "",
    chunks: bool = False,
    reason: str | None = None,
) -> Vector:
    made = openssl.v1(SECRET, ID, NOW, sent) if key is None else openssl.v1a(PRIVATE, ID, NOW, sent)
    body = sent if arrived is None else arrived
    framing = ("transfer-encoding", "chunked") if chunks else ("content-length", str(len(body)))
    fields = [
        ("host", "receiver.example"),
        framing,
        ("content-type", "application/json"),
        ("user-agent", "Hookwright/1.0"),
        ("webhook-id", message_id),
        ("webhook-timestamp", str(NOW)),
        ("webhook-signature", made.value),
        *more,
    ]
    kept = [field for field in fields if field[0] != without]
    head = _head(kept[::-1] if backwards else kept, rename, pad)
    content = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunks else body
    return {
        "name": name,
        "secrets": [key or SECRET],
        "now": now,
        "request_base64": base64.b64encode(head + content).decode(),
        "sent_base64": base64.b64encode(sent).decode(),
        "verdict": "valid" if reason is None else "refused",
        "reason": reason,
        "computed": [
            made.document(),
            *([openssl.public(PRIVATE).document()] if key is not None else []),
        ],
    }


def _head(fields: Fields, rename: Callable[[str], str], pad: str) -> bytes:
    written = [f"{rename(name)}: {pad}{value}{pad}" for name, value in fields]
    return ("POST /hooks HTTP/1.1\r\n" + "\r\n".join(written) + "\r\n\r\n").encode("ascii")
