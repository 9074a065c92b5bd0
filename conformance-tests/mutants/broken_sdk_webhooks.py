"""Mutants of the Python SDK: how it verifies webhooks."""

# ruff: noqa: INP001 - sdk_driver.py stands in this folder

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from replacing import nothing, replace, sound_one

from hookwright import _webhook_headers, webhooks
from hookwright._webhook_headers import Received
from hookwright._webhook_keys import Key
from hookwright.errors import InvalidSecretError
from hookwright.webhooks import Webhook

_USUAL_TOLERANCE_S = 300


def verifies_what_it_parsed() -> None:
    """The body is parsed and written again before its signature is looked at."""
    sound = sound_one(Webhook, "_checked")

    def checked(self: Webhook, body: bytes, headers: Any) -> Any:
        with suppress(ValueError):
            body = json.dumps(json.loads(body), separators=(",", ":")).encode()
        return sound(self, body, headers)

    replace(Webhook, "_checked", checked)


def trusts_every_webhook() -> None:
    """No signature is looked at."""
    replace(Webhook, "_check_signature", nothing)


def _check_time(is_taken: Callable[[float, float], bool]) -> None:
    """Have times pass that the sound check refuses, by their age and the tolerance."""
    sound = sound_one(Webhook, "_check_time")

    def check_time(self: Any, timestamp: str) -> None:
        if not is_taken(self._clock() - int(timestamp), self._tolerance):
            sound(self, timestamp)

    replace(Webhook, "_check_time", check_time)


def takes_old_webhooks() -> None:
    """A replay passes."""
    _check_time(lambda age, tolerance: age > tolerance)


def takes_webhooks_of_the_future() -> None:
    """A time that has not come yet passes."""
    _check_time(lambda age, tolerance: age < -tolerance)


def _change_verifiers(change: Callable[[Webhook], None]) -> None:
    sound = sound_one(Webhook, "__init__")

    def init(self: Webhook, *arguments: Any, **options: Any) -> None:
        sound(self, *arguments, **options)
        change(self)

    replace(Webhook, "__init__", init)


def has_one_tolerance() -> None:
    """The one by default."""

    def forget(webhook: Any) -> None:
        webhook._tolerance = _USUAL_TOLERANCE_S  # noqa: SLF001 - that is what breaks it

    _change_verifiers(forget)


def tries_one_secret() -> None:
    """The first."""

    def forget(webhook: Any) -> None:
        del webhook._keys[1:]  # noqa: SLF001 - that is what breaks it

    _change_verifiers(forget)


def _change_headers(change: Callable[[Any], Any], told: Callable[[Received], Received]) -> None:
    sound = sound_one(webhooks, "read_headers")

    def read_headers(headers: Any, schemes: Collection[str]) -> Received:
        return told(sound(change(headers), schemes))

    replace(webhooks, "read_headers", read_headers)


def tries_one_signature() -> None:
    """The first of a scheme."""
    _change_headers(
        lambda headers: headers,
        lambda received: received._replace(signatures=received.signatures[:1]),
    )


def reads_lower_case_alone() -> None:
    """As HTTP/2 writes them."""
    _change_headers(
        lambda headers: {name: value for name, value in headers.items() if name.islower()},
        lambda received: received,
    )


def stumbles_over_headers() -> None:
    """Their form is not looked at."""
    replace(_webhook_headers, "_check_form", nothing)


def _change_keys(change: Callable[[str, Callable[[object], Key]], Key]) -> None:
    sound = sound_one(webhooks, "read_key")

    def read_key(secret: str) -> Key:
        return change(secret, sound)

    replace(webhooks, "read_key", read_key)


def knows_v1_alone() -> None:
    """A public key is no secret."""

    def read(secret: str, sound: Callable[[object], Key]) -> Key:
        if secret.startswith("whpk_"):
            raise InvalidSecretError("a secret is whsec_ and base64")
        return sound(secret)

    _change_keys(read)


def takes_any_secret() -> None:
    """What is none is another."""

    def read(secret: str, sound: Callable[[object], Key]) -> Key:
        try:
            return sound(secret)
        except InvalidSecretError:
            return sound("whsec_" + "A" * 32)

    _change_keys(read)


MUTANTS = (
    verifies_what_it_parsed,
    trusts_every_webhook,
    takes_old_webhooks,
    takes_webhooks_of_the_future,
    has_one_tolerance,
    tries_one_secret,
    tries_one_signature,
    reads_lower_case_alone,
    stumbles_over_headers,
    knows_v1_alone,
    takes_any_secret,
)
