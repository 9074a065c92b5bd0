"""RQ is the engine's home in the production form: what its jobs do, and the worker that runs them.

One queue, and jobs that carry nothing but their name. The engine lives in the worker process and
claims only while a `drain` job runs, which ends itself after a slice of some seconds; then RQ does
its upkeep, and the worker asks for the next one. The truth is in the database: that jobs are lost
or doubled changes nothing but a moment's delay.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# rq is typed in part only: its annotations leave out what lists and dicts hold.
from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import DequeueTimeout, InvalidJobOperation, StopRequested
from rq.job import Job
from rq.registry import clean_registries
from rq.serializers import JSONSerializer
from rq.suspension import is_suspended
from rq.timeouts import BaseDeathPenalty
from rq.worker import WorkerStatus
from rq.worker_registration import clean_worker_registry

from hookwright_server.delivery.redis_waker import RedisWaker, Trouble

_log = logging.getLogger(__name__)

QUEUE = "hookwright"

_DRAIN = "hookwright_server.delivery.jobs.drain"
_MAINTAINED = "hookwright:maintained"
_MAINTAIN_EVERY_S = 10
# How long a job may seem to run before RQ takes it for abandoned: a slice lasts longer than
# asked for while Redis cannot be reached.
_JOB_TIMEOUT_S = 300
_FAILURE_KEPT_S = 3_600
_WORKER_TTL_S = 60
_IDLE_LOOK_S = 1
_SUSPENDED_LOOK_S = 1.0
_RECEIVE_S = 0.5
_SHORTEST_S = 0.01  # none at all would be for ever
_WITHOUT_REDIS_S = 1.0
_RETRY_AFTER_S = 0.2


class Claiming(Protocol):
    """The part of the engine that a drain steers."""

    def resume(self) -> None:
        """Claim."""
        ...

    def pause(self) -> None:
        """Do not claim."""
        ...


class DrainQueue:
    """The one queue of RQ, from the side of those who ask for a drain."""

    def __init__(self, redis: Redis) -> None:
        self.rq = _queue(redis)

    def ask_for_drain(self) -> None:
        """Enqueue a drain unless a job waits already. Raises RedisError."""
        if self.rq.count == 0:
            self.rq.enqueue_call(
                _DRAIN,
                timeout=_JOB_TIMEOUT_S,
                result_ttl=0,
                failure_ttl=_FAILURE_KEPT_S,
                description="drain",
            )


def drain() -> None:
    """The job: let this process's engine deliver for a slice."""
    if _resident is None:
        raise RuntimeError("this job needs the engine: run it with `hookwright-server worker`")
    _resident.run_slice()


@dataclass(frozen=True, slots=True)
class Resident:
    """An engine that delivers in slices; `slice_s` seconds each."""

    engine: Claiming
    waker: RedisWaker
    stopping: threading.Event
    slice_s: float

    def run_slice(self) -> None:
        """Claim for a slice; if Redis goes away meanwhile, until it is back."""
        self._claim_for(self.slice_s)

    def run_without_redis(self) -> None:
        """Claim until Redis does its part again: it is only a hint."""
        self._claim_for(_WITHOUT_REDIS_S)

    def _claim_for(self, least_s: float) -> None:
        until = time.monotonic() + least_s
        self.engine.resume()
        try:
            while not self.stopping.is_set():
                left_s = until - time.monotonic()
                answered = self.waker.receive(max(_SHORTEST_S, min(left_s, _RECEIVE_S)))
                if not answered:
                    self.stopping.wait(_RETRY_AFTER_S)
                elif time.monotonic() >= until:
                    return
        finally:
            self.engine.pause()


_resident: Resident | None = None


def work_on(redis: Redis, resident: Resident) -> None:
    """Be an RQ worker until `resident.stopping` is set. Returns with the engine paused."""
    global _resident
    _resident = resident
    trouble = Trouble("worker", resident.waker.meter)
    while not resident.stopping.is_set():
        try:
            _Worker(redis, resident.stopping, trouble).work()
        except (RedisError, OSError) as error:
            trouble.came(error)
        # It ends whenever Redis fails it. The engine goes on meanwhile.
        if not resident.stopping.is_set():
            resident.run_without_redis()


def handle_signals(stopping: threading.Event, hurry: Callable[[], None]) -> None:
    """Have SIGTERM and SIGINT set `stopping`, and each further one call `hurry`."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            hurry()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


class _NoDeathPenalty(BaseDeathPenalty):
    """A drain ends itself. RQ's alarm would interrupt whatever code happens to run."""

    def setup_death_penalty(self) -> None:
        pass

    def cancel_death_penalty(self) -> None:
        pass


class _Worker(SimpleWorker):
    """RQ's worker in this process, without a part that waits longer than a second for Redis."""

    death_penalty_class = _NoDeathPenalty

    def __init__(self, redis: Redis, stopping: threading.Event, trouble: Trouble) -> None:
        super().__init__(
            [_queue(redis)],
            connection=redis,
            serializer=JSONSerializer,
            worker_ttl=_WORKER_TTL_S,
            log_job_description=False,
        )
        self._stopping = stopping
        self._trouble = trouble
        self._drains = DrainQueue(redis)

    @property
    def connection_timeout(self) -> int:
        return _IDLE_LOOK_S + 1

    @property
    def should_run_maintenance_tasks(self) -> bool:
        return False

    def bootstrap(self, *_options: Any, **_more: Any) -> None:
        """Without RQ's log handlers, and without a thread that listens for its commands."""
        register: Callable[[], None] = self.register_birth
        register()
        self.set_state(WorkerStatus.STARTED)

    def _install_signal_handlers(self) -> None:
        """Ours stay: RQ's raise exceptions wherever the process happens to be."""

    def check_for_suspension(self, burst: bool) -> None:
        """Wait while `rq suspend` holds, but no longer than the process is to run.

        RQ's own waits for a signal that its handlers would have noted.
        """
        try:
            held = False
            while not self._stopping.is_set() and is_suspended(self.connection, self):
                if not held:
                    _log.warning("worker_suspended: `rq resume` lets it go on")
                    self.set_state(WorkerStatus.SUSPENDED)
                held = True
                self._stopping.wait(_SUSPENDED_LOOK_S)
        except (RedisError, OSError) as error:
            self._trouble.came(error)
            raise StopRequested from error

    def get_heartbeat_ttl(self, job: Job) -> int:
        return _JOB_TIMEOUT_S

    def execute_job(self, job: Job, queue: Queue) -> None:
        """End the work, quietly, when Redis is lost."""
        try:
            super().execute_job(job, queue)
        except (RedisError, OSError) as error:
            self._trouble.came(error)
            raise StopRequested from error

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """A job that is gone when it ends (FLUSHALL) needs no traceback."""
        if isinstance(exc_info[1], InvalidJobOperation):
            _log.warning("job_vanished job=%s", job.id)
        else:
            super().handle_exception(job, *exc_info)

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """The next job; None, which ends the work, when the process stops or Redis fails."""
        try:
            return self._next_job()
        except (RedisError, OSError) as error:
            self._trouble.came(error)
            return None

    def _next_job(self) -> tuple[Job, Queue] | None:
        self.set_state(WorkerStatus.IDLE)
        while not self._stopping.is_set():
            self._maintain()
            self.heartbeat()
            self._drains.ask_for_drain()
            try:
                found = self.queue_class.dequeue_any(
                    self.queues, _IDLE_LOOK_S, self.connection, serializer=self.serializer
                )
            except DequeueTimeout:
                continue
            self._trouble.went()
            return found
        return None

    def _maintain(self) -> None:
        """RQ's own upkeep, under a lock that does not outlive a killed worker for long."""
        if not self.connection.set(_MAINTAINED, 1, nx=True, ex=_MAINTAIN_EVERY_S):
            return
        for queue in self.queues:
            clean_registries(queue)
            clean_worker_registry(queue)
            queue.intermediate_queue.cleanup(self, queue)


def _queue(redis: Redis) -> Queue:
    return Queue(QUEUE, connection=redis, serializer=JSONSerializer)
