"""A machine that cannot start a process for a while: memory, process numbers or files are short."""

from __future__ import annotations

import asyncio
import errno
import itertools
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from hookwright_server.http.frontdoor import Backends
from hookwright_server.serving import fleet
from hookwright_server.serving.fleet import Fleet
from hookwright_server.serving.process_settings import ProcessSettings
from hookwright_server.serving.worker_process import WorkerProcess

_PATIENCE_S = 60.0


class _Worker:
    """Answers from the start, until it is killed."""

    _pids = itertools.count(1)

    has_refused = False
    stopped_in_order = True
    how_it_ended = "signal 9"

    def __init__(self) -> None:
        self.pid = next(self._pids)
        self.path = Path(f"/nowhere/{self.pid}")
        self.gone = asyncio.Event()

    async def until_it_answers(self, target: str) -> None:
        if self.gone.is_set():
            await asyncio.Event().wait()

    async def ended(self, limit_s: float, *hurry: asyncio.Event) -> bool:
        return self.gone.is_set()

    def order_stop(self) -> None:
        self.gone.set()

    def kill(self) -> None:
        self.gone.set()

    def close(self) -> None:
        self.gone.set()


class _Machine:
    """Starts workers; the next `refusals` launches fail."""

    def __init__(self) -> None:
        self.refusals = 0
        self.workers: list[_Worker] = []

    def launch(self) -> WorkerProcess:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EAGAIN, "no more processes")
        self.workers.append(_Worker())
        return cast("WorkerProcess", self.workers[-1])


async def _until(condition: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to that"
        await asyncio.sleep(0.005)


def _run(work: Callable[[Fleet, _Machine], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        machine = _Machine()
        kept = Fleet(machine.launch, Backends(), ProcessSettings(processes=1, restarts=True))
        assert await kept.start(asyncio.Event())
        await work(kept, machine)
        await kept.close()

    asyncio.run(main())


def test_a_worker_is_restarted_when_the_machine_can(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Launches that fail are logged and repeated; the place of the dead worker is filled."""
    monkeypatch.setattr(fleet, "_FIRST_PAUSE_S", 0.01)

    async def work(kept: Fleet, machine: _Machine) -> None:
        machine.refusals = 3
        machine.workers[0].kill()
        await _until(lambda: kept.pids == (machine.workers[-1].pid,) and len(machine.workers) == 2)

    _run(work)

    assert 3 == caplog.text.count("worker_not_launched")
    assert "no more processes" in caplog.text


def test_a_renewal_is_given_up_when_the_machine_cannot(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The old worker goes on, and the next SIGHUP renews it."""

    async def work(kept: Fleet, machine: _Machine) -> None:
        machine.refusals = 1
        before = kept.pids
        kept.roll()
        await _until(lambda: "worker_not_launched" in caplog.text)
        assert before == kept.pids
        await asyncio.sleep(0)
        kept.roll()
        await _until(lambda: kept.pids != before)

    _run(work)


def test_a_worker_nobody_can_watch_is_not_left_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a thread to wait for its end, the process just started is ended again."""
    started: list[WorkerProcess] = []
    close = WorkerProcess.close

    def no_thread(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def closed(worker: WorkerProcess) -> None:
        close(worker)
        started.append(worker)

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    monkeypatch.setattr(WorkerProcess, "close", closed)

    async def main() -> None:
        with pytest.raises(OSError, match="new thread"):
            WorkerProcess([], tmp_path / "socket", None)

    asyncio.run(main())

    assert ["signal 9"] == [worker.how_it_ended for worker in started]
