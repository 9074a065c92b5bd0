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
from hookwright_server.domain.signing import SecretFormatError, build_body, key_bytes, sign
from hookwright_server.domain.vault import Vault, VaultError
from hookwright_server.store.claims import SealedSecret, Target

MASK = "***"
_OPENED_KEPT = 4_096
_ENCODER = json.JSONEncoder(separators=(",", ":"))  # `json.dumps` would make one each time


class NotPreparable(Exception):
    """The request cannot be built: a secret does not open, or there is none to sign with."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to be sent; `shown_headers` is what an attempt row may show of its own."""

    claimed: ClaimedDelivery
    request: OutgoingRequest
    shown_headers: str
    started_at: int


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
        def key(secret: SealedSecret) -> bytes:
            return key_bytes(vault.open(secret.sealed, f"signing_secrets:{secret.id}").decode())

        @lru_cache(maxsize=_OPENED_KEPT)
        def headers(endpoint_id: str, sealed: bytes) -> tuple[tuple[str, str], ...]:
            opened = json.loads(vault.open(sealed, f"endpoints.headers:{endpoint_id}"))
            return tuple(cast("dict[str, str]", opened).items())

        self._key = key
        self._headers = headers

    def prepare(self, claimed: ClaimedDelivery, traceparent: str | None = None) -> Prepared:
        """The request of this attempt, with a fresh timestamp. Raises NotPreparable.

        `traceparent` goes with it as a header, if any.
        """
        row = claimed.row
        body = build_body(row.event_name, row.accepted_at, row.payload)
        started_at = self._clock.now_ms()
        signed = self.sign(claimed.target, row.message_id, body, traceparent)
        shown = _ENCODER.encode(signed.shown_headers)
        return Prepared(claimed, signed.request, shown, started_at)

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

    def _keys(self, secrets: Iterable[SealedSecret]) -> list[bytes]:
        return [self._key(secret) for secret in secrets]

    def _custom_headers(self, target: Target) -> tuple[tuple[str, str], ...]:
        if target.headers_sealed is None:
            return ()
        return self._headers(target.endpoint_id, target.headers_sealed)
