"""Receivers that write down every request: one port, one path for each endpoint."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, cast

import httptools
import uvloop

from hookwright.webhooks import WebhookVerificationError
from hookwright_benchmarks.kill_campaign.history import Pair, Receipt

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_FAILING = b"HTTP/1.1 %d Failing\r\ncontent-length: 4\r\n\r\nbusy"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How an endpoint answers: after `delay_s` (from, to), and which share of answers is `status`
    instead of 200."""

    delay_s: tuple[float, float] = (0.0, 0.0)
    failing: float = 0.0
    status: int = 503


class Verifier(Protocol):
    """What an endpoint verifies its requests with."""

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Any:
        """The event. Raises WebhookVerificationError."""
        ...


def raw_digest(payload: bytes) -> str:
    """Equal bytes."""
    return "raw:" + hashlib.sha256(payload).hexdigest()


def json_digest(value: object) -> str:
    """Equal JSON values, for publishers that do not know the bytes they send."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return "json:" + hashlib.sha256(text.encode()).hexdigest()


class Sink:
    """Runs in a thread of its own, from `start` to `close`."""

    def __init__(self, behaviours: Mapping[str, Behaviour], seed: int) -> None:
        self.behaviours = dict(behaviours)
        self.verifiers: dict[str, Verifier] = {}
        self.random = random.Random(seed)
        self.done: list[Receipt] = []
        self.open: dict[int, Receipt] = {}
        self.port = 0
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._listening: Future[None] = Future()

    def start(self) -> Self:
        self._thread.start()
        self._listening.result(10)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def url(self, endpoint: str) -> str:
        return f"http://127.0.0.1:{self.port}/{endpoint}"

    def receipts(self) -> list[Receipt]:
        """All requests so far, those without an answer included."""
        return [*self.done, *self.open.values()]

    def in_flight(self) -> frozenset[Pair]:
        """Requests that wait for their answer."""
        return frozenset((r.endpoint, r.message_id) for r in tuple(self.open.values()))

    def heal(self) -> None:
        """From now on every answer is an immediate 200."""
        self.behaviours = dict.fromkeys(self.behaviours, Behaviour())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(self, self._loop), sock=listener)
        )
        self._listening.set_result(None)
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


class _Connection(asyncio.Protocol):
    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self._sink = sink
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._open: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # whichever way it went, an open request has lost its sender
        if self._timer is not None:
            self._timer.cancel()
        if self._open is not None:
            receipt = self._sink.open.pop(self._open)
            self._sink.done.append(replace(receipt, cut_at=time.monotonic()))

    def on_message_begin(self) -> None:
        self._path = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        endpoint = self._path.decode().strip("/")
        receipt = self._receipt(endpoint, bytes(self._body))
        self._open = id(receipt)
        self._sink.open[self._open] = receipt
        behaviour, rng = self._sink.behaviours[endpoint], self._sink.random
        answer = _FAILING % behaviour.status if rng.random() < behaviour.failing else _OK
        delay_s = rng.uniform(*behaviour.delay_s)
        if delay_s:
            self._timer = self._loop.call_later(delay_s, self._answer, receipt, answer)
        else:
            self._answer(receipt, answer)

    def _answer(self, receipt: Receipt, answer: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(answer)
        self._sink.open.pop(id(receipt))
        self._open = None
        answered_at = time.monotonic() if answer is _OK else None
        self._sink.done.append(replace(receipt, answered_at=answered_at))

    def _receipt(self, endpoint: str, body: bytes) -> Receipt:
        at = time.monotonic()
        message_id = self._headers.get("webhook-id", "")
        try:
            event = self._sink.verifiers[endpoint].verify(body, self._headers)
        except WebhookVerificationError:
            return Receipt(endpoint, message_id, "", frozenset(), False, at, None)
        data = cast("dict[str, Any]", event)["data"]
        payload = body.partition(b',"data":')[2][:-1]
        digests = frozenset({raw_digest(payload), json_digest(data)})
        return Receipt(endpoint, message_id, str(data["key"]), digests, True, at, None)
