"""The worker processes behind one front door: started, watched, replaced, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hookwright_server.http.frontdoor import Backend, Backends
from hookwright_server.serving.process_settings import ProcessSettings
from hookwright_server.serving.worker_process import WorkerProcess, first

_log = logging.getLogger(__name__)

_LIVE = "/health/live"
_READY = "/health/ready"
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
# Who lived this long did not die of its start.
_STABLE_S = 30.0

Launch = Callable[[], WorkerProcess]


@dataclass(slots=True, eq=False)
class _Member:
    """A worker process that serves; `lock` is held by who replaces it."""

    worker: WorkerProcess
    backend: Backend
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    replaced: asyncio.Event = field(default_factory=asyncio.Event)
    pause_s: float = 0.0

    def replace(self, worker: WorkerProcess, backend: Backend) -> None:
        """Put others in their place."""
        self.worker, self.backend = worker, backend
        self.replaced.set()
        self.replaced = asyncio.Event()

    def lengthen_pause(self) -> None:
        """Let the next restart wait longer than the last."""
        self.pause_s = min(max(2 * self.pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)


class Fleet:
    """All methods are for the event loop that serves the front door.

    With `restarts` a dead worker is replaced; without, `broken` is set.
    """

    def __init__(
        self,
        launch: Launch,
        backends: Backends,
        settings: ProcessSettings,
        on_change: Callable[[tuple[int, ...]], object] = lambda pids: None,
    ) -> None:
        self._launch_one = launch
        self._backends = backends
        self._settings = settings
        self._on_change = on_change
        self._launched: list[WorkerProcess] = []
        self._members: list[_Member] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._rolling: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._roll_again = False
        self.broken = asyncio.Event()
        self.failure = ""
        """Why `broken` is set; empty when the worker has said so itself."""

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that serve, in the order of their places."""
        return tuple(member.worker.pid for member in self._members)

    async def start(self, stop: asyncio.Event) -> bool:
        """Start every worker and wait until all answer. False: one cannot, or `stop` was set."""
        workers = [self._launch() for _ in range(self._settings.processes)]
        all_answer = await first(
            _all_answer(workers),
            stop.wait(),
            asyncio.sleep(self._settings.start_s),
            *(worker.gone.wait() for worker in workers),
        )
        if stop.is_set():
            return False
        if not all_answer:
            self._report_start(workers)
            return False
        self._members = [_Member(each, self._backends.add(str(each.path))) for each in workers]
        self._tasks = [asyncio.create_task(self._keep(member)) for member in self._members]
        if self._settings.processes > 1:
            self._tasks.append(asyncio.create_task(self._ask_all()))
        return True

    def roll(self) -> None:
        """Replace every worker, one after the other, without failing a request."""
        if not self._members:
            return  # they are just starting
        if self._rolling is not None and not self._rolling.done():
            self._roll_again = True
            return
        self._rolling = asyncio.create_task(self._roll())

    def give_notice(self) -> None:
        """Tell the workers that the server is about to stop: they are not ready any more."""
        for worker in self._launched:
            worker.give_notice()

    async def stop(self, hurry: asyncio.Event) -> bool:
        """End every worker; `hurry` shortens it. False: not all ended as they should.

        With `restarts` it does not matter that one had died before and was just being replaced.
        """
        await self._stop_keeping()
        serving = [member.worker for member in self._members] or list(self._launched)
        if self._settings.restarts and self._members:
            serving = [worker for worker in serving if worker.is_running]
        for worker in self._launched:
            worker.order_stop()
        done = await asyncio.gather(*(self._end(each, hurry) for each in self._launched))
        in_order = all(each.stopped_in_order for each in serving)
        return in_order and all(done)

    async def close(self) -> None:
        """Leave no process behind."""
        await self._stop_keeping()
        for worker in self._launched:
            worker.close()
        self._launched.clear()

    def _launch(self) -> WorkerProcess:
        worker = self._launch_one()
        self._launched.append(worker)
        return worker

    def _launched_again(self) -> WorkerProcess | None:
        """A new worker; None: the machine cannot start one now (memory, processes, files)."""
        try:
            return self._launch()
        except OSError as error:
            _log.error("worker_not_launched why=%r", str(error))
            return None

    async def _forget(self, worker: WorkerProcess) -> None:
        worker.kill()
        await worker.gone.wait()
        self._launched.remove(worker)
        worker.close()

    def _report_start(self, workers: Iterable[WorkerProcess]) -> None:
        dead = [worker for worker in workers if worker.gone.is_set()]
        if any(worker.has_refused for worker in dead):
            return
        if dead:
            self.failure = f"the worker process ended unexpectedly ({dead[0].how_it_ended})"
        else:
            self.failure = f"the worker did not answer within {self._settings.start_s:g} s"

    # One worker's place

    async def _keep(self, member: _Member) -> None:
        """Replace the worker of this place whenever it has died."""
        loop = asyncio.get_running_loop()
        while True:
            worker, since = member.worker, loop.time()
            await first(worker.gone.wait(), member.replaced.wait())
            if worker is not member.worker:
                continue
            if not self._settings.restarts:
                self._break(worker)
                return
            self._backends.retire(member.backend)
            _log.error("worker_died pid=%d how=%r", worker.pid, worker.how_it_ended)
            if loop.time() - since > _STABLE_S:
                member.pause_s = 0.0
            async with member.lock:
                if worker is member.worker:
                    await self._restart(member)

    def _break(self, worker: WorkerProcess) -> None:
        if not worker.has_refused:
            self.failure = f"the worker process ended unexpectedly ({worker.how_it_ended})"
        self.broken.set()

    async def _restart(self, member: _Member) -> None:
        dead = member.worker
        while True:
            await asyncio.sleep(member.pause_s)
            member.lengthen_pause()
            new = self._launched_again()
            if new is None:
                continue
            if await self._came_up(new, _LIVE):
                break
            _log.error("worker_restart_failed pid=%d how=%r", new.pid, _why(new))
            await self._forget(new)
        member.replace(new, self._backends.add(str(new.path)))
        _log.warning("worker_restarted pid=%d in_place_of=%d", new.pid, dead.pid)
        self._on_change(self.pids)
        await self._forget(dead)

    async def _came_up(self, worker: WorkerProcess, target: str) -> bool:
        return await first(
            worker.until_it_answers(target),
            worker.gone.wait(),
            asyncio.sleep(self._settings.start_s),
        )

    # Rolling restart

    async def _roll(self) -> None:
        again = True
        while again:
            self._roll_again = False
            for member in self._members:
                async with member.lock:
                    renewed = await self._renew(member)
                if not renewed:
                    return
            again = self._roll_again
        await asyncio.gather(*self._retiring)
        _log.warning("workers_renewed pids=%s", ",".join(map(str, self.pids)))

    async def _renew(self, member: _Member) -> bool:
        new = self._launched_again()
        if new is None:
            return False
        if not await self._came_up(new, _READY):
            _log.error("renewal_given_up pid=%d how=%r: the old workers go on", new.pid, _why(new))
            await self._forget(new)
            return False
        old, backend = member.worker, member.backend
        member.replace(new, self._backends.add(str(new.path)))
        self._backends.retire(backend)
        self._on_change(self.pids)
        task = asyncio.create_task(self._retire(old, backend))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
        return True

    async def _retire(self, worker: WorkerProcess, backend: Backend) -> None:
        await first(
            backend.idle.wait(), worker.gone.wait(), asyncio.sleep(self._settings.stop_requests_s)
        )
        worker.order_stop()
        await self._end(worker, asyncio.Event())
        await self._forget(worker)

    # The end

    async def _end(self, worker: WorkerProcess, hurry: asyncio.Event) -> bool:
        """Wait for the ordered end, else kill."""
        if await worker.ended(self._settings.stop_worker_s, hurry):
            return True
        if hurry.is_set() and await worker.ended(self._settings.stop_hurried_s):
            return True
        _log.error("hookwright-server: the worker did not stop in time and is killed")
        worker.kill()
        await worker.gone.wait()
        return False

    async def _stop_keeping(self) -> None:
        tasks, self._tasks = [*self._tasks, *self._retiring], []
        if self._rolling is not None:
            tasks.append(self._rolling)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Who answers

    async def _ask_all(self) -> None:
        while True:
            await asyncio.sleep(self._settings.asked_every_s)
            await asyncio.gather(*(self._ask(member) for member in self._members))

    async def _ask(self, member: _Member) -> None:
        worker, backend = member.worker, member.backend
        if worker.gone.is_set():
            return
        answers = False
        with contextlib.suppress(TimeoutError):
            answers = await asyncio.wait_for(worker.answers(_LIVE), self._settings.answer_within_s)
        if backend.is_silent is answers:
            _log.warning("worker_%s pid=%d", "answers" if answers else "silent", worker.pid)
        backend.is_silent = not answers


def _why(worker: WorkerProcess) -> str:
    return worker.how_it_ended if worker.gone.is_set() else "it did not answer in time"


async def _all_answer(workers: Iterable[WorkerProcess]) -> None:
    for worker in workers:
        await worker.until_it_answers(_LIVE)
