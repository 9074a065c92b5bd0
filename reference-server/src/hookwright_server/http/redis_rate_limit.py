"""Rate limits over all processes: counted in Redis, on its clock, and never waited for long.

A script counts and answers in one atomic step, so with Redis no window of any subject grants more
than its quota. The requests of a moment share one exchange: whoever comes first asks for all that
wait. While Redis does not answer in time each process counts for itself, going on from what Redis
last told it, so that a window then grants at most the quota times the number of processes.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from hookwright_server.clock import Clock
from hookwright_server.http.rate_limit import Policy, ProcessRateLimiter, Standing, standing
from hookwright_server.telemetry.meters import SILENT, RedisMeter

_log = logging.getLogger(__name__)

_PREFIX = "hookwright:limit:"
# A window is a key that expires. Redis stands still while a script runs, its clock too.
_SCRIPT = """\
local answer = {}
for i, key in ipairs(KEYS) do
  local used = redis.call('INCR', key)
  local left = redis.call('PTTL', key)
  if left <= 0 then
    left = tonumber(ARGV[i])
    redis.call('PEXPIRE', key, left)
  end
  answer[2 * i - 1] = used
  answer[2 * i] = left
end
return answer
"""
_MOST_AT_ONCE = 256
_CONNECT_S = 1.0


class _Question:
    """One request that waits to be counted."""

    __slots__ = ("given_up", "policy", "standing", "subject")

    def __init__(self, policy: Policy, subject: tuple[str, ...]) -> None:
        self.policy = policy
        self.subject = subject
        self.standing: Standing | None = None
        self.given_up = False


class RedisRateLimiter:
    """Counts in Redis; see above.

    An exchange lasts at most `patience_s` seconds; the first that takes longer is the last until
    Redis answers again. So a request waits for its turn and its exchange, and no outage is met
    by more requests than waited when it began.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        meter: RedisMeter = SILENT,
        *,
        patience_s: float = 0.05,
        retry_every_s: float = 0.25,
    ) -> None:
        """Tries to connect once, for at most a second or two. `url`: redis://, rediss://, unix://.

        Raises ValueError when `url` is none of these.
        """
        self._patience_s = patience_s
        self._local = ProcessRateLimiter(clock)
        self._turn = threading.Lock()
        self._waiting: deque[_Question] = deque()
        self._link = _Link(url, meter, patience_s, retry_every_s)

    def count(self, policy: Policy, *subject: str) -> Standing:
        """See `RateLimiter.count`."""
        refused = self._local.exceeded(policy, *subject)
        if refused is not None:
            return refused
        return self._asked(policy, subject) or self._local.count(policy, *subject)

    def answers(self) -> bool:
        """Whether Redis counts, and not each process for itself."""
        return self._link.is_up()

    def close(self) -> None:
        """Let go of the connection; from now on this process counts for itself."""
        self._link.close()

    def _asked(self, policy: Policy, subject: tuple[str, ...]) -> Standing | None:
        if not self._link.is_up():
            return None
        question = _Question(policy, subject)
        self._waiting.append(question)
        if self._turn.acquire(timeout=self._patience_s):
            try:
                while question.standing is None and self._link.is_up():
                    self._ask_for_all()
            finally:
                self._turn.release()
        question.given_up = True
        return question.standing

    def _ask_for_all(self) -> None:
        """Answer the questions that wait, or none of them."""
        batch: list[_Question] = []
        while self._waiting and len(batch) < _MOST_AT_ONCE:
            question = self._waiting.popleft()
            if not question.given_up:
                batch.append(question)
        names = [f"{_PREFIX}{':'.join((q.policy.name, *q.subject))}" for q in batch]
        windows = [q.policy.window_s * 1000 for q in batch]
        answer = self._link.ask("EVAL", _SCRIPT, len(batch), *names, *windows)
        if answer is None:
            return
        for question, used, left_ms in zip(batch, answer[::2], answer[1::2], strict=True):
            self._local.learn(question.policy, question.subject, used, left_ms)
            question.standing = standing(question.policy, used, left_ms)


class _Connection(Protocol):
    """What is used of redis.Connection: a client above it costs twice the time of the exchange."""

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def pack_command(self, *words: str | int) -> Sequence[bytes]: ...
    def send_packed_command(self, command: Sequence[bytes], check_health: bool) -> None: ...
    def read_response(self) -> object: ...


class _Link:
    """One connection, and a thread that makes a new one when it is lost: no request connects."""

    def __init__(
        self, url: str, meter: RedisMeter, patience_s: float, retry_every_s: float
    ) -> None:
        pool = ConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType] - its **kwargs
            url,
            socket_timeout=patience_s,
            socket_connect_timeout=_CONNECT_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._make = cast("Callable[[], _Connection]", pool.make_connection)
        self._meter = meter
        self._retry_every_s = retry_every_s
        self._closed = threading.Event()
        self._connection: _Connection | None = None
        if not self._connect():
            self._connect_again()

    def is_up(self) -> bool:
        return self._connection is not None

    def ask(self, *words: str | int) -> list[int] | None:
        """Redis' answer; None when there is none in time. One thread at a time may ask."""
        connection = self._connection
        if connection is None:
            return None
        try:
            return cast("list[int]", _exchange(connection, *words))
        except (RedisError, OSError) as error:
            self._meter.redis_failed("limiter")
            _log.warning("rate_limits_by_process error=%s", type(error).__name__)
        self._connection = None
        connection.disconnect()
        if not self._closed.is_set():
            self._connect_again()
        return None

    def close(self) -> None:
        self._closed.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _connect_again(self) -> None:
        threading.Thread(target=self._keep_trying, name="hookwright-limits", daemon=True).start()

    def _keep_trying(self) -> None:
        while not self._closed.wait(self._retry_every_s) and not self._connect():
            pass

    def _connect(self) -> bool:
        connection = self._make()
        try:
            connection.connect()
            _exchange(connection, "PING")  # a process that is stopped accepts connections
        except (RedisError, OSError):
            connection.disconnect()
            return False
        self._connection = connection
        _log.info("rate_limits_by_redis")
        return True


def _exchange(connection: _Connection, *words: str | int) -> object:
    connection.send_packed_command(connection.pack_command(*words), check_health=False)
    return connection.read_response()
