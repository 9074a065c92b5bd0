"""Signatures by the openssl command, each with the command line that anybody can repeat."""

# ruff: noqa: INP001 - make_vectors.py stands beside it

from __future__ import annotations

import base64
import shlex
import subprocess
from dataclasses import dataclass

# PKCS #8 of an ed25519 private key: this, then its 32 bytes (RFC 8410).
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
_V1 = (
    "printf %s {signed} | base64 -d"
    " | openssl dgst -sha256 -mac HMAC -macopt hexkey:{key} -binary | base64 -w0"
)
_V1A = (
    "d=$(mktemp -d); printf %s {key} | base64 -d >$d/key; printf %s {signed} | base64 -d >$d/signed"
    "; openssl pkeyutl -sign -inkey $d/key -keyform DER -rawin -in $d/signed | base64 -w0; rm -r $d"
)
_PUBLIC = (
    "printf %s {key} | base64 -d"
    " | openssl pkey -inform DER -pubout -outform DER | tail -c 32 | base64 -w0"
)


@dataclass(frozen=True, slots=True)
class Computed:
    """`value` is a prefix and what `command` (for bash) prints."""

    prefix: str
    command: str
    value: str

    def document(self) -> dict[str, str]:
        """As a vector holds it."""
        return {"value": self.value, "prefix": self.prefix, "command": self.command}


def v1(secret: str, message_id: str, timestamp: int, body: bytes) -> Computed:
    """The HMAC-SHA256 signature under `whsec_…`."""
    key = base64.b64decode(secret.removeprefix("whsec_")).hex()
    return _computed("v1,", _V1.format(signed=_signed(message_id, timestamp, body), key=key))


def v1a(key: bytes, message_id: str, timestamp: int, body: bytes) -> Computed:
    """The ed25519 signature of a private key of 32 bytes."""
    signed = _signed(message_id, timestamp, body)
    return _computed("v1a,", _V1A.format(signed=signed, key=_der(key)))


def public(key: bytes) -> Computed:
    """The public key `whpk_…` that belongs to a private one."""
    return _computed("whpk_", _PUBLIC.format(key=_der(key)))


def run(command: str) -> str:
    """What a command prints. Raises CalledProcessError."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    return done.stdout


def _computed(prefix: str, command: str) -> Computed:
    return Computed(prefix, command, prefix + run(command))


def _signed(message_id: str, timestamp: int, body: bytes) -> str:
    text = base64.b64encode(f"{message_id}.{timestamp}.".encode() + body).decode()
    return shlex.quote(text)


def _der(key: bytes) -> str:
    return shlex.quote(base64.b64encode(_PKCS8 + key).decode())
