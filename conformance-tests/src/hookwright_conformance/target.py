"""target.yaml: everything that the suite must know about the implementation under test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import yaml

from hookwright_conformance.errors import TargetError

PROFILES = ("core", "signing", "retries", "ssrf")

_TEXT = {"type": "string", "minLength": 1}
_SECONDS = {"type": "number", "exclusiveMinimum": 0}


def _closed(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": list(required),
    }


SCHEMA = _closed(
    {
        "base_url": {"type": "string", "pattern": "^https?://[^/?#]+/?$"},
        "credentials": _closed({"account": _TEXT, "other_account": _TEXT}, ("account",)),
        "profiles": {"type": "array", "minItems": 1, "items": {"enum": list(PROFILES)}},
        "receiver": _closed(
            {
                "bind": _TEXT,
                "port": {"type": "integer", "minimum": 0, "maximum": 65535},
                "public_url": _TEXT,
            }
        ),
        "timing": _closed(
            {
                "slack_seconds": _SECONDS,
                "delivery_seconds": _SECONDS,
                "request_timeout_seconds": _SECONDS,
            }
        ),
        "known_failures": {
            "type": "array",
            "items": _closed(
                {"case": _TEXT, "reason": _TEXT, "message": _TEXT}, ("case", "reason")
            ),
        },
    },
    ("base_url", "credentials", "profiles"),
)


@dataclass(frozen=True, slots=True)
class Credential:
    """An API key and the environment variable it came from; reports show only the variable."""

    variable: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Where the receiver listens; `public_url` (with `{port}`) is how deliveries get there."""

    bind: str = "127.0.0.1"
    port: int = 0
    public_url: str | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Declared timing in seconds. `slack` is added to every upper bound, never to a lower one;
    `delivery` is how long a due attempt may take to arrive."""

    slack: float = 2.0
    delivery: float = 10.0
    request_timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """A case that is known to fail, why, and perhaps a part of the message it must fail with."""

    case: str
    reason: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The implementation under test."""

    base_url: str
    account: Credential
    other_account: Credential | None
    profiles: tuple[str, ...]
    receiver: ReceiverSettings = ReceiverSettings()
    timing: Timing = Timing()
    known_failures: tuple[KnownFailure, ...] = ()

    def known_failure(self, case_id: str) -> KnownFailure | None:
        """The entry for a case, if there is one."""
        return next((entry for entry in self.known_failures if entry.case == case_id), None)


def load(path: Path, environ: Mapping[str, str] = os.environ, base_url: str = "") -> Target:
    """Read target.yaml; `base_url` overrides the file's. Raises TargetError with every fault."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise TargetError(f"{path} cannot be read: {error}") from error
    faults = [
        f"{'/'.join(str(part) for part in error.instance_path) or 'the file'}: {error.message}"
        for error in jsonschema_rs.iter_errors(SCHEMA, document)
    ]
    if faults:
        raise TargetError(f"{path} does not describe a target:\n  " + "\n  ".join(faults))
    return _build({**document, **({"base_url": base_url} if base_url else {})}, environ)


def _build(document: dict[str, Any], environ: Mapping[str, str]) -> Target:
    credentials: dict[str, str] = document["credentials"]
    keys = {role: _credential(variable, environ) for role, variable in credentials.items()}
    base_url: str = document["base_url"].rstrip("/")
    if not urlsplit(base_url).hostname:
        raise TargetError(f"base_url {base_url!r} names no host")
    timing: dict[str, float] = document.get("timing", {})
    return Target(
        base_url=base_url,
        account=keys["account"],
        other_account=keys.get("other_account"),
        profiles=tuple(dict.fromkeys(document["profiles"])),
        receiver=ReceiverSettings(**document.get("receiver", {})),
        timing=Timing(**{name.removesuffix("_seconds"): value for name, value in timing.items()}),
        known_failures=tuple(KnownFailure(**entry) for entry in document.get("known_failures", [])),
    )


def _credential(variable: str, environ: Mapping[str, str]) -> Credential:
    key = environ.get(variable, "").strip()
    if not key:
        raise TargetError(
            f"the environment variable {variable}, named under credentials, is not set; "
            f"export {variable}=hw_live_…"
        )
    return Credential(variable, key)
