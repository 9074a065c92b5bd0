"""Calls of the API over bare connections: what is open, what failed, and insisting on an answer."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hookwright_benchmarks.faults.record import ServerError
from hookwright_benchmarks.kill_campaign.history import Publish

APP = "faults"

_ANSWER_S = 10.0
_IDLE_KEPT = 64
_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0)
_AGAIN = frozenset({408, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """What the problem is called, or how the body begins."""
        try:
            return str(json.loads(self.body)["code"])
        except (ValueError, KeyError, TypeError):
            return self.body[:40].decode("latin-1")

    @property
    def is_final(self) -> bool:
        """Whether sending the same again would change nothing. 409 `idempotency_in_progress`: an
        earlier try of this key is still being worked on."""
        if self.status == 409:
            return self.code != "idempotency_in_progress"
        return self.status < 500 and self.status not in _AGAIN


@dataclass(slots=True)
class Log:
    """What the load did. `refused`: answers 4xx, by status and code; `steered`: calls other than
    publishing that were answered 2xx."""

    publishes: list[Publish] = field(default_factory=list[Publish])
    errors: list[ServerError] = field(default_factory=list[ServerError])
    refused: dict[str, int] = field(default_factory=dict[str, int])
    sent_again: int = 0
    accepted: int = 0
    steered: int = 0
    open: int = 0


class Client:
    """A minimal HTTP/1.1 client with connections kept open, for one API."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, request: bytes) -> Answer:
        """Send a whole request and read its answer. Raises OSError, EOFError, ValueError and,
        after 10 s, TimeoutError."""
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await self._connection()
            try:
                writer.write(request)
                answer = await _read(reader)
            except BaseException:
                writer.transport.abort()
                raise
        if answer.headers.get("connection", "").lower() == "close" or len(self._idle) > _IDLE_KEPT:
            writer.close()
        else:
            self._idle.append((reader, writer))
        return answer

    def close(self) -> None:
        for _, writer in self._idle:
            writer.transport.abort()
        self._idle.clear()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.is_closing() or reader.exception()):
                return reader, writer
            writer.transport.abort()
        return await asyncio.open_connection("127.0.0.1", self._port)


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(head[0].split(" ")[1]), headers, body)


class Caller:
    """Calls the APIs at `ports` with one key, and writes down what they answer."""

    def __init__(self, ports: Sequence[int], api_key: str, seed: int) -> None:
        self.log = Log()
        self.random = random.Random(seed)
        self._clients = [Client(port) for port in ports]
        self._api_key = api_key
        self._number = 0

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()

    def request(self, method: str, path: str, key: str, body: bytes) -> bytes:
        """A whole request below the campaign's app; `key` only where something is posted."""
        head = (
            f"{method} /v1/apps/{APP}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self._api_key}\r\n"
        )
        if method != "GET":
            head += (
                f'Idempotency-Key: "{key}"\r\n'
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            )
        return f"{head}\r\n".encode("ascii") + body

    async def once(self, which: int, request: bytes) -> Answer | None:
        """One try, at one of the APIs; None: no answer came."""
        try:
            answer = await self._clients[which % len(self._clients)].send(request)
        except (OSError, EOFError, ValueError, TimeoutError):
            return None
        if answer.status >= 500:
            has_time = "retry-after" in answer.headers
            asked = request.partition(b" HTTP/")[0].decode("ascii").replace(f"/v1/apps/{APP}/", "")
            self.log.errors.append(
                ServerError(time.monotonic(), answer.status, answer.code, has_time, asked)
            )
        elif answer.status >= 400:
            named = f"{answer.status} {answer.code}"
            self.log.refused[named] = self.log.refused.get(named, 0) + 1
        return answer

    async def pause(self, tries: int) -> None:
        """Wait before the next of `tries` tries."""
        pause_s = _PAUSES_S[min(tries, len(_PAUSES_S) - 1)]
        await asyncio.sleep(pause_s * (0.5 + self.random.random()))

    async def insist(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> tuple[int, Any]:
        """Ask, under one idempotency key, until there is an answer: its status and JSON."""
        self._number += 1
        request = self.request(
            method,
            path,
            f"c-{self._number:07d}",
            b"" if body is None else json.dumps(body).encode(),
        )
        tries = 0
        while True:
            answer = await self.once(self._number + tries, request)
            if answer is not None and answer.is_final:
                self.log.steered += answer.status < 300
                return answer.status, json.loads(answer.body)
            await self.pause(tries)
            tries += 1
