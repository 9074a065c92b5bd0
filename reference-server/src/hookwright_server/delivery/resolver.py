"""Names to numeric addresses: one lookup for each attempt, in threads of its own, bounded in time.

uvloop's own `getaddrinfo` shares four threads with everything else; a few slow name servers
would stall every delivery. Threads here are daemons, so a stuck lookup never delays an exit.
"""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections.abc import Callable
from typing import Protocol

Lookup = Callable[[str], tuple[str, ...]]
MAX_THREADS = 32


class Resolver(Protocol):
    """What the sender asks for addresses."""

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Every address of `host` in the order to try. Raises OSError when there is none."""
        ...


def system_lookup(host: str) -> tuple[str, ...]:
    """Ask the machine's resolver. The trailing dot keeps search domains out of it."""
    answers = socket.getaddrinfo(f"{host}.", None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))


class ThreadResolver:
    """Runs `lookup` in up to `max_threads` threads; lookups of one name under way are shared."""

    def __init__(self, lookup: Lookup = system_lookup, max_threads: int = MAX_THREADS) -> None:
        self._lookup = lookup
        self._max_threads = max_threads
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = 0
        self._under_way: dict[str, asyncio.Future[tuple[str, ...]]] = {}

    async def resolve(self, host: str) -> tuple[str, ...]:
        answer = self._under_way.get(host)
        if answer is None:
            answer = self._start(host)
        # A caller that gives up must not take the answer from the others.
        return await asyncio.shield(answer)

    def close(self) -> None:
        """Let the idle threads end; lookups under way are abandoned."""
        for _ in range(self._threads):
            self._jobs.put(None)
        self._threads = 0

    def _start(self, host: str) -> asyncio.Future[tuple[str, ...]]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[str, ...]] = loop.create_future()
        answer.add_done_callback(lambda done: self._finish(host, done))
        self._under_way[host] = answer
        self._jobs.put(lambda: _run(loop, answer, self._lookup, host))
        if self._threads < min(self._max_threads, len(self._under_way)):
            self._threads += 1
            threading.Thread(target=_serve, args=(self._jobs,), daemon=True, name="dns").start()
        return answer

    def _finish(self, host: str, answer: asyncio.Future[tuple[str, ...]]) -> None:
        self._under_way.pop(host, None)
        if not answer.cancelled():
            answer.exception()  # fetched here: every caller may have given up by now


def _serve(jobs: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()


def _run(
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[tuple[str, ...]],
    lookup: Lookup,
    host: str,
) -> None:
    addresses: tuple[str, ...] = ()
    error: OSError | None = None
    try:
        addresses = lookup(host)
    except OSError as failure:
        error = failure
    except UnicodeError as failure:
        error = OSError(str(failure))
    try:
        loop.call_soon_threadsafe(_settle, answer, addresses, error)
    except RuntimeError:
        return  # the loop has closed: nobody waits any more


def _settle(
    answer: asyncio.Future[tuple[str, ...]], addresses: tuple[str, ...], error: OSError | None
) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(addresses)
    else:
        answer.set_exception(error)
