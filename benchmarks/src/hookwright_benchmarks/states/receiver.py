"""A receiver on a real socket that answers each path as it is told and keeps what it got."""

from __future__ import annotations

import asyncio
import base64
import hmac
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import uvloop

from hookwright_benchmarks.states.divergence import Divergence
from hookwright_benchmarks.states.words import CUT, OK, SILENT, Answer

_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Receipt:
    """One request as it came."""

    path: str
    message_id: str
    timestamp: str
    signature: str
    body: bytes
    ordering_key: str | None = field(default=None, compare=False)  # of what is expected

    @classmethod
    def expected(
        cls,
        path: str,
        message_id: str,
        at_ms: int,
        body: bytes,
        secrets: tuple[str, ...],
        ordering_key: str | None,
    ) -> Receipt:
        """What is to come (Standard Webhooks 1.0): signed with each of the secrets."""
        timestamp = str(at_ms // 1000)
        signed = b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body)
        signatures = (
            base64.b64encode(
                hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")
            ).decode()
            for secret in secrets
        )
        signature = " ".join(f"v1,{each}" for each in signatures)
        return cls(path, message_id, timestamp, signature, body, ordering_key)


class Receiver:
    """Listens on a thread of its own until `stop`."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self._held: dict[str, list[_Peer]] = {}
        self._peers: set[_Peer] = set()
        self._left = asyncio.Event()
        self._got: list[Receipt] = []
        self._awaited: dict[tuple[str, str], list[Callable[[], object]]] = {}
        self._silent = Counter[tuple[str, str]]()
        self._lock = threading.Condition()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        made = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self._server = made.result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def is_silent(self, url: str) -> bool:
        """Whether a request to `url` would wait for an answer in vain."""
        path = self._path(url)
        return self.answers.get(path) == SILENT and path not in self._held

    def when_silent(self, url: str, message_id: str, call: Callable[[], object]) -> None:
        """`call` once this request is there, and with it every other one of the same message."""
        with self._lock:
            self._awaited.setdefault((self._path(url), message_id), []).append(call)

    def take(self) -> list[Receipt]:
        """What came since the last call."""
        with self._lock:
            got, self._got = self._got, []
            return got

    def hold(self, path: str) -> None:
        """Keep requests to `path` waiting."""
        with self._lock:
            self._held[path] = []

    def wait_for(self, path: str, count: int) -> None:
        """Return once so many requests wait. Raises Divergence."""
        with self._lock:
            if not self._lock.wait_for(lambda: len(self._held[path]) >= count, 20):
                raise Divergence(f"{count} requests to {path} were to come")

    def let_go(self, path: str) -> None:
        """Answer what waits."""
        with self._lock:
            held = self._held.pop(path)
        for peer in held:
            self._loop.call_soon_threadsafe(peer.answer, self.answers.get(path, OK))

    def forget(self) -> None:
        """Every path answers 200 again, also those that wait."""
        self.answers.clear()
        for path in list(self._held):
            self.let_go(path)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def note(self, peer: _Peer, receipt: Receipt) -> None:
        """For the loop's thread: a request has come."""
        with self._lock:
            self._got.append(receipt)
            if receipt.path in self._held:
                self._held[receipt.path].append(peer)
                self._lock.notify_all()
                return
            self._note_silent((receipt.path, receipt.message_id))
        peer.answer(self.answers.get(receipt.path, OK))

    def _path(self, url: str) -> str:
        return url.removeprefix(self.url(""))

    def _note_silent(self, key: tuple[str, str]) -> None:
        waiting = self._awaited.get(key)
        if waiting is None:
            return
        self._silent[key] += 1
        if self._silent[key] == len(waiting):
            del self._awaited[key], self._silent[key]
            for call in waiting:
                call()

    def came(self, peer: _Peer) -> None:
        """For the loop's thread: there is a connection."""
        self._peers.add(peer)
        self._left.clear()

    def went(self, peer: _Peer) -> None:
        """For the loop's thread: it is closed."""
        self._peers.discard(peer)
        if not self._peers:
            self._left.set()

    async def _close(self) -> None:
        self._server.close()
        for peer in list(self._peers):
            peer.close()
        if self._peers:
            await self._left.wait()

    async def _listen(self) -> asyncio.Server:
        server = await self._loop.create_server(lambda: _Peer(self), "127.0.0.1", 0)
        return cast(asyncio.Server, server)


class _Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._receiver.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._receiver.went(self)

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(_END)) >= 0:
            first, *lines = self._pending[:end].decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            stop = end + len(_END) + int(headers["content-length"])
            if len(self._pending) < stop:
                return
            body = self._pending[end + len(_END) : stop]
            self._pending = self._pending[stop:]
            receipt = Receipt(
                path=first.split(" ")[1],
                message_id=headers["webhook-id"],
                timestamp=headers["webhook-timestamp"],
                signature=headers["webhook-signature"],
                body=body,
            )
            self._receiver.note(self, receipt)

    def answer(self, answer: Answer) -> None:
        if answer == CUT:
            self._transport.close()
        elif answer != SILENT:
            wait = (
                f"Retry-After: {answer.retry_after_ms // 1000}\r\n" if answer.retry_after_ms else ""
            )
            length = "" if answer.status == 204 else "Content-Length: 0\r\n"
            self._transport.write(f"HTTP/1.1 {answer.status} S\r\n{wait}{length}\r\n".encode())
