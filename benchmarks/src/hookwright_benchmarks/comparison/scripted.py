"""A server that answers what a script says, and remembers. Standard library only."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import parse_headers
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One scripted answer; `body` is JSON unless it is bytes."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def wire(self) -> bytes:
        """The answer as bytes."""
        is_raw = isinstance(self.body, bytes)
        body: bytes = self.body if is_raw else json.dumps(self.body).encode()
        kind = "text/html" if is_raw else "application/json"
        headers = {"content-type": kind, "content-length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


HANG_UP = None
"""Close the connection after the request, without an answer."""


@dataclass(frozen=True)
class Asked:
    """One request as it came in; `at` is monotonic, in seconds."""

    path: str
    headers: Mapping[str, str]
    at: float


class Scripted(socketserver.ThreadingTCPServer):
    """Gives the answers in order; the last one again and again."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, script: Sequence[Answer | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.script = list(script)
        self.asked: list[Asked] = []
        self.opened = 0
        self.open = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, asked: Asked) -> Answer | None:
        """Remember the request; what the script answers."""
        with self.lock:
            self.asked.append(asked)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def open_soon(self, expected: int, within_s: float = 3.0) -> int:
        """How many connections are open, once they are `expected` or after `within_s` seconds."""
        until = time.monotonic() + within_s
        while self.open != expected and time.monotonic() < until:
            time.sleep(0.01)
        return self.open


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Scripted)
        with server.lock:
            server.opened += 1
            server.open += 1
        try:
            self._serve(server)
        except ConnectionError:
            pass
        finally:
            with server.lock:
                server.open -= 1

    def _serve(self, server: Scripted) -> None:
        while line := self.rfile.readline(65_537):
            headers = {name.lower(): value for name, value in parse_headers(self.rfile).items()}
            self.rfile.read(int(headers.get("content-length", "0")))
            path = line.split()[1].decode()
            answer = server.answer(Asked(path, headers, time.monotonic()))
            if answer is None:
                return
            self.wfile.write(answer.wire())


@contextmanager
def scripted(*script: Answer | None) -> Generator[Scripted]:
    """A server with this script, while the block runs."""
    server = Scripted(script)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
