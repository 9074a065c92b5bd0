"""The servers behind the front door: which of them gets the next request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

# A client's connection stays with its server unless that one has this much more to do than another:
# moving costs a connection.
_BUSIER_FACTOR = 2
_BUSIER_REQUESTS = 4


class Backend:
    """One server on a unix socket, and what it has to do for the front door's clients."""

    __slots__ = ("connections", "idle", "is_silent", "path", "requests", "retired")

    def __init__(self, path: str) -> None:
        self.path = path
        self.connections = 0
        self.requests = 0
        self.retired = False
        self.is_silent = False
        """Whether it lately did not answer; it gets requests only when all are silent."""
        self.idle = asyncio.Event()
        self.idle.set()

    @property
    def load(self) -> tuple[bool, int, int]:
        """The smaller, the better to send something there."""
        return (self.is_silent, self.requests, self.connections)

    def joined(self, unanswered: int) -> None:
        """A client's connection belongs to it now, with `unanswered` requests."""
        self.connections += 1
        self._count(unanswered)

    def left(self, unanswered: int) -> None:
        """A client's connection belongs to it no more, nor do `unanswered` requests of it."""
        self.connections -= 1
        self._count(-unanswered)

    def sent(self) -> None:
        """One more request."""
        self._count(1)

    def answered(self) -> None:
        """One request less."""
        self._count(-1)

    def _count(self, change: int) -> None:
        self.requests += change
        if self.requests:
            self.idle.clear()
        else:
            self.idle.set()


class Backends:
    """The servers that may be given requests. For use on the front door's event loop."""

    def __init__(self, *paths: str) -> None:
        self._present: list[Backend] = []
        for path in paths:
            self.add(path)

    def __iter__(self) -> Iterator[Backend]:
        return iter(self._present)

    def add(self, path: str) -> Backend:
        """Give requests also to the server that listens on `path`."""
        backend = Backend(path)
        self._present.append(backend)
        return backend

    def retire(self, backend: Backend) -> None:
        """Give it nothing new; what it has goes on, and then its `idle` is set."""
        backend.retired = True
        if backend in self._present:
            self._present.remove(backend)

    def choose(self, other_than: Backend | None = None) -> Backend | None:
        """The least busy server, and among equals each in its turn; None when there is none."""
        choice = min(
            (each for each in self._present if each is not other_than),
            key=lambda each: each.load,
            default=None,
        )
        if choice is not None and len(self._present) > 1:
            self._present.remove(choice)
            self._present.append(choice)
        return choice

    def suits(self, backend: Backend) -> bool:
        """Whether a client's next request should go to the same server as its last one."""
        if backend.retired:
            return False
        if backend.requests <= _BUSIER_REQUESTS and not backend.is_silent:
            return True
        silent, requests, _ = min(each.load for each in self._present)
        if backend.is_silent:
            return silent
        return backend.requests <= _BUSIER_FACTOR * requests + _BUSIER_REQUESTS
