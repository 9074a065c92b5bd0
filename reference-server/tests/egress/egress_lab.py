"""Receivers that misbehave on purpose, resolvers that answer as told, senders to try them with."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop

from hookwright_server.clock import SystemClock
from hookwright_server.delivery.http1 import HttpClient
from hookwright_server.delivery.resolver import Resolver
from hookwright_server.delivery.sender import Attempted, OutgoingRequest, Sender
from hookwright_server.delivery.tls import outgoing_tls_context
from hookwright_server.domain.egress_policy import AllowRule, EgressPolicy, parse_allow_rule

Script = Callable[[socket.socket], None]
Run = Callable[[Coroutine[Any, Any, Any]], Any]
Send = Callable[..., Attempted]
Start = Callable[..., "Receiver"]

LOOPBACK = (parse_allow_rule("127.0.0.0/8"), parse_allow_rule("::1/128"))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def read_request(peer: socket.socket) -> bytes:
    """One request with a Content-Length; at the end of the stream, what came so far."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = peer.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    missing = int(lines[0].partition(b":")[2]) - len(body)
    while missing > 0:
        more = peer.recv(65536)
        if not more:
            return data
        data += more
        missing -= len(more)
    return data


def answering(reply: bytes) -> Script:
    """A script that answers each request on the connection with `reply`."""

    def script(peer: socket.socket) -> None:
        while read_request(peer):
            peer.sendall(reply)

    return script


def answering_once(reply: bytes) -> Script:
    """A script that answers one request with `reply` and closes."""

    def script(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(reply)

    return script


@dataclass
class Receiver:
    """A listening socket whose every connection runs the script in a thread of its own."""

    script: Script
    address: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    connections: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])
    threads: list[threading.Thread] = field(default_factory=list[threading.Thread])
    peers: list[socket.socket] = field(default_factory=list[socket.socket])

    def start(self) -> None:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.listener = socket.create_server((self.address, self.port), family=family)
        self.port = self.listener.getsockname()[1]
        self.accepting = threading.Thread(target=self._accept)
        self.accepting.start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()

    def url(self, path: str = "/hook", scheme: str = "http", host: str = "") -> str:
        shown = host or (f"[{self.address}]" if ":" in self.address else self.address)
        return f"{scheme}://{shown}:{self.port}{path}"

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,))
            self.threads.append(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            if self.tls is None:
                self.script(peer)
                return
            with self.tls.wrap_socket(peer, server_side=True) as secured:
                self.script(secured)


class FixedResolver:
    """Answers lookup after lookup with the given answers, the last one for ever; counts them."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = [tuple(answer) for answer in answers]
        self.asked: list[str] = []

    async def resolve(self, host: str, account_id: str) -> tuple[str, ...]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class NoResolver:
    """For tests in which a name lookup would be a mistake."""

    async def resolve(self, host: str, account_id: str) -> tuple[str, ...]:
        raise AssertionError(f"looked up {host}")


def request_to(
    url: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b'{"a": 1}',
    timeout_ms: int = 5000,
    account_id: str = "acc_1",
) -> OutgoingRequest:
    """An outgoing request with the defaults of these tests."""
    return OutgoingRequest(account_id, url, headers, body, timeout_ms)


def make_sender(
    *,
    allow: tuple[AllowRule, ...] = LOOPBACK,
    resolver: Resolver | None = None,
    tls: ssl.SSLContext | None = None,
    idle_seconds: float = 15.0,
    max_idle: int = 1024,
) -> Sender:
    """A sender that may send to loopback over http."""
    return Sender(
        HttpClient(tls or outgoing_tls_context(), idle_seconds=idle_seconds, max_idle=max_idle),
        resolver or NoResolver(),
        EgressPolicy(allow=allow, allow_http=True),
        SystemClock(),
    )
