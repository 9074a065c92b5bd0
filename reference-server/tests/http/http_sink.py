"""A receiver that keeps what it got, and answers as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from socket import socket
from typing import Any

from egress_lab import Receiver, read_request
from http_lab import Document, eventually
from standardwebhooks import Webhook

Open = Callable[..., "Sink"]

# Waits in seconds that a test clock walks through; no jitter, so that times are exact.
ONCE: Document = {"delays_seconds": [], "jitter": 0}


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer of a receiver; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in {**named, "Content-Length": len(body)}.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Status", *lines, "", ""]).encode() + body


def waits(*seconds: float, **more: Any) -> Document:
    """A retry policy with these waits and no jitter."""
    return {"delays_seconds": list(seconds), "jitter": 0, **more}


def path_to(endpoint: Document) -> str:
    """The path of an endpoint."""
    return f"/v1/apps/{endpoint['app_slug']}/endpoints/{endpoint['id']}"


def parsed(instant: str) -> datetime:
    """An instant of the API."""
    return datetime.fromisoformat(instant)


def seconds_between(earlier: str, later: str) -> float:
    """How far two instants of the API are apart."""
    return (parsed(later) - parsed(earlier)).total_seconds()


@dataclass(frozen=True)
class Got:
    """One request as it came. Header names are lower-case."""

    raw: bytes

    @cached_property
    def headers(self) -> dict[str, str]:
        head = self.raw.partition(b"\r\n\r\n")[0].decode("latin-1")
        pairs = [line.partition(":") for line in head.split("\r\n")[1:]]
        names = [name.lower() for name, _, _ in pairs]
        assert len(names) == len(set(names)), head
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def signatures(self) -> list[str]:
        return self.headers["webhook-signature"].split(" ")

    def signed_by(self, **secrets: str) -> list[str]:
        """The names of those whose secrets signed, in the order of the signatures.

        Checked with the library of Standard Webhooks, but for the age: clocks here are moved.
        """
        at = datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC)
        by_signature = {
            Webhook(secret).sign(self.message_id, at, self.body.decode()): name
            for name, secret in secrets.items()
        }
        return [by_signature.get(signature, "somebody else") for signature in self.signatures]


class Sink:
    """A listening receiver. `answers` are given in turn, the last one for ever."""

    def __init__(self, *answers: bytes) -> None:
        self.got: list[Got] = []
        self._answers = list(answers) or [reply(200)]
        self._let_go = threading.Event()
        self._let_go.set()
        self._lock = threading.Lock()
        self._receiver = Receiver(self._serve)
        self._receiver.start()
        self.under_way = self.most_under_way = 0

    @property
    def url(self) -> str:
        return self._receiver.url()

    def answer_with(self, *answers: bytes) -> None:
        """Answer like this from now on."""
        with self._lock:
            self._answers = list(answers)

    def hold(self) -> None:
        """Let requests wait for their answer."""
        self._let_go.clear()

    def let_go(self) -> None:
        """Answer what waits."""
        self._let_go.set()

    def wait_for(self, count: int) -> Sequence[Got]:
        """The requests once there are so many."""
        got: Sequence[Got] = eventually(lambda: list(self.got), lambda got: len(got) >= count)
        return got

    @property
    def last(self) -> Got:
        return self.got[-1]

    def stop(self) -> None:
        self.let_go()
        self._receiver.stop()

    def _serve(self, peer: socket) -> None:
        while raw := read_request(peer):
            with self._lock:
                self.got.append(Got(raw))
                self.under_way += 1
                self.most_under_way = max(self.most_under_way, self.under_way)
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            self._let_go.wait()
            with self._lock:
                self.under_way -= 1
            peer.sendall(answer)
