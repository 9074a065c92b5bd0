#!/usr/bin/env python3
"""Writes vectors/signature.json; every signature in it is computed by the openssl command.

python conformance-tests/tools/make_vectors.py
"""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

TARGET = Path(__file__).parents[1] / "src/hookwright_conformance/vectors/signature.json"
COMMAND = (
    'printf "%s.%s." ID TIMESTAMP | cat - BODY_FILE'
    " | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY_IN_HEX -binary | base64"
)
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


def v1(secret: str, timestamp: int, body: bytes) -> str:
    """One signature, by openssl."""
    key = base64.b64decode(secret.removeprefix("whsec_")).hex()
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key}", "-binary"],
        input=f"{ID}.{timestamp}.".encode() + body,
        capture_output=True,
        check=True,
    ).stdout
    return "v1," + base64.b64encode(digest).decode()


def vector(
    name: str,
    *,
    secrets: tuple[str, ...] = (SECRET,),
    timestamp: int | str = NOW,
    signature: str | None = None,
    body: bytes = PLAIN,
    without: str = "",
    reason: str | None = None,
) -> dict[str, object]:
    """One entry; `signature` defaults to the right one, `reason` None means that it is valid."""
    stamp = timestamp if isinstance(timestamp, int) else NOW
    headers = {
        "webhook-id": ID,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": v1(SECRET, stamp, body) if signature is None else signature,
    }
    headers.pop(without, None)
    return {
        "name": name,
        "secrets": list(secrets),
        "now": NOW,
        "headers": headers,
        "body_base64": base64.b64encode(body).decode(),
        "verdict": "valid" if reason is None else "refused",
        "reason": reason,
    }


def vectors() -> list[dict[str, object]]:
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
    ]


def main() -> None:
    """Write the file."""
    version = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True)
    document = {
        "scheme": "Standard Webhooks 1.0, v1 (HMAC-SHA256)",
        "command": COMMAND,
        "computed_with": version.stdout.strip(),
        "made_by": "conformance-tests/tools/make_vectors.py",
        "tolerance_seconds": 300,
        "vectors": vectors(),
    }
    TARGET.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
