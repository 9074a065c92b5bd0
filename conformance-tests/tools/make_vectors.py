#!/usr/bin/env python3
"""Writes vectors/*.json; every signature in them is computed by the openssl command.

python conformance-tests/tools/make_vectors.py
"""

from __future__ import annotations

import json
from pathlib import Path

import vector_decode
import vector_openssl
import vector_retry
import vector_signature
import vector_wire

FOLDER = Path(__file__).parents[1] / "src/hookwright_conformance/vectors"
COMMAND = (
    'printf "%s.%s." ID TIMESTAMP | cat - BODY_FILE'
    " | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY_IN_HEX -binary | base64"
)
COMMAND_V1A = (
    'printf "%s.%s." ID TIMESTAMP | cat - BODY_FILE > SIGNED'
    "; openssl pkeyutl -sign -inkey KEY.der -keyform DER -rawin -in SIGNED | base64"
)


def documents() -> dict[str, dict[str, object]]:
    """Each file's name and what it holds."""
    signed: dict[str, object] = {
        "scheme": "Standard Webhooks 1.0, v1 (HMAC-SHA256) and v1a (ed25519)",
        "command": COMMAND,
        "command_v1a": COMMAND_V1A,
        "computed_with": vector_openssl.run("openssl version").strip(),
        "made_by": "conformance-tests/tools/make_vectors.py",
        "tolerance_seconds": 300,
    }
    by_hand: dict[str, object] = {"made_by": signed["made_by"]}
    return {
        "signature": {
            "about": vector_signature.ABOUT,
            **signed,
            "vectors": vector_signature.vectors(),
        },
        "retry": {"about": vector_retry.ABOUT, **by_hand, "vectors": vector_retry.vectors()},
        "wire": {"about": vector_wire.ABOUT, **signed, "vectors": vector_wire.vectors()},
        "decode": {"about": vector_decode.ABOUT, **signed, "vectors": vector_decode.vectors()},
    }


def main() -> None:
    """Write the files."""
    for name, document in documents().items():
        text = json.dumps(document, indent=2, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
