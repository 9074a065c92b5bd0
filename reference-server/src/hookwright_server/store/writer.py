"""Group commit: one thread gathers whatever has queued and commits it in one transaction.

There is no deliberate wait: while one group is being committed, or another process writes, the
next one gathers itself.
A group that fails is repeated job by job, so a job's `work` may run twice; only the run that is
committed counts. Jobs that one after the other wait in vain for a lock are not let to make
everybody wait: the rest of their group is refused.

Acceptances with an ordering key come last in a group, and one whose lane another transaction holds
waits for a later group: nobody else waits with it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

from hookwright_server.store import ordering
from hookwright_server.store.acceptance import (
    DELIVERIES_AT_ONCE,
    Acceptance,
    NewDelivery,
    NewMessage,
    NewRecord,
)
from hookwright_server.store.backend import Backend
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import NotWritten, StoreUnavailable, WriterBusy, WriteUnknown
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.rollup_deltas import count_accepted
from hookwright_server.telemetry.meters import SILENT, WriterMeter

__all__ = ["Acceptance", "NewDelivery", "NewMessage", "NewRecord", "Writer", "WriterLimits"]

T = TypeVar("T")
Wake = Callable[[], None]
_Work = Callable[[Connection], object]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """`group` jobs are committed at once, fewer if they hold `deliveries`: what goes to very many
    endpoints must not take so long that the database ends it, or that the engine, which waits for
    its turn, loses its session. A caller waits for its own `wait_s` seconds.

    What is accepted in an order waits for its lane `lane_s` seconds: longer than Postgres leaves
    the transaction of a process that has stopped. At most `lane_callers` threads do, so that some
    are left for other requests.

    How many wait needs no bound: callers wait, so there is one for each of their threads at most.
    The front door bounds what waits for these.
    """

    group: int = 512
    deliveries: int = DELIVERIES_AT_ONCE
    wait_s: float = 30.0
    lane_s: float = 8.0
    lane_callers: int = 32


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    # What a future holds is known to the method that made it; the writer only hands it on.
    future: Future[Any]
    work: _Work | None
    acceptance: Acceptance | None
    makes_work_due: bool
    durable: bool = True
    queued_at: float = field(default_factory=time.monotonic)
    caller: int = field(default_factory=threading.get_ident)

    @property
    def is_ordered(self) -> bool:
        """Whether it is an acceptance that waits for others."""
        return self.acceptance is not None and self.acceptance.message.ordering_key is not None

    @property
    def deliveries(self) -> int:
        """How many it writes."""
        return 0 if self.acceptance is None else len(self.acceptance.deliveries)

    @property
    def order(self) -> tuple[str, str | None] | None:
        """The app and the key in whose order it takes part."""
        if self.acceptance is None:
            return None
        message = self.acceptance.message
        return message.app_id, message.ordering_key


@dataclass(frozen=True, slots=True)
class _Ran:
    """What to do after the commit, and the jobs of which nothing has been written."""

    settlements: list[_Settle]
    waiting: list[_Job]


_Settle = Callable[[], None]

_BLOCKED_IN_A_ROW = 2
_LOOK_AGAIN_S = 0.01


class Writer:
    """The one thread of a process that writes."""

    def __init__(
        self,
        backend: Backend,
        wake: Wake,
        limits: WriterLimits | None = None,
        meter: WriterMeter = SILENT,
    ) -> None:
        self._backend = backend
        self._wake = wake
        self._meter = meter
        self._limits = limits or WriterLimits()
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting: list[_Job] = []  # in order, and ahead of all that is queued
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hookwright-writer", daemon=True)
        self._thread.start()

    def accept(self, acceptance: Acceptance) -> None:
        """See `Database.accept`."""
        future: Future[None] = Future()
        self._put(_Job(future, None, acceptance, bool(acceptance.deliveries)))
        self._wait(future)

    def accept_all(self, acceptances: Sequence[Acceptance]) -> list[Exception | None]:
        """See `Database.accept_all`. They queue together, so few groups hold them, and they are
        waited for together: all of them `wait_s`, not each."""
        until = time.monotonic() + self._limits.wait_s
        futures: list[Future[None]] = []
        for acceptance in acceptances:
            futures.append(Future())
            self._put(_Job(futures[-1], None, acceptance, bool(acceptance.deliveries)))
        return [self._failure(future, until) for future in futures]

    def write(self, work: Callable[[Connection], T]) -> T:
        """See `Database.write`."""
        future: Future[T] = Future()
        self._put(_Job(future, work, None, makes_work_due=True))
        return self._wait(future)

    def submit(self, work: Callable[[Connection], T], *, durable: bool) -> Future[T]:
        """See `Database.submit`. Does not wake: the engine knows what it has written."""
        future: Future[T] = Future()
        self._put(_Job(future, work, None, makes_work_due=False, durable=durable))
        return future

    def queued(self) -> int:
        """How many jobs wait now."""
        return self._queue.qsize() + len(self._waiting)

    def close(self) -> None:
        """Commit what is queued, then end the thread. Later jobs are refused."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _put(self, job: _Job) -> None:
        with self._closing:
            if self._closed:
                raise WriterBusy("the server is stopping")
            self._queue.put(job)

    def _failure(self, future: Future[None], until: float) -> Exception | None:
        try:
            self._wait(future, until)
        except Exception as error:  # noqa: BLE001 - every failure is an answer
            return error
        return None

    def _wait(self, future: Future[T], until: float | None = None) -> T:
        left_s = self._limits.wait_s if until is None else max(0.0, until - time.monotonic())
        try:
            return future.result(left_s)
        except TimeoutError:
            if future.cancel():
                raise WriterBusy(f"not written within {self._limits.wait_s} s") from None
            if not future.done():
                raise WriteUnknown(f"no answer within {self._limits.wait_s} s") from None
        return future.result()

    def _run(self) -> None:
        running = True
        while running or self._waiting:
            gathered: list[_Job] = []
            try:
                first = self._queue.get(timeout=_LOOK_AGAIN_S if self._waiting else None)
            except queue.Empty:
                self._backend.await_turn()
            else:
                self._backend.await_turn()
                gathered, running = self._gather(first)
            waiting, self._waiting = self._waiting, []
            jobs = waiting + [job for job in gathered if _is_admitted(job)]
            if jobs:
                self._commit(jobs)
            else:
                self._backend.pass_turn()

    def _gather(self, first: _Job | None) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        deliveries = 0
        job = first
        while job is not None:
            if job.future.set_running_or_notify_cancel():
                jobs.append(job)
                deliveries += job.deliveries
            if len(jobs) >= self._limits.group or deliveries >= self._limits.deliveries:
                return jobs, True
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _commit(self, jobs: Sequence[_Job]) -> bool:
        """Commit together, or each alone. False: the only job waited for a lock in vain."""
        durable = any(job.durable for job in jobs)
        began_at = time.perf_counter()
        try:
            ran = self._backend.transact(lambda c: self._run_jobs(c, jobs), durable=durable)
        except (StoreUnavailable, WriteUnknown) as error:
            for job in jobs:  # each caller raises an exception of its own
                job.future.set_exception(_copied(error))
        except Exception as error:  # noqa: BLE001 - every failure is the waiting job's answer
            return self._failed(jobs, error)
        else:
            took_s = time.perf_counter() - began_at
            waiting = set(ran.waiting)
            done = [job for job in jobs if job not in waiting] if waiting else jobs
            if any(job.makes_work_due for job in done):
                self._woken()
            for settle in ran.settlements:
                settle()
            self._keep(ran.waiting)
            if done:
                self._meter.committed(len(done), self._queue.qsize(), took_s)
        return True

    def _keep(self, waiting: Sequence[_Job]) -> None:
        since = time.monotonic() - self._limits.lane_s
        # In the order in which they came; those kept by the parts of a failed group count too.
        callers = {job.caller for job in self._waiting}
        for job in waiting:
            if len(callers) < self._limits.lane_callers:
                callers.add(job.caller)
            if job.queued_at > since and job.caller in callers:
                self._waiting.append(job)
            else:
                told = "another transaction holds the order that it belongs to"
                job.future.set_exception(WriterBusy(told))

    def _failed(self, jobs: Sequence[_Job], error: Exception) -> bool:
        if len(jobs) == 1:
            jobs[0].future.set_exception(self._backend.translated(error))
            return not self._backend.blocks(error)
        # The first line alone: Postgres adds the values of the row to what it says.
        _log.warning("group_retried jobs=%d error=%r", len(jobs), str(error).partition("\n")[0])
        for _, some in groupby(sorted(jobs, key=_is_ordered), _is_ordered):
            blocked = 0
            for job in some:
                if job.is_ordered and any(each.order == job.order for each in self._waiting):
                    self._keep([job])  # its lane may be free by now, but it must not overtake
                elif blocked == _BLOCKED_IN_A_ROW:
                    job.future.set_exception(_blocked())
                else:
                    blocked = 0 if self._commit([job]) else blocked + 1
        return True

    def _woken(self) -> None:
        try:
            self._wake()
        except Exception:  # noqa: BLE001 - a lost hint must not lose the answers below
            _log.exception("wake_failed")

    def _run_jobs(self, connection: Connection, jobs: Sequence[_Job]) -> _Ran:
        settlements = _accept(connection, [job for job in jobs if not job.is_ordered])
        works = [(job, job.work) for job in jobs if job.work is not None]
        if len(jobs) == 1:
            settlements += [_alone(connection, job, work) for job, work in works]
        else:
            settlements += self._each_apart(connection, works)
        # Last: workers wait for the lanes that these hold.
        free, waiting = _by_lanes(connection, [job for job in jobs if job.is_ordered])
        return _Ran(settlements + _accept(connection, free), waiting)

    def _each_apart(
        self, connection: Connection, works: Sequence[tuple[_Job, _Work]]
    ) -> list[_Settle]:
        settlements: list[_Settle] = []
        blocked = 0
        for job, work in works:
            if blocked == _BLOCKED_IN_A_ROW:
                settlements.append(partial(job.future.set_exception, _blocked()))
                continue
            settle, is_blocked = self._apart(connection, job, work)
            settlements.append(settle)
            blocked = blocked + 1 if is_blocked else 0
        return settlements

    def _apart(self, connection: Connection, job: _Job, work: _Work) -> tuple[_Settle, bool]:
        """Run one job under a savepoint: its failure undoes only what it did.

        Also tells whether it waited for a lock in vain.
        """
        # Plain SQL: `begin_nested` compiles these statements anew each time.
        connection.exec_driver_sql("SAVEPOINT job")
        try:
            result = work(connection)
        except Exception as error:
            if self._backend.spoils(error):
                raise
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT job")
            failure = self._backend.translated(error)
            return partial(job.future.set_exception, failure), self._backend.blocks(error)
        connection.exec_driver_sql("RELEASE SAVEPOINT job")
        return partial(job.future.set_result, result), False


def _is_admitted(job: _Job) -> bool:
    if job.acceptance is None or job.acceptance.admit is None:
        return True
    try:
        job.acceptance.admit()
    except Exception as error:  # noqa: BLE001 - every failure is the waiting job's answer
        job.future.set_exception(error)
        return False
    return True


def _is_ordered(job: _Job) -> bool:
    return job.is_ordered


def _by_lanes(connection: Connection, jobs: Sequence[_Job]) -> tuple[list[_Job], list[_Job]]:
    """Hold the lanes of ordered acceptances; those that have theirs, and those that wait."""
    if not jobs:
        return [], []
    told = ordering.waiting(connection, [job.acceptance for job in jobs if job.acceptance])
    pairs = list(zip(jobs, told, strict=True))
    return [job for job, waits in pairs if not waits], [job for job, waits in pairs if waits]


def _alone(connection: Connection, job: _Job, work: _Work) -> _Settle:
    """Run the only job of a transaction: its failure ends that."""
    result = work(connection)
    return lambda: job.future.set_result(result)


def _blocked() -> StoreUnavailable:
    return StoreUnavailable("another transaction holds what is to be written; try again later")


def _copied(error: Exception) -> Exception:
    copy = type(error)(str(error))
    copy.__cause__ = error.__cause__ or error
    return copy


def _accept(connection: Connection, jobs: Sequence[_Job]) -> list[_Settle]:
    """All acceptances of the group at once, before other jobs could make them stale."""
    pairs = [(job, job.acceptance) for job in jobs if job.acceptance is not None]
    if not pairs:
        return []
    refusals = hot_sql(connection).accept(connection, [acceptance for _, acceptance in pairs])
    verdicts = zip(pairs, refusals, strict=True)
    count_accepted(connection, [a for (_, a), refusal in verdicts if refusal is None])
    return [_answer(job, refusal) for (job, _), refusal in zip(pairs, refusals, strict=True)]


def _answer(job: _Job, refusal: NotWritten | None) -> _Settle:
    if refusal is None:
        return lambda: job.future.set_result(None)
    return lambda: job.future.set_exception(refusal)
