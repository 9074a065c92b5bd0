"""Names to numeric addresses: one lookup for each attempt, in threads of its own, bounded in time.

uvloop's own `getaddrinfo` shares four threads with everything else; a few slow name servers
would stall every delivery. Threads here are daemons, so a stuck lookup never delays an exit.

Threads are shared like the engine's slots (`room.py`): an account may occupy as many as are free
at the moment, so that slow names of one account, or of several, leave threads for the others.
"""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

Lookup = Callable[[str], tuple[str, ...]]
MAX_THREADS: Final = 32
LOOKUP_SECONDS: Final = 5.0


class Resolver(Protocol):
    """What the sender asks for addresses."""

    async def resolve(self, host: str, account_id: str) -> tuple[str, ...]:
        """Every address of `host` in the order to try. Raises OSError when there is none."""
        ...


def system_lookup(host: str) -> tuple[str, ...]:
    """Ask the machine's resolver. The trailing dot keeps search domains out of it."""
    answers = socket.getaddrinfo(f"{host}.", None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))


@dataclass(slots=True, eq=False)
class _Job:
    """One lookup, and how many wait for it."""

    host: str
    account_id: str
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[tuple[str, ...]]
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    waiters: int = 0


class ThreadResolver:
    """Runs `lookup` in up to `max_threads` threads, for `lookup_s` seconds at most.

    The time counts from when a thread takes the lookup; how long to wait for a thread is up to
    the caller. An account's lookups of one name under way are shared.
    """

    def __init__(
        self,
        lookup: Lookup = system_lookup,
        max_threads: int = MAX_THREADS,
        lookup_s: float = LOOKUP_SECONDS,
    ) -> None:
        self._lookup = lookup
        self._max_threads = max_threads
        self._lookup_s = lookup_s
        self._taken: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = 0
        self._busy: dict[str, int] = {}
        self._waiting: dict[str, deque[_Job]] = {}
        self._under_way: dict[tuple[str, str], _Job] = {}

    async def resolve(self, host: str, account_id: str) -> tuple[str, ...]:
        job = self._under_way.get((account_id, host)) or self._line_up(host, account_id)
        job.waiters += 1
        try:
            self._hand_out()
            await job.begun.wait()
            async with asyncio.timeout(self._lookup_s):
                # A caller that gives up must not take the answer from the others.
                return await asyncio.shield(job.answer)
        except TimeoutError as error:
            raise OSError(f"{host}: no answer within {self._lookup_s} s") from error
        finally:
            job.waiters -= 1

    def close(self) -> None:
        """Let the idle threads end; lookups under way are abandoned."""
        for _ in range(self._threads):
            self._taken.put(None)
        self._threads = 0

    def _line_up(self, host: str, account_id: str) -> _Job:
        loop = asyncio.get_running_loop()
        job = _Job(host, account_id, loop, loop.create_future())
        self._under_way[account_id, host] = job
        self._waiting.setdefault(account_id, deque()).append(job)
        return job

    def _hand_out(self) -> None:
        """Give waiting lookups to free threads, the accounts in turn."""
        while (free := self._max_threads - sum(self._busy.values())) > 0:
            ready = (one for one in self._waiting if self._busy.get(one, 0) < free)
            account_id = next(ready, None)
            if account_id is None:
                return
            line = self._waiting.pop(account_id)
            job = line.popleft()
            if line:
                self._waiting[account_id] = line
            if job.waiters:
                self._start(job)
            else:
                del self._under_way[account_id, job.host]

    def _start(self, job: _Job) -> None:
        self._busy[job.account_id] = self._busy.get(job.account_id, 0) + 1
        job.begun.set()
        self._taken.put(job)
        if self._threads < sum(self._busy.values()):
            self._threads += 1
            threading.Thread(target=self._serve, daemon=True, name="dns").start()

    def _serve(self) -> None:
        while (job := self._taken.get()) is not None:
            answer: tuple[str, ...] | OSError
            try:
                answer = self._lookup(job.host)
            except OSError as error:
                answer = error
            except Exception as error:  # noqa: BLE001 - such as UnicodeError; the thread goes on
                answer = OSError(str(error))
            try:
                job.loop.call_soon_threadsafe(self._finish, job, answer)
            except RuntimeError:
                return  # the loop has closed: nobody waits any more

    def _finish(self, job: _Job, answer: tuple[str, ...] | OSError) -> None:
        del self._under_way[job.account_id, job.host]
        self._busy[job.account_id] -= 1
        if not self._busy[job.account_id]:
            del self._busy[job.account_id]
        if isinstance(answer, OSError):
            job.answer.set_exception(answer)
            job.answer.exception()  # fetched here: every caller may have given up by now
        else:
            job.answer.set_result(answer)
        self._hand_out()
