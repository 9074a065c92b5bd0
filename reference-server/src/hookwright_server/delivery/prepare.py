"""Stage 2: a claimed delivery becomes a signed request. No I/O, no waiting."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from hookwright_server.clock import Clock
from hookwright_server.delivery.claim import ClaimedDelivery
from hookwright_server.delivery.sender import OutgoingRequest
from hookwright_server.domain.contract import Limits
from hookwright_server.domain.signing import build_body, sign
from hookwright_server.domain.signing_keys import SecretFormatError, SigningKey, signing_key
from hookwright_server.domain.transformation import Transformation, compile_transformation
from hookwright_server.domain.vault import Vault, VaultError
from hookwright_server.store.claims import SealedSecret, Target

MASK = "***"
_BEGINS_WITHIN_MS = Limits.attempt_after_claim_seconds * 1000
_OPENED_KEPT = 4_096
_COMPILED_KEPT = 1_024
_ENCODER = json.JSONEncoder(separators=(",", ":"))  # `json.dumps` would make one each time


class NotPreparable(Exception):
    """The request cannot be built: a secret does not open, or there is none to sign with."""


class TooLate(Exception):
    """Between its claim and the attempt it expired, or what was read of its endpoint got old."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that has begun; `shown_headers` is what its row may show of the request's own."""

    claimed: ClaimedDelivery
    shown_headers: str
    started_at: int


@dataclass(frozen=True, slots=True)
class Prepared(Begun):
    """A request ready to be sent."""

    request: OutgoingRequest


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request of ours to `target`, and its headers as they may be shown."""

    request: OutgoingRequest
    shown_headers: dict[str, str]


class Preparer:
    """Signs with the endpoint's secrets and puts its custom headers in."""

    def __init__(self, vault: Vault, clock: Clock, version: str) -> None:
        self._clock = clock
        self._user_agent = f"Hookwright/{version}"

        # A sealed blob has a nonce of its own, so it can stand for what is inside.
        @lru_cache(maxsize=_OPENED_KEPT)
        def key(secret: SealedSecret) -> SigningKey:
            return signing_key(vault.open(secret.sealed, f"signing_secrets:{secret.id}").decode())

        @lru_cache(maxsize=_OPENED_KEPT)
        def headers(endpoint_id: str, sealed: bytes) -> tuple[tuple[str, str], ...]:
            opened = json.loads(vault.open(sealed, f"endpoints.headers:{endpoint_id}"))
            return tuple(cast("dict[str, str]", opened).items())

        @lru_cache(maxsize=_COMPILED_KEPT)
        def transformation(document: str) -> Transformation:
            return compile_transformation(json.loads(document))

        self._key = key
        self._headers = headers
        self._transformation = transformation

    def prepare(self, claimed: ClaimedDelivery, traceparent: str | None = None) -> Prepared:
        """The request of this attempt, with a fresh timestamp.

        `traceparent` goes with it as a header, if any. Raises NotPreparable, TooLate, and
        TransformationFailed when the payload does not fit the endpoint's transformation.
        """
        row = claimed.row
        data = self.data(claimed.target, row.payload)
        body = build_body(row.event_name, row.accepted_at, data)
        started_at = self._clock.now_ms()
        if row.expires_at is not None and row.expires_at <= started_at:
            raise TooLate(row.id)
        if started_at - claimed.claimed_at > _BEGINS_WITHIN_MS:
            # The process stood still: other secrets may sign by now, at another address.
            raise TooLate(row.id)
        signed = self.sign(claimed.target, row.message_id, body, traceparent)
        shown = _ENCODER.encode(signed.shown_headers)
        return Prepared(claimed, shown, started_at, signed.request)

    def begun(self, claimed: ClaimedDelivery) -> Begun:
        """An attempt that ends before there is a request."""
        return Begun(claimed, "{}", self._clock.now_ms())

    def data(self, target: Target, payload: bytes) -> bytes:
        """What the endpoint gets of a payload. Raises TransformationFailed."""
        if target.transformation is None:
            return payload
        return self._transformation(target.transformation).apply(payload)

    def sign(
        self, target: Target, message_id: str, body: bytes, traceparent: str | None = None
    ) -> SignedRequest:
        """A request of `body` to `target`, signed now. Raises NotPreparable."""
        timestamp = self._clock.now_ms() // 1000
        try:
            signature = sign(message_id, timestamp, body, self._keys(target.secrets))
            custom = self._custom_headers(target)
        except (VaultError, SecretFormatError, ValueError) as error:
            raise NotPreparable(f"{target.endpoint_id}: {error}") from error
        own: tuple[tuple[str, str], ...] = (
            ("content-type", "application/json"),
            ("user-agent", self._user_agent),
            ("webhook-id", message_id),
            ("webhook-timestamp", str(timestamp)),
            ("webhook-signature", signature),
        )
        if traceparent is not None:
            own = (*own, ("traceparent", traceparent))
        return SignedRequest(
            OutgoingRequest(
                account_id=target.account_id,
                url=target.url,
                headers=own + custom,
                body=body,
                timeout_ms=target.timeout_ms,
            ),
            dict(own) | {name: MASK for name, _ in custom},
        )

    def _keys(self, secrets: Iterable[SealedSecret]) -> list[SigningKey]:
        return [self._key(secret) for secret in secrets]

    def _custom_headers(self, target: Target) -> tuple[tuple[str, str], ...]:
        if target.headers_sealed is None:
            return ()
        return self._headers(target.endpoint_id, target.headers_sealed)
