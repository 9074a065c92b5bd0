"""Group commit: one thread gathers whatever has queued and commits it in one transaction.

There is no deliberate wait: while one group is being committed, the next one gathers itself.
A group that fails is repeated job by job, so a job's `work` may run twice; only the run that is
committed counts. Jobs that one after the other wait in vain for a lock are not let to make
everybody wait: the rest of their group is refused.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from hookwright_server.store.acceptance import Acceptance, NewDelivery, NewMessage, NewRecord
from hookwright_server.store.backend import Backend
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import NotWritten, StoreUnavailable, WriterBusy, WriteUnknown
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.telemetry.meters import SILENT, WriterMeter

__all__ = ["Acceptance", "NewDelivery", "NewMessage", "NewRecord", "Writer", "WriterLimits"]

T = TypeVar("T")
Wake = Callable[[], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """`group` jobs are committed at once, a caller waits for its own `wait_s` seconds.

    How many wait needs no bound: callers wait, so there is one for each of their threads at most.
    The front door bounds what waits for these.
    """

    group: int = 512
    wait_s: float = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    # What a future holds is known to the method that made it; the writer only hands it on.
    future: Future[Any]
    work: Callable[[Connection], object] | None
    acceptance: Acceptance | None
    makes_work_due: bool
    durable: bool = True


_Settle = Callable[[], None]

_BLOCKED_IN_A_ROW = 2


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
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hookwright-writer", daemon=True)
        self._thread.start()

    def accept(self, acceptance: Acceptance) -> None:
        """See `Database.accept`."""
        future: Future[None] = Future()
        self._put(_Job(future, None, acceptance, bool(acceptance.deliveries)))
        self._wait(future)

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
        return self._queue.qsize()

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

    def _wait(self, future: Future[T]) -> T:
        try:
            return future.result(self._limits.wait_s)
        except TimeoutError:
            if future.cancel():
                raise WriterBusy(f"not written within {self._limits.wait_s} s") from None
            if not future.done():
                raise WriteUnknown(f"no answer within {self._limits.wait_s} s") from None
        return future.result()

    def _run(self) -> None:
        running = True
        while running:
            gathered, running = self._gather()
            jobs = [job for job in gathered if _is_admitted(job)]
            if jobs:
                self._commit(jobs)

    def _gather(self) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            if job.future.set_running_or_notify_cancel():
                jobs.append(job)
            if len(jobs) >= self._limits.group:
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
            settlements = self._backend.transact(lambda c: self._run_jobs(c, jobs), durable=durable)
        except (StoreUnavailable, WriteUnknown) as error:
            for job in jobs:  # each caller raises an exception of its own
                job.future.set_exception(_copied(error))
        except Exception as error:  # noqa: BLE001 - every failure is the waiting job's answer
            return self._failed(jobs, error)
        else:
            took_s = time.perf_counter() - began_at
            if any(job.makes_work_due for job in jobs):
                self._woken()
            for settle in settlements:
                settle()
            self._meter.committed(len(jobs), self._queue.qsize(), took_s)
        return True

    def _failed(self, jobs: Sequence[_Job], error: Exception) -> bool:
        if len(jobs) == 1:
            jobs[0].future.set_exception(self._backend.translated(error))
            return not self._backend.blocks(error)
        # The first line alone: Postgres adds the values of the row to what it says.
        _log.warning("group_retried jobs=%d error=%r", len(jobs), str(error).partition("\n")[0])
        blocked = 0
        for job in jobs:
            if blocked == _BLOCKED_IN_A_ROW:
                job.future.set_exception(_blocked())
            else:
                blocked = 0 if self._commit([job]) else blocked + 1
        return True

    def _woken(self) -> None:
        try:
            self._wake()
        except Exception:  # noqa: BLE001 - a lost hint must not lose the answers below
            _log.exception("wake_failed")

    def _run_jobs(self, connection: Connection, jobs: Sequence[_Job]) -> list[_Settle]:
        settlements = _accept(connection, jobs)
        works = [(job, job.work) for job in jobs if job.work is not None]
        if len(jobs) == 1:
            return settlements + [_alone(connection, job, work) for job, work in works]
        blocked = 0
        for job, work in works:
            if blocked == _BLOCKED_IN_A_ROW:
                settlements.append(partial(job.future.set_exception, _blocked()))
                continue
            settle, is_blocked = self._apart(connection, job, work)
            settlements.append(settle)
            blocked = blocked + 1 if is_blocked else 0
        return settlements

    def _apart(
        self, connection: Connection, job: _Job, work: Callable[[Connection], object]
    ) -> tuple[_Settle, bool]:
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


def _alone(connection: Connection, job: _Job, work: Callable[[Connection], object]) -> _Settle:
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
    return [_answer(job, refusal) for (job, _), refusal in zip(pairs, refusals, strict=True)]


def _answer(job: _Job, refusal: NotWritten | None) -> _Settle:
    if refusal is None:
        return lambda: job.future.set_result(None)
    return lambda: job.future.set_exception(refusal)
