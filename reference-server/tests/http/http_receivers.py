"""Receivers that keep what they were sent and answer as they are told."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from egress_lab import OK, Receiver, read_request
from http_lab import eventually


@dataclass(frozen=True)
class Received:
    """One delivery as it came over the wire; header names are lower-case."""

    headers: dict[str, str]
    body: bytes


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    """An answer with this status."""
    lines = [f"HTTP/1.1 {code} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Mailbox:
    """Keeps every request; `reply` is what it answers from now on."""

    reply: bytes = OK
    received: list[Received] = field(default_factory=list[Received])

    def start(self) -> Receiver:
        """The receiver of this mailbox, listening."""
        receiver = Receiver(self._serve)
        receiver.start()
        return receiver

    def one(self) -> Received:
        """The only request so far, once it is there."""
        found: list[Received] = eventually(lambda: self.received)
        assert 1 == len(found)
        return found[0]

    def last(self, count: int) -> Received:
        """The newest of `count` requests, once it is there."""
        eventually(lambda: len(self.received) >= count)
        assert count == len(self.received)
        return self.received[-1]

    def _serve(self, peer: socket.socket) -> None:
        while data := read_request(peer):
            head, _, body = data.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")[1:]
            pairs = [line.partition(": ") for line in lines]
            self.received.append(Received({name.lower(): value for name, _, value in pairs}, body))
            peer.sendall(self.reply)
