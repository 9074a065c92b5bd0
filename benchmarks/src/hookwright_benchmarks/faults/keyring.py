"""What an endpoint's requests are signed with while its secrets are rotated.

`Keyring` is the receiver's: it learns each secret, and finds out which of them signed a request.
The judgement is pure. It goes by `webhook-timestamp`, in Unix seconds, because validity does.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hookwright.webhooks import WebhookVerificationError

_TRIED_S = 40.0
_TOLERANCE_S = 300.0
_SLACK_S = 2.0
_CALM_S = 5.0
_PAUSED_S = 20.0
"""A worker or Postgres may stand still between the claim, which reads the secrets, and the
signature: for the longest pause of a campaign, and a restart."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret of an endpoint, in Unix seconds: made at some time from `made_after` to
    `known_at`, when it was shown; signing until `until`, None: no end has been told."""

    text: str
    made_after: float
    known_at: float
    until: float | None = None

    @property
    def key(self) -> bytes:
        return base64.b64decode(self.text.removeprefix("whsec_"))


@dataclass(frozen=True, slots=True)
class Request:
    """What is needed to look at a request again: the headers' triple and the body."""

    message_id: str
    timestamp: str
    signatures: frozenset[str]
    body: bytes

    def is_signed_with(self, secret: Secret) -> bool:
        """Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`."""
        content = f"{self.message_id}.{self.timestamp}.".encode() + self.body
        digest = hmac.digest(secret.key, content, "sha256")
        return f"v1,{base64.b64encode(digest).decode()}" in self.signatures


@dataclass(frozen=True, slots=True)
class Signed:
    """A receipt as its receiver could judge it: received at `at` (monotonic) and `received_at`
    (Unix), signed in the Unix second `timestamp`, with the secrets of these places in the keyring.
    `request` is kept where none of the secrets known then fitted."""

    endpoint: str
    message_id: str
    at: float
    received_at: float
    timestamp: int
    signers: frozenset[int]
    request: Request | None = None


class Keyring:
    """The secrets of one endpoint; verifies for the sink, and never refuses a whole request."""

    def __init__(self, endpoint: str, now: Callable[[], float] = time.time) -> None:
        """`now` tells the Unix time in seconds."""
        self.endpoint = endpoint
        self._now = now
        self.secrets: list[Secret] = []
        self.receipts: list[Signed] = []

    def learn(
        self, text: str, *, made_after: float, known_at: float, until: float | None = None
    ) -> None:
        """A new secret was shown; the one before signs until `until`."""
        if self.secrets:
            self.secrets[-1] = replace(self.secrets[-1], until=until)
        self.secrets.append(Secret(text, made_after, known_at))

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Any:
        """The event. Raises WebhookVerificationError when the request is not even signed."""
        request = _read(body, headers)
        timestamp = int(request.timestamp)
        signers = frozenset(
            place
            for place, secret in enumerate(tuple(self.secrets))
            if secret.until is None or secret.until > timestamp - _TRIED_S
            if request.is_signed_with(secret)
        )
        self.receipts.append(
            Signed(
                self.endpoint,
                request.message_id,
                time.monotonic(),
                self._now(),
                timestamp,
                signers,
                None if signers else request,
            )
        )
        return json.loads(body)


def signature_faults(
    receipts: Iterable[Signed],
    secrets: Mapping[str, Sequence[Secret]],
    is_disturbed: Callable[[float], bool],
) -> dict[str, list[str]]:
    """`unverified`: no secret that was valid then has signed. `wrong_signers`: one that every
    receiver could rely on did not sign, or one that had ended did.

    `is_disturbed`: whether what signs may have stood still at a (monotonic) time.
    """
    faults: dict[str, list[str]] = {"unverified": [], "wrong_signers": []}
    for one in receipts:
        own = secrets[one.endpoint]
        signers = _all_signers(one, own)
        name = f"{one.message_id} at {one.endpoint}, signed at {one.timestamp}"
        is_recent = abs(one.received_at - one.timestamp) <= _TOLERANCE_S
        valid = any(_may_sign(own[place], one.timestamp, _SLACK_S) for place in signers)
        if not (valid and is_recent):
            faults["unverified"].append(name)
            continue
        slack_s = _PAUSED_S if is_disturbed(one.at) else _CALM_S
        missing = [
            place
            for place, secret in enumerate(own)
            if place not in signers and _must_sign(secret, one.timestamp, slack_s)
        ]
        ended = [p for p in signers if not _may_sign(own[p], one.timestamp, slack_s)]
        if missing or ended:
            faults["wrong_signers"].append(f"{name}: missing {missing}, ended {ended}")
    return faults


def _all_signers(one: Signed, secrets: Sequence[Secret]) -> frozenset[int]:
    """With those as well that were shown only after the receipt."""
    if one.request is None:
        return one.signers
    return frozenset(
        place for place, secret in enumerate(secrets) if one.request.is_signed_with(secret)
    )


def _may_sign(secret: Secret, timestamp: int, slack_s: float) -> bool:
    ends = secret.until is not None and secret.until + slack_s < timestamp
    return secret.made_after - _SLACK_S <= timestamp + 1 and not ends


def _must_sign(secret: Secret, timestamp: int, slack_s: float) -> bool:
    ends = secret.until is not None and secret.until < timestamp + 1 + _SLACK_S
    return secret.known_at + slack_s <= timestamp and not ends


def _read(body: bytes, headers: Mapping[str, str]) -> Request:
    try:
        request = Request(
            headers["webhook-id"],
            headers["webhook-timestamp"],
            frozenset(headers["webhook-signature"].split(" ")),
            body,
        )
        int(request.timestamp)
    except (KeyError, ValueError) as error:
        raise WebhookVerificationError(f"not signed: {error}") from error
    return request
