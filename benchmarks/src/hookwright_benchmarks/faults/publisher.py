"""The open-loop load: an event falls due at a constant rate, whatever became of those before.

Each event has an idempotency key of its own. What got no answer, or a 5xx, is sent again under the
same key, as the SDK does it, to the next API; a share of the events is never sent again, so that
unknown outcomes stay in the history.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from hookwright_benchmarks.faults.checker import ServerError
from hookwright_benchmarks.kill_campaign.history import Outcome, Publish
from hookwright_benchmarks.kill_campaign.sink import raw_digest

APP = "faults"
EVENT = "fault.tested"

_ANSWER_S = 10.0
_PATIENCE_S = 240.0
_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0)
_NEVER_AGAIN = 0.03
_TICK_S = 0.005
_IDLE_KEPT = 64


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


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


@dataclass(slots=True)
class Log:
    """What the publisher did. `refused`: answers 4xx, by status and code."""

    publishes: list[Publish] = field(default_factory=list[Publish])
    errors: list[ServerError] = field(default_factory=list[ServerError])
    refused: dict[str, int] = field(default_factory=dict[str, int])
    sent_again: int = 0
    accepted: int = 0
    open: int = 0


class Publisher:
    """Publishes `per_second` events through the APIs at `ports` in turn."""

    def __init__(self, ports: Sequence[int], api_key: str, per_second: float, seed: int) -> None:
        self.log = Log()
        self.per_second = per_second
        self._clients = [Client(port) for port in ports]
        self._api_key = api_key
        self._random = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Publish until `stop`, then wait for what is still open."""
        due = time.monotonic()
        while not self._stopping.is_set():
            while due <= time.monotonic():
                self._number += 1
                task = asyncio.get_running_loop().create_task(self._publish(self._number))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                due += 1 / self.per_second
            await asyncio.sleep(_TICK_S)
        await asyncio.gather(*self._tasks)
        for client in self._clients:
            client.close()

    def stop(self) -> None:
        self._stopping.set()

    async def _publish(self, number: int) -> None:
        key = f"e-{number:07d}"
        # Bytes that would not survive parsing and writing.
        payload = b'{ "key":"%b", "a":1.10, "A":1e2,"\\u006f":"\xc3\xa9\\/", "n":%b }' % (
            key.encode(),
            b"9" * 30,
        )
        sent_at = time.monotonic()
        self.log.open += 1
        outcome, message_id = await self._insist(key, payload, number)
        self.log.open -= 1
        self.log.accepted += outcome == "ok"
        self.log.publishes.append(
            Publish(key, outcome, raw_digest(payload), message_id, sent_at, time.monotonic())
        )

    async def _insist(self, key: str, payload: bytes, number: int) -> tuple[Outcome, str | None]:
        request = self._request(key, payload)
        give_up_at = time.monotonic() + _PATIENCE_S
        once = self._random.random() < _NEVER_AGAIN
        tries = 0
        while True:
            client = self._clients[(number + tries) % len(self._clients)]
            answer = await self._try(client, request)
            if answer is not None and answer.status == 202:
                return "ok", str(json.loads(answer.body)["message_id"])
            if answer is not None and self._is_final(answer):
                # An earlier try, without an answer, may have been accepted all the same.
                return ("fail" if tries == 0 else "unknown"), None
            if once or time.monotonic() > give_up_at:
                return "unknown", None
            pause = _PAUSES_S[min(tries, len(_PAUSES_S) - 1)]
            await asyncio.sleep(pause * (0.5 + self._random.random()))
            tries += 1
            self.log.sent_again += 1

    async def _try(self, client: Client, request: bytes) -> Answer | None:
        try:
            answer = await client.send(request)
        except (OSError, EOFError, ValueError, TimeoutError):
            return None
        if answer.status >= 500:
            self.log.errors.append(
                ServerError(
                    time.monotonic(), answer.status, _code(answer), "retry-after" in answer.headers
                )
            )
        elif answer.status >= 400:
            named = f"{answer.status} {_code(answer)}"
            self.log.refused[named] = self.log.refused.get(named, 0) + 1
        return answer

    def _is_final(self, answer: Answer) -> bool:
        """409: an earlier try of this key is still being worked on."""
        return 400 <= answer.status < 500 and answer.status not in (408, 409, 429)

    def _request(self, key: str, payload: bytes) -> bytes:
        body = b'{"event_name":"%b","payload":%b}' % (EVENT.encode(), payload)
        head = (
            f"POST /v1/apps/{APP}/trigger HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self._api_key}\r\nContent-Type: application/json\r\n"
            f'Idempotency-Key: "{key}"\r\nContent-Length: {len(body)}\r\n\r\n'
        )
        return head.encode("ascii") + body


def _code(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body)["code"])
    except (ValueError, KeyError, TypeError):
        return answer.body[:40].decode("latin-1")
