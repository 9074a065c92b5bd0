"""The load generator: open loop (a constant arrival rate) or closed loop (always N requests open).

Reads one JSON line, publishes, writes one JSON line. In the open loop a request that finds no
free connection waits, and its latency counts from when it was due: waiting is not hidden.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import uvloop
from httptools import HttpResponseParser

from hookwright_benchmarks.rig.lines import say

_GRACE_S = 15.0
_TICK_S = 0.001
_FIRST = 16


@dataclass(frozen=True, slots=True)
class Order:
    """What to publish. `rate` 0 is the closed loop; `seconds` bounds the sending."""

    port: int
    key: str
    apps: list[str]
    rate: float
    seconds: float
    payload_bytes: int
    connections: int = 256
    idempotency_keys: bool = True


@dataclass(slots=True)
class Published:
    """`accepted` holds [message id, due, answered]; instants are monotonic nanoseconds."""

    sent: int = 0
    began: int = 0
    ended: int = 0
    statuses: dict[str, int] = field(default_factory=dict[str, int])
    accepted: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])


class Publisher:
    """Spreads requests over connections; belongs to one loop."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._free: list[Connection] = []
        self._open = 0
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[int, bytes]] = deque()
        self.result = Published()
        self._idle = asyncio.Event()
        self._until = 0
        pad = "x" * max(0, order.payload_bytes - len('{"n":100000,"pad":""}'))
        self._pad = pad
        self._run = f"{time.time_ns():x}"

    async def run(self) -> Published:
        """Publish for the ordered time, then wait for the answers that are still to come."""
        order = self._order
        first = order.connections if not order.rate else min(_FIRST, order.connections)
        await asyncio.gather(*(self._connect() for _ in range(first)))
        self.result.began = time.monotonic_ns()
        self._until = self.result.began + int(order.seconds * 1e9)
        if order.rate:
            await self._open_loop()
        else:
            for _ in range(order.connections):
                self._due(time.monotonic_ns())
        await asyncio.sleep(max(0.0, (self._until - time.monotonic_ns()) / 1e9))
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._answered()
        except TimeoutError:
            pass  # the counts say how many are missing
        self.result.ended = time.monotonic_ns()
        return self.result

    def answered(self, connection: Connection, due: int, status: int, body: bytes) -> None:
        now = time.monotonic_ns()
        self._count(str(status))
        if status == 202:
            self.result.accepted.append((json.loads(body)["message_id"], due, now))
        if not self._order.rate and now < self._until:
            connection.send(now, self._request())
        else:
            self._idle_again(connection)
        self._idle.set()

    def lost(self, connection: Connection, *, asked: bool) -> None:
        self._open -= 1
        if asked:
            self._count("connection lost")
        else:
            self._free.remove(connection)  # nobody used it for long: the server closed it

    async def _connect(self) -> None:
        self._open += 1
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self), "127.0.0.1", self._order.port
        )
        self._idle_again(connection)

    def _idle_again(self, connection: Connection) -> None:
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._free.append(connection)

    def _count(self, status: str) -> None:
        self.result.statuses[status] = self.result.statuses.get(status, 0) + 1

    async def _open_loop(self) -> None:
        began, interval = self.result.began, 1e9 / self._order.rate
        total = int(self._order.rate * self._order.seconds)
        while self.result.sent < total:
            now = time.monotonic_ns()
            while self.result.sent < total and began + self.result.sent * interval <= now:
                self._due(began + int(self.result.sent * interval))
            await asyncio.sleep(_TICK_S)

    def _due(self, due: int) -> None:
        request = self._request()
        if self._free:
            self._free.pop().send(due, request)
            return
        self._waiting.append((due, request))
        if self._open < self._order.connections:
            opening = asyncio.get_running_loop().create_task(self._connect())
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    async def _answered(self) -> None:
        while sum(self.result.statuses.values()) < self.result.sent:
            self._idle.clear()
            await self._idle.wait()

    def _request(self) -> bytes:
        number, order = self.result.sent, self._order
        self.result.sent += 1
        payload = f'{{"n":{100_000 + number},"pad":"{self._pad}"}}'
        body = f'{{"event_name":"bench.created","payload":{payload}}}'
        app = order.apps[number % len(order.apps)]
        keyed = f"Idempotency-Key: {self._run}-{number}\r\n" if order.idempotency_keys else ""
        return (
            f"POST /v1/apps/{app}/trigger HTTP/1.1\r\nHost: 127.0.0.1:{order.port}\r\n"
            f"Authorization: Bearer {order.key}\r\nContent-Type: application/json\r\n{keyed}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode("ascii")


class Connection(asyncio.Protocol):
    """One request at a time; also the parser's callback object."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._due = 0
        self._body = b""

    def send(self, due: int, request: bytes) -> None:
        self._due = due
        self._body = b""
        self._parser = HttpResponseParser(self)
        self._transport.write(request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._publisher.lost(self, asked=bool(self._due))

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        due, self._due = self._due, 0
        self._publisher.answered(self, due, self._parser.get_status_code(), self._body)


async def _publish(order: Order) -> dict[str, Any]:
    return asdict(await Publisher(order).run())


if __name__ == "__main__":
    for line in sys.stdin:
        say(uvloop.run(_publish(Order(**json.loads(line)))))
