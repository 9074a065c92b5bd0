"""Hints through Redis: the API processes tell workers on any machine that something may be due.

Redis is never waited for by a request, and never believed: a hint that is lost, late or doubled
costs at most the time to an engine's next look at the database.
"""

# pyright: reportUnknownMemberType=false
# redis is typed in part only.
from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from hookwright_server.delivery.waker import Listener, MemoryWaker
from hookwright_server.telemetry.meters import SILENT, RedisMeter

_log = logging.getLogger(__name__)

_PREFIX = "hookwright:"
_HINTS = f"{_PREFIX}hints"
_DRAINED = f"{_PREFIX}drained"
# A hint says nothing but "look": more than a few of them at a time tell nothing new.
_MOST_HINTS = 32
_PUSH_EVERY_S = 0.001
_TIMEOUT_S = 1.0
_KEEP_EVERY_S = 2.0
_DRAINED_FOR_S = 4
_ASK_EVERY_S = 0.5
_RENEW_EVERY_S = 1.0
_RETRY_AFTER_S = 0.5
_LOG_EVERY_S = 5.0

Ask = Callable[[], object]


def connect(url: str, *, timeout_s: float = _TIMEOUT_S) -> Redis:
    """A client whose every call ends within `timeout_s`, without silent repetitions."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )


class Trouble:
    """Counts what went wrong with Redis, and logs it at most every few seconds."""

    def __init__(self, where: str, meter: RedisMeter = SILENT) -> None:
        self._where = where
        self._meter = meter
        self._logged_at = 0.0
        self.count = 0
        self.now = False

    def came(self, error: Exception) -> None:
        """Redis failed."""
        self.count += 1
        self.now = True
        self._meter.redis_failed(self._where)
        if time.monotonic() - self._logged_at >= _LOG_EVERY_S:
            self._logged_at = time.monotonic()
            _log.warning(
                "redis_failed in=%s times=%d error=%s", self._where, self.count, _told(error)
            )

    def went(self) -> None:
        """Redis answered."""
        if self.now:
            self.now = False
            _log.info("redis_answers in=%s", self._where)


class RedisWaker:
    """A waker between processes.

    `wake` only notes the hint; a thread, which `start` begins, pushes it. That thread also sees
    that somebody drains: as long as nobody says so, it calls `ask_for_drain` every few seconds.
    A process that drains calls `receive` in a loop.
    """

    def __init__(self, redis: Redis, ask_for_drain: Ask, meter: RedisMeter = SILENT) -> None:
        self._redis = redis
        self._ask_for_drain = ask_for_drain
        self._local = MemoryWaker()
        self._owed = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._renewed_at = 0.0
        self._asked_at = -_ASK_EVERY_S
        self.meter = meter
        self.trouble = Trouble("waker", meter)

    def wake(self) -> None:
        self._owed.set()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        return self._local.subscribe(listener)

    def answers(self) -> bool:
        """Whether Redis did what was last asked of it."""
        return not self.trouble.now

    def start(self) -> None:
        """Push hints from now on."""
        self._thread = threading.Thread(target=self._push_on, name="hookwright-waker", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Push no more."""
        self._closed.set()
        self._owed.set()
        if self._thread is not None:
            self._thread.join()

    def receive(self, wait_s: float) -> bool:
        """Wait for a hint, at most `wait_s` seconds, and tell the listeners.

        Says too that this process drains. False: Redis failed, without waiting.
        """
        try:
            if self._popped(wait_s):
                self._local.wake()
        except (RedisError, OSError) as error:
            self.trouble.came(error)
            self._renewed_at = 0.0
            return False
        self.trouble.went()
        return True

    def _popped(self, wait_s: float) -> bool:
        now = time.monotonic()
        if now - self._renewed_at < _RENEW_EVERY_S:
            return self._redis.blpop([_HINTS], wait_s) is not None
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(_DRAINED, 1, ex=_DRAINED_FOR_S)
            pipeline.blpop([_HINTS], wait_s)
            popped = pipeline.execute()[1]
        self._renewed_at = now
        return popped is not None

    def _push_on(self) -> None:
        while not self._closed.is_set():
            owed = self._owed.wait(_KEEP_EVERY_S)
            self._owed.clear()
            try:
                self._push(hint=owed)
            except (RedisError, OSError) as error:
                self.trouble.came(error)
                if owed:
                    self._owed.set()
                self._closed.wait(_RETRY_AFTER_S)
            else:
                self.trouble.went()
                self._closed.wait(_PUSH_EVERY_S)

    def _push(self, *, hint: bool) -> None:
        if hint and int(self._redis.lpush(_HINTS, 1)) > _MOST_HINTS:
            self._redis.ltrim(_HINTS, 0, _MOST_HINTS - 1)
        now = time.monotonic()
        if now - self._asked_at >= _ASK_EVERY_S:
            self._asked_at = now
            if self._redis.set(_DRAINED, 1, nx=True, ex=_DRAINED_FOR_S):
                self._ask_for_drain()


def _told(error: Exception) -> str:
    # The first line is enough, and some errors repeat the address they could not reach.
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
