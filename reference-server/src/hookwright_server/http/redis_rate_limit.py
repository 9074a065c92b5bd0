"""Rate limits over all processes: counted in Redis, on its clock, and never waited for long.

A script counts and answers in one atomic step, so with Redis no window of any subject grants more
than its quota. Requests that have been noted share an exchange: whoever needs a standing first
asks for all; among publishers that is the writer, once for a group. While Redis does not answer
in time each process counts for itself, going on from what Redis last told it, so that a window
then grants at most the quota times the number of processes.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from hiredis import HiredisError
from redis.exceptions import RedisError

from hookwright_server.clock import Clock
from hookwright_server.http.rate_limit import (
    Counted,
    Known,
    Policy,
    ProcessRateLimiter,
    Standing,
    standing,
)
from hookwright_server.http.redis_wire import Wire, wires
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


class RedisRateLimiter:
    """Counts in Redis; see above.

    An exchange lasts at most `patience_s` seconds. The first that takes longer is the last one
    until Redis answers again, so an outage delays only the requests that waited when it began.
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
        """Tries to connect once, for a second or two. `url`: redis://, rediss:// or unix://.

        Raises ValueError when `url` is none of these.
        """
        self._patience_s = patience_s
        self._local = ProcessRateLimiter(clock)
        self._link = _Link(wires(url, patience_s), meter, retry_every_s)
        self._noted: deque[_Question] = deque()
        self._turn = threading.Lock()

    def count(self, policy: Policy, *subject: str) -> Counted:
        """See `RateLimiter.count`."""
        refused = self._local.exceeded(policy, *subject)
        if refused is not None:
            return Known(refused)
        if not self._link.is_up():
            return self._local.count(policy, *subject)
        question = _Question(self._answered, policy, subject)
        self._noted.append(question)
        return question

    def answers(self) -> bool:
        """Whether Redis counts, and not each process for itself."""
        return self._link.is_up()

    def close(self) -> None:
        """Let go of the connection; from now on this process counts for itself."""
        self._link.close()

    def _answered(self, question: _Question) -> Standing:
        """Redis' answer to it, or this process's own."""
        if self._turn.acquire(timeout=self._patience_s):
            try:
                while question.awaits and self._link.is_up():
                    self._ask_for_all()
            finally:
                self._turn.release()
        question.given_up = True
        return question.answer or self._local.count_now(question.policy, *question.subject)

    def _ask_for_all(self) -> None:
        batch: list[_Question] = []
        while self._noted and len(batch) < _MOST_AT_ONCE:
            question = self._noted.popleft()
            if not question.given_up:
                batch.append(question)
        keys = [f"{_PREFIX}{':'.join((each.policy.name, *each.subject))}" for each in batch]
        windows = [str(each.policy.window_s * 1000) for each in batch]
        try:
            told = self._link.ask("EVAL", _SCRIPT, str(len(batch)), *keys, *windows)
            for question, used, left_ms in zip(batch, told[::2], told[1::2], strict=False):
                self._local.learn(question.policy, question.subject, used, left_ms)
                question.answer = standing(question.policy, used, left_ms)
        finally:
            for question in batch:
                if question.answer is None:  # it is noted no more, so nobody would ever ask
                    question.given_up = True


class _Question:
    """One request to be counted."""

    __slots__ = ("_ask", "answer", "given_up", "policy", "subject")

    def __init__(
        self, ask: Callable[[_Question], Standing], policy: Policy, subject: tuple[str, ...]
    ) -> None:
        self._ask = ask
        self.policy = policy
        self.subject = subject
        self.answer: Standing | None = None
        self.given_up = False

    @property
    def known(self) -> bool:
        return self.answer is not None

    @property
    def awaits(self) -> bool:
        return self.answer is None and not self.given_up

    def standing(self) -> Standing:
        if self.answer is None:
            self.answer = self._ask(self)
        return self.answer


class _Link:
    """One connection, and a thread that makes a new one when it is lost: no request connects."""

    def __init__(self, make: Callable[[], Wire], meter: RedisMeter, retry_every_s: float) -> None:
        self._make = make
        self._meter = meter
        self._retry_every_s = retry_every_s
        self._closing = threading.Event()
        self._lost = threading.Event()
        self._wire: Wire | None = self._connected()
        self._thread = threading.Thread(target=self._run, name="hookwright-limits", daemon=True)
        self._thread.start()

    def is_up(self) -> bool:
        return self._wire is not None

    def ask(self, *words: str) -> Sequence[int]:
        """Redis' answer, empty when there is none in time. One thread at a time may ask."""
        wire = self._wire
        if wire is None:
            return ()
        try:
            wire.send(*words)
            return wire.receive()
        except (RedisError, HiredisError, OSError) as error:
            self._meter.redis_failed("limiter")
            _log.warning("rate_limits_by_process error=%s", type(error).__name__)
        self._wire = None
        wire.close()
        self._lost.set()
        return ()

    def close(self) -> None:
        self._closing.set()
        self._lost.set()
        self._thread.join()
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._wire is None:
                self._closing.wait(self._retry_every_s)
                self._wire = self._connected()
            else:
                self._lost.wait()
                self._lost.clear()

    def _connected(self) -> Wire | None:
        wire = self._make()
        try:
            wire.connect()
        except (RedisError, HiredisError, OSError):
            wire.close()
            return None
        _log.info("rate_limits_by_redis")
        return wire
