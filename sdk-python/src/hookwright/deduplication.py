"""
Remembering which webhooks were handled: delivery is at least once, so a handler may see one twice.

A handler that is running has *claimed* its event for a lease; once it has succeeded, the event is
*done* and remembered; when it failed, the event is *released*, so that the sender's next attempt
is handled. A process that dies while it handles leaves a claim that ends with its lease, and
nothing is lost. A claim has a token: who comes back after its lease has ended cannot touch the
claim, or the done event, of who came next.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

from hookwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "LEASE_SECONDS",
    "REMEMBER_SECONDS",
    "Claim",
    "DeduplicationStore",
    "MemoryStore",
    "RedisStore",
    "Refusal",
]

REMEMBER_SECONDS: Final = 7 * 24 * 3600
"""
How long handled events are remembered: 7 days. The longest preset of a retry schedule (`default`)
goes on for 75 h 17 min 35 s, with all its jitter for 82 h 50 min. A schedule of your own that is
longer needs more, and so do replays by hand that are to be recognized.
"""
LEASE_SECONDS: Final = 300
"""How long a claim of a handler that never comes back keeps others from handling the event."""


class Refusal(Enum):
    """Why an event is not the caller's to handle."""

    RUNNING = "running"
    """It is being handled."""
    DONE = "done"
    """It was handled."""


Claim: TypeAlias = str | Refusal
"""The token of a claim, or why there is none."""


class DeduplicationStore(Protocol):
    """
    Where events are remembered. All processes that receive the same webhooks share one.

    A `key` is an event behind one receiver: the receiver's name, a colon and the event's id.
    """

    def claim(self, key: str, lease_seconds: float) -> Claim:
        """
        Claim an event, if it is neither claimed nor done. Of several callers one gets it, and a
        token that no other claim has.
        """
        ...

    def complete(self, key: str, token: str, remember_seconds: float) -> None:
        """
        Remember an event as done, unless another claim than `token`'s has followed: then nothing
        changes. A claim whose lease has ended and that nobody followed is completed.
        """
        ...

    def release(self, key: str, token: str) -> None:
        """
        Give a claim back: the event was not handled. Where the event is done, or claimed by
        another token, nothing changes.
        """
        ...


class _Entry(NamedTuple):
    token: str | None  # None: done
    until: float


class MemoryStore:
    """
    Remembers in this process, safe for threads: for tests, and for a server of one process that
    may handle an event again after a restart. Of more than `max_entries` the oldest are forgotten.
    """

    def __init__(
        self, max_entries: int = 100_000, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if max_entries < 1:
            raise UsageError(f"max_entries is at least 1, not {max_entries!r}")
        self._most = max_entries
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def claim(self, key: str, lease_seconds: float) -> Claim:
        with self._lock:
            entry = self._current(key)
            if entry is not None:
                return Refusal.DONE if entry.token is None else Refusal.RUNNING
            token = new_token()
            self._put(key, _Entry(token, self._clock() + lease_seconds))
            return token

    def complete(self, key: str, token: str, remember_seconds: float) -> None:
        with self._lock:
            entry = self._current(key)
            if entry is None or entry.token == token:
                self._put(key, _Entry(None, self._clock() + remember_seconds))

    def release(self, key: str, token: str) -> None:
        with self._lock:
            entry = self._current(key)
            if entry is not None and entry.token == token:
                del self._entries[key]

    def _current(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        return entry if entry is not None and entry.until > self._clock() else None

    def _put(self, key: str, entry: _Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)


class RedisClient(Protocol):
    """As much of `redis.Redis` as is needed."""

    def set(self, name: str, value: str, *, nx: bool = ..., px: int | None = ...) -> Any: ...
    def get(self, name: str) -> Any: ...
    def eval(self, script: str, numkeys: int, *keys_and_args: str) -> Any: ...


# Scripts, because comparing and writing must be one step.
_COMPLETE: Final = """
local held = redis.call('GET', KEYS[1])
if not held or held == ARGV[1] then redis.call('SET', KEYS[1], 'done', 'PX', ARGV[2]) end
"""
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class RedisStore:
    """
    Remembers in Redis or Valkey, through a `redis.Redis` of yours that may run scripts (EVAL): one
    key for each event and receiver.
    """

    def __init__(self, client: RedisClient, prefix: str = "hookwright:event:") -> None:
        self._client = client
        self._prefix = prefix

    def claim(self, key: str, lease_seconds: float) -> Claim:
        name, token = self._prefix + key, new_token()
        if self._client.set(name, token, nx=True, px=_milliseconds(lease_seconds)):
            return token
        # A key that has gone in between reads as running: the sender comes again.
        done = self._client.get(name) in {b"done", "done"}
        return Refusal.DONE if done else Refusal.RUNNING

    def complete(self, key: str, token: str, remember_seconds: float) -> None:
        milliseconds = str(_milliseconds(remember_seconds))
        self._client.eval(_COMPLETE, 1, self._prefix + key, token, milliseconds)

    def release(self, key: str, token: str) -> None:
        self._client.eval(_RELEASE, 1, self._prefix + key, token)


def new_token() -> str:
    """A claim's token, unlike every other one."""
    return secrets.token_hex(16)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
