"""HTTP receivers on loopback that verify every request and misbehave as they are told."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import httptools

from hookwright.webhooks import Webhook, WebhookVerificationError
from hookwright_server.demo.ledger import Receipt

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver does with a request; `status` None cuts the connection without a word."""

    status: int | None
    after_s: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()

    def head(self) -> bytes:
        status = HTTPStatus(self.status or 500)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", "content-length: 0"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("ascii")


Behaviour = Callable[[str, int], Answer]
"""Chooses the answer from a message's id and how many requests of it came earlier."""


class Receiver:
    """One receiver. Tells `record` of each request, before it answers.

    `verifier` must be set to the endpoint's secret before the first event is published.
    """

    def __init__(
        self,
        name: str,
        behaviour: Behaviour,
        record: Callable[[Receipt], None],
        clock: Callable[[], float],
    ) -> None:
        self.verifier: Webhook | None = None
        self.in_progress = 0
        self._name = name
        self._behaviour = behaviour
        self._record = record
        self._clock = clock
        self._seen: Counter[str] = Counter()
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen on a free port; the URL."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), HOST, 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"http://{HOST}:{port}/{self._name}"

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.cut()
        await self._server.wait_closed()

    def attach(self, connection: _Connection) -> None:
        self._connections.add(connection)

    def detach(self, connection: _Connection) -> None:
        self._connections.discard(connection)

    def receive(self, headers: dict[str, str], body: bytes) -> Answer:
        """Verify and record one request, and choose the answer."""
        at = self._clock()
        message_id = headers.get("webhook-id", "")
        answer = self._behaviour(message_id, self._seen[message_id])
        self._seen[message_id] += 1
        payload, fault = self._verified(headers, body)
        self._record(Receipt(self._name, message_id, at, answer.status, payload, fault))
        return answer

    def _verified(self, headers: dict[str, str], body: bytes) -> tuple[object, str | None]:
        if self.verifier is None:
            return None, "arrived before the endpoint's secret was known"
        try:
            content = self.verifier.verify(body, headers)
        except WebhookVerificationError as error:
            return None, str(error)
        return content.get("data"), None


class _Connection(asyncio.Protocol):
    """Requests of one connection, one after the other; the parser calls the `on_…` methods."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._pending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._receiver.attach(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._receiver.detach(self)
        if self._pending is not None:
            self._pending.cancel()
            self._finish()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.cut()

    def on_message_begin(self) -> None:
        self._headers = {}
        self._body.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answer = self._receiver.receive(self._headers, bytes(self._body))
        self._receiver.in_progress += 1
        loop = asyncio.get_running_loop()
        self._pending = loop.call_later(answer.after_s, self._answer, answer)

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, answer: Answer) -> None:
        self._finish()
        if answer.status is None:
            self.cut()
        elif self._transport is not None:
            self._transport.write(answer.head())

    def _finish(self) -> None:
        self._pending = None
        self._receiver.in_progress -= 1


class DeadPort:
    """A port that is taken, so that nobody else gets it, and refuses every connection."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind((HOST, 0))

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._socket.getsockname()[1]}/dead"

    def close(self) -> None:
        self._socket.close()
