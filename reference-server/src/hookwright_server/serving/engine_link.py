"""What is said between the process that answers requests and its engine's: a line each.

The engine says `ready` when it delivers. It is told `hint` (something may be due) and `stop`, and
asked `settle SECONDS` and `chores SECONDS` (see `Deliverer`), one question at a time; it answers
`done` or `late`. The end of the one is the end of the other.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal, Self

Order = Literal["hint", "stop"]
Question = Literal["settle", "chores"]
READY, DONE, LATE = "ready", "done", "late"


class Link:
    """One end of the connection. Lines are read by one thread at a time."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._heard = b""

    @classmethod
    def of(cls, handle: int) -> Self:
        """The inherited end with that file descriptor."""
        return cls(socket.socket(fileno=handle))

    def hint(self) -> None:
        """Say `hint`, unless the other side is gone or has many of them to read."""
        with suppress(OSError):
            self._socket.send(b"hint\n", socket.MSG_DONTWAIT)

    def say(self, line: str, within_s: float | None = None) -> None:
        """Say a line; nothing happens when the other side is gone.

        Raises TimeoutError when it has not made room for the line within `within_s` seconds.
        """
        until = _until(within_s)
        said = f"{line}\n".encode("ascii")
        while said:
            self._await(select.POLLOUT, until)
            try:
                said = said[self._socket.send(said, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                continue
            except OSError:
                return

    def hear(self, within_s: float | None = None) -> str:
        """The next line; empty when the other side is gone.

        Raises TimeoutError when none has come within `within_s` seconds.
        """
        until = _until(within_s)
        while b"\n" not in self._heard:
            self._await(select.POLLIN, until)
            try:
                more = self._socket.recv(4_096)
            except OSError:
                return ""
            if not more:
                return ""
            self._heard += more
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode("ascii")

    def __iter__(self) -> Iterator[str]:
        return iter(self.hear, "")

    def close(self) -> None:
        """Let go of it. Nobody may be reading."""
        self._socket.close()

    def _await(self, what: int, until: float | None) -> None:
        ready = select.poll()
        ready.register(self._socket, what)
        left_ms = None if until is None else max(0.0, until - time.monotonic()) * 1000
        if not ready.poll(left_ms):
            raise TimeoutError


def _until(within_s: float | None) -> float | None:
    return None if within_s is None else time.monotonic() + within_s
