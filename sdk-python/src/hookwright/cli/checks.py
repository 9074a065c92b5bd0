"""What exactly is wrong with a webhook that does not verify. The verdict is that of `Webhook`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from hookwright.errors import HookwrightError, UsageError, WebhookVerificationError
from hookwright.webhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hookwright.cli.captured import Captured

_NAMES: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
_LONGEST_SECONDS: Final = 11  # digits, up to the year 5138


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `ok`, `wrong`, or a `note` on what may be behind it."""

    state: Literal["ok", "wrong", "note"]
    check: str
    text: str


@dataclass(frozen=True)
class Report:
    """All checks, the verdict, and the event when the request is to be trusted."""

    findings: list[Finding]
    valid: bool
    event: Any


class Examiner:
    """Checks a request by itself, part by part, and then by `Webhook` as a whole."""

    def __init__(
        self, captured: Captured, secrets: Sequence[str], tolerance_s: float, now: float
    ) -> None:
        self._captured = captured
        self._secrets = secrets
        self._tolerance_s = tolerance_s
        self._now = now

    def report(self) -> Report:
        """Everything there is to say."""
        findings = [*self._of_headers(), *self._of_secrets()]
        if not _any_wrong(findings):
            findings += [*self._of_time(), *self._of_signature(), *self._of_body()]
        try:
            verifier = Webhook(self._secrets, self._tolerance_s, clock=lambda: self._now)
            event = verifier.verify(self._captured.body, self._captured.headers)
        except (UsageError, WebhookVerificationError) as error:
            if not _any_wrong(findings):
                findings.append(Finding("wrong", "request", str(error)))
            return Report(findings, valid=False, event=None)
        return Report(findings, valid=True, event=event)

    def _of_headers(self) -> Iterator[Finding]:
        for name in _NAMES:
            values = self._captured.headers.values(name)
            if len(values) > 1:
                yield Finding("wrong", name, f"is given {len(values)} times; it must come once")
            elif not values or not values[0]:
                yield Finding("wrong", name, f"is missing{self._similar(name)}")
            elif name == "webhook-id":
                yield Finding("ok", name, values[0])
            elif name == "webhook-timestamp":
                yield from self._of_timestamp(values[0])

    def _similar(self, name: str) -> str:
        tail = name.removeprefix("webhook")
        alike = [
            key
            for key, _ in self._captured.headers.pairs
            if key.lower().replace("_", "-").endswith(tail)
        ]
        return f"; there is {alike[0]}, is that it under another name?" if alike else ""

    def _of_timestamp(self, text: str) -> Iterator[Finding]:
        if not (text.isascii() and text.isdigit()):
            yield Finding("wrong", "webhook-timestamp", f"{text!r:.40} is not whole Unix seconds")
        elif len(text.lstrip("0")) > _LONGEST_SECONDS:
            yield Finding(
                "wrong", "webhook-timestamp", f"{text:.20} is no time; milliseconds? It is seconds"
            )

    def _of_secrets(self) -> Iterator[Finding]:
        for number, secret in enumerate(self._secrets, 1):
            try:
                Webhook(secret)
            except UsageError as error:
                spaces = "; it has white space around it" if secret != secret.strip() else ""
                yield Finding("wrong", f"secret {number}", f"{error}{spaces}")

    def _of_time(self) -> Iterator[Finding]:
        signed = int(self._captured.headers.values("webhook-timestamp")[0])
        age = self._now - signed
        where = f"{_span(abs(age))} {'before' if age >= 0 else 'after'} the time of this check"
        when = f"{datetime.fromtimestamp(signed, UTC):%Y-%m-%d %H:%M:%SZ}, {where}"
        if abs(age) <= self._tolerance_s:
            yield Finding("ok", "webhook-timestamp", when)
        else:
            tolerated = f"{_span(self._tolerance_s)} is tolerated"
            yield Finding("wrong", "webhook-timestamp", f"{when}; {tolerated}")
            yield Finding("note", "webhook-timestamp", "an old capture: --ignore-time passes it")

    def _of_signature(self) -> Iterator[Finding]:
        name = "webhook-signature"
        entries = self._captured.headers.values(name)[0].split()
        for entry in entries:
            scheme, comma, encoded = entry.partition(",")
            if not comma or not _is_base64(encoded):
                yield Finding("note", name, f"{entry[:20]!r} is not a scheme, a comma and base64")
            elif scheme not in {"v1", "v1a"}:
                yield Finding("note", name, f"the scheme {scheme!r} is passed over")
        for number, secret in enumerate(self._secrets, 1):
            if self._matches(secret, self._captured.body):
                of = f" {number} of {len(self._secrets)}" if len(self._secrets) > 1 else ""
                yield Finding("ok", name, f"matches the secret{of}")
                return
        yield Finding("wrong", name, f"matches no secret ({len(entries)} signatures tried)")
        yield from self._suspicions()

    def _suspicions(self) -> Iterator[Finding]:
        for what, change in _CHANGES.items():
            try:
                body = change(self._captured.body)
            except (ValueError, RecursionError):
                continue
            if body != self._captured.body and any(
                self._matches(secret, body) for secret in self._secrets
            ):
                yield Finding("note", "body", what)
                return
        if any(self._signed_with_text(secret) for secret in self._secrets):
            yield Finding(
                "note",
                "secret",
                "the signer used the secret's text as the key; it is the base64-decoded bytes "
                "after whsec_",
            )
            return
        yield Finding(
            "note",
            "secret",
            "is it this endpoint's secret, and the body as it came, byte for byte?",
        )

    def _matches(self, secret: str, body: bytes) -> bool:
        try:
            Webhook(secret, math.inf).verify(body, self._captured.headers)
        except HookwrightError as error:
            return type(error).__name__ == "InvalidPayloadError"  # signed all the same
        return True

    def _signed_with_text(self, secret: str) -> bool:
        identity, timestamp, signatures = (
            self._captured.headers.values(name)[0] for name in _NAMES
        )
        signed = f"{identity}.{timestamp}.".encode() + self._captured.body
        keys = (secret.encode(), secret.removeprefix("whsec_").encode())
        made = {base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys}
        return any(entry.partition(",")[2] in made for entry in signatures.split())

    def _of_body(self) -> Iterator[Finding]:
        try:
            parsed: Any = json.loads(self._captured.body)
        except (ValueError, RecursionError) as error:
            yield Finding("wrong", "body", f"is not JSON: {error}")
            return
        size = f"{len(self._captured.body)} bytes of JSON"
        if isinstance(parsed, dict) and "type" in parsed:
            yield Finding("ok", "body", f"{size}, type {parsed['type']}")
        else:
            yield Finding("note", "body", f"{size}, but not an object with the member type")


def _any_wrong(findings: Sequence[Finding]) -> bool:
    return any(finding.state == "wrong" for finding in findings)


def _again(**options: Any) -> Callable[[bytes], bytes]:
    return lambda body: json.dumps(json.loads(body), **options).encode()


_CHANGES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "it matches without the line end at the end of the body, which an editor or `echo` adds": (
        lambda body: body.rstrip(b"\r\n")
    ),
    "it matches with a line end at the end of the body: it was cut off": lambda body: body + b"\n",
    "it matches with the line ends of Unix: the body was rewritten with CRLF": (
        lambda body: body.replace(b"\r\n", b"\n")
    ),
    "it matches without the byte order mark before the body": (
        lambda body: body.removeprefix(b"\xef\xbb\xbf")
    ),
    "it matches the same JSON in its shortest form: the body was parsed and written again": _again(
        separators=(",", ":"), ensure_ascii=False
    ),
    "it matches the same JSON as Python writes it: the body was parsed and written again": _again(),
}


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _span(seconds: float) -> str:
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"
