"""Mutants of the request that is sent: signing, identity, redirects, deadline."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import asyncio
import copy
import http.client
import secrets
from collections.abc import Sequence
from dataclasses import replace as changed
from typing import Any
from urllib.parse import urlsplit

from replacing import replace

from hookwright_server import wiring
from hookwright_server.clock import Clock
from hookwright_server.delivery import exchange, prepare
from hookwright_server.delivery.exchange import Connection, Reply
from hookwright_server.delivery.prepare import Preparer, SignedRequest
from hookwright_server.delivery.sender import Attempted, OutgoingRequest, Sender
from hookwright_server.domain.outcome import DeadlineExceeded, Delivered, Refused
from hookwright_server.domain.signing import sign
from hookwright_server.domain.signing_keys import SigningKey, signing_key
from hookwright_server.ids import Ids
from hookwright_server.store.claims import Target

_FOR_EVER_S = 600.0
# Longer than a loaded machine may take between two bytes.
_SILENCE_S = 30.0


def signs_an_empty_body() -> None:
    """The signature covers id and timestamp, but no body."""

    def sign_nothing(
        message_id: str, timestamp_s: int, body: bytes, keys: Sequence[SigningKey]
    ) -> str:
        del body
        return sign(message_id, timestamp_s, b"", keys)

    replace(prepare, "sign", sign_nothing)


def signs_v1_whatever_the_scheme() -> None:
    """The bytes of an ed25519 key serve as the secret of an HMAC."""

    def symmetric(secret: str) -> SigningKey:
        key = signing_key(secret)
        return key if isinstance(key, bytes) else key.private_bytes_raw()

    replace(prepare, "signing_key", symmetric)


class _Stopped:
    """A clock that shows one moment."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms


class _StalePreparer(Preparer):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._first: dict[tuple[str, str], Clock] = {}

    def sign(
        self, target: Target, message_id: str, body: bytes, traceparent: str | None = None
    ) -> SignedRequest:
        now = _Stopped(self._clock.now_ms())
        stale = copy.copy(self)
        stale._clock = self._first.setdefault((target.endpoint_id, message_id), now)  # noqa: SLF001 - a copy of its own
        return Preparer.sign(stale, target, message_id, body, traceparent)


def stale_timestamp_on_retries() -> None:
    """Each retry carries the timestamp and signature of the first attempt."""
    replace(wiring, "Preparer", _StalePreparer)


class _RenamingPreparer(Preparer):
    def sign(
        self, target: Target, message_id: str, body: bytes, traceparent: str | None = None
    ) -> SignedRequest:
        del message_id
        return super().sign(target, Ids().new("msg", self._clock.now_ms()), body, traceparent)


def new_webhook_id_per_attempt() -> None:
    """No two attempts can be recognised as the same message."""
    replace(wiring, "Preparer", _RenamingPreparer)


class _RetracingPreparer(Preparer):
    def sign(
        self, target: Target, message_id: str, body: bytes, traceparent: str | None = None
    ) -> SignedRequest:
        del traceparent
        own = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        return super().sign(target, message_id, body, own)


def begins_a_trace_of_its_own() -> None:
    """Every attempt carries a trace that nobody began."""
    replace(wiring, "Preparer", _RetracingPreparer)


class _FollowingSender(Sender):
    async def send(self, request: OutgoingRequest) -> Attempted:
        attempted = await super().send(request)
        outcome = attempted.outcome
        if not isinstance(outcome, Refused) or not 300 <= outcome.status < 400:
            return attempted
        status = await asyncio.to_thread(_follow, request)
        return changed(attempted, outcome=Delivered(status))


def _follow(request: OutgoingRequest) -> int:
    location = _post(request.url, request).getheader("Location") or request.url
    return _post(location, request).status


def _post(url: str, request: OutgoingRequest) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.request("POST", parts.path, request.body, dict(request.headers))
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def follows_redirects() -> None:
    """A 3xx leads to its Location, and what comes from there counts."""
    replace(wiring, "Sender", _FollowingSender)


class _RepeatingSender(Sender):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._repeats: set[asyncio.Task[None]] = set()

    async def send(self, request: OutgoingRequest) -> Attempted:
        attempted = await super().send(request)
        if isinstance(attempted.outcome, Delivered):
            repeat = asyncio.create_task(self._again(request))
            self._repeats.add(repeat)
            repeat.add_done_callback(self._repeats.discard)
        return attempted

    async def _again(self, request: OutgoingRequest) -> None:
        await asyncio.sleep(1)
        await super().send(request)


def sends_twice_a_second_apart() -> None:
    """What was delivered comes once more a second later."""
    replace(wiring, "Sender", _RepeatingSender)


def ignores_the_total_deadline() -> None:
    """Only half a minute of silence ends an attempt."""
    heard: dict[Connection, float] = {}
    receive, talk = Connection.data_received, Connection.exchange

    def data_received(self: Connection, data: bytes) -> None:
        heard[self] = asyncio.get_running_loop().time()
        receive(self, data)

    async def exchange_patiently(
        self: Connection, head: bytes, body: bytes, deadline: float
    ) -> Reply:
        del deadline
        loop = asyncio.get_running_loop()
        heard[self] = loop.time()
        reply = loop.create_task(talk(self, head, body, loop.time() + _FOR_EVER_S))
        try:
            while (left := heard[self] + _SILENCE_S - loop.time()) > 0:
                done, _ = await asyncio.wait([reply], timeout=left)
                if done:
                    return reply.result()
            self.abort()
            return DeadlineExceeded("response")
        finally:
            reply.cancel()
            heard.pop(self, None)

    replace(exchange.Connection, "data_received", data_received)
    replace(exchange.Connection, "exchange", exchange_patiently)
