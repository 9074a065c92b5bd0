"""target.yaml: everything that the suite must know about the implementation under test."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import jsonschema_rs
import yaml

from hookwright_conformance.certificates import Identity, read_authority
from hookwright_conformance.errors import TargetError

Need = Literal["receiver.tls", "receiver.ipv6"]
"""What a case may need of a target, and not every target has."""

CLOCK = "test-clock"
PROFILES = {
    "core": "publish, deliver, retry, list: what every implementation has",
    "signing": "Standard Webhooks `v1`: secrets, their rotation, a secret of the caller's own",
    "ed25519": "Standard Webhooks `v1a`: the same with key pairs",
    "retries": "schedules, presets, `Retry-After`, retry by hand",
    "account": "API keys with scopes, apps and environments of their own",
    "publishing": "tags, times, dry runs, batches",
    "ordering": "events with an `ordering_key`",
    "catalogue": "event types, payloads judged by their schemas",
    "filtering": "filters and transformations",
    "limits": "quotas of apps, rate limits of endpoints, slowing down before 429 and 503",
    "steering": "cancelling, expunging, replaying one delivery",
    "replay": "many deliveries replayed by a task",
    "analytics": "what is counted",
    "system": "operational events, published to the app `_system`",
    "ssrf": "addresses that are never called, certificates that are not believed",
    CLOCK: "whole schedules, in milliseconds, by a clock that can be moved",
}
"""What an implementation may claim, and what each is about."""

_TEXT = {"type": "string", "minLength": 1}
_SECONDS = {"type": "number", "exclusiveMinimum": 0}
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_BASE_URL = re.compile(r"https?://[^/?#@\s]+(/[^?#\s]*)?")


def _closed(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": list(required),
    }


_KNOWN_FAILURES: dict[str, Any] = {
    "type": "array",
    "items": _closed({"case": _TEXT, "reason": _TEXT, "message": _TEXT}, ("case", "reason")),
}

SCHEMA = _closed(
    {
        "base_url": _TEXT,
        "credentials": _closed({"account": _TEXT, "other_account": _TEXT}, ("account",)),
        "profiles": {"type": "array", "minItems": 1, "items": {"enum": list(PROFILES)}},
        "receiver": _closed(
            {
                "bind": _TEXT,
                "port": {"type": "integer", "minimum": 0, "maximum": 65535},
                "public_url": _TEXT,
                "tls": _closed({"authority": _TEXT}, ("authority",)),
                "ipv6": {"type": "string", "format": "ipv6"},
            }
        ),
        "timing": _closed(
            {
                "slack_seconds": _SECONDS,
                "delivery_seconds": _SECONDS,
                "request_timeout_seconds": _SECONDS,
            }
        ),
        "known_failures": _KNOWN_FAILURES,
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
    """Where the receiver listens; `public_url` (with `{port}`) is how deliveries get there. The
    implementation trusts `authority`, and reaches the address `ipv6`, where these are given."""

    bind: str = "127.0.0.1"
    port: int = 0
    public_url: str | None = None
    ipv6: str | None = None
    authority: Identity | None = field(default=None, repr=False)


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

    def lacks(self, needed: Need | None) -> bool:
        """Whether it does not declare what a case needs."""
        match needed:
            case "receiver.tls":
                return self.receiver.authority is None
            case "receiver.ipv6":
                return self.receiver.ipv6 is None
            case None:
                return False


def load(path: Path, environ: Mapping[str, str] = os.environ, base_url: str = "") -> Target:
    """Read target.yaml; `base_url` overrides the file's. Raises TargetError with every fault."""
    document = _read(path, SCHEMA, "a target")
    return _build({**document, **({"base_url": base_url} if base_url else {})}, environ)


def read_known_failures(path: Path) -> list[KnownFailure]:
    """A file that holds nothing but what target.yaml has under `known_failures`. Raises
    TargetError."""
    return [KnownFailure(**entry) for entry in _read(path, _KNOWN_FAILURES, "known failures")]


def _read(path: Path, schema: dict[str, Any], what: str) -> Any:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = list(jsonschema_rs.iter_errors(schema, document, validate_formats=True))
    except (OSError, yaml.YAMLError, ValueError) as error:  # ValueError: what JSON cannot hold
        raise TargetError(f"{path} cannot be read: {error}") from error
    faults = [
        f"{'/'.join(str(part) for part in error.instance_path) or 'the file'}: {error.message}"
        for error in found
    ]
    if faults:
        raise TargetError(f"{path} does not describe {what}:\n  " + "\n  ".join(faults))
    return document


def _build(document: dict[str, Any], environ: Mapping[str, str]) -> Target:
    base_url = _base_url(document["base_url"])
    credentials: dict[str, str] = document["credentials"]
    keys = {role: _credential(variable, environ) for role, variable in credentials.items()}
    timing: dict[str, float] = document.get("timing", {})
    return Target(
        base_url=base_url,
        account=keys["account"],
        other_account=keys.get("other_account"),
        profiles=tuple(dict.fromkeys(document["profiles"])),
        receiver=_receiver(document.get("receiver", {}), environ),
        timing=Timing(**{name.removesuffix("_seconds"): value for name, value in timing.items()}),
        known_failures=tuple(KnownFailure(**entry) for entry in document.get("known_failures", [])),
    )


def _base_url(text: str) -> str:
    if not _is_url(text):
        raise TargetError(
            f"base_url {text!r} cannot be used; write http(s)://HOST[:PORT], an IPv6 address in "
            "brackets, and behind it the path that stands before /v1, if there is one"
        )
    return text.rstrip("/")


def _is_url(text: str) -> bool:
    """Whether it is a scheme, a host and what may follow up to a path."""
    if not (text.isascii() and _BASE_URL.fullmatch(text)):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address, a port that is none
        return False


def _receiver(document: dict[str, Any], environ: Mapping[str, str]) -> ReceiverSettings:
    plain = {name: value for name, value in document.items() if name != "tls"}
    public_url = str(plain.get("public_url", "http://x"))
    if not _is_url(public_url.replace("{port}", "1")):
        raise TargetError(
            f"receiver.public_url {public_url!r} cannot be used; write http(s)://HOST[:PORT], with "
            "{port} for the receiver's own, and behind it a path, if there is one"
        )
    authority = _authority(document["tls"]["authority"], environ) if "tls" in document else None
    return ReceiverSettings(**plain, authority=authority)


def _authority(variable: str, environ: Mapping[str, str]) -> Identity:
    path = _variable(variable, "receiver.tls", "authority.pem", environ)
    try:
        return read_authority(Path(path))
    except (OSError, ValueError) as error:
        raise TargetError(
            f"{path}, which {variable} names, is not the file of an authority: {error}; README.md "
            "shows how to make one"
        ) from error


def _credential(variable: str, environ: Mapping[str, str]) -> Credential:
    key = _variable(variable, "credentials", "hw_live_…", environ)
    if not _VISIBLE.fullmatch(key):
        # Not shown: it may be a good key with something behind it.
        raise TargetError(
            f"the environment variable {variable} holds characters other than visible ASCII, which "
            "no key has; was it copied well?"
        )
    return Credential(variable, key)


def _variable(variable: str, where: str, example: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable, "").strip()
    if not value:
        raise TargetError(
            f"the environment variable {variable}, named under {where}, is not set; "
            f"export {variable}={example}"
        )
    return value
