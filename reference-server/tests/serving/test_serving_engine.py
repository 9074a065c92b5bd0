"""The engine's process: begun, told, asked, begun anew when it dies, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from hookwright_server.serving import EngineProcess, StartRefused, engine_process

WaitUntil = Callable[..., None]
_HERE = Path(__file__).parent
_OWNER = """
import sys
from hookwright_server.serving import EngineProcess
engine = EngineProcess("engine_app:make")
engine.start()
print(engine.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine of the tests is found, and where it leaves its traces."""
    paths = os.pathsep.join([str(_HERE), *sys.path])
    monkeypatch.setenv("PYTHONPATH", paths)
    monkeypatch.setenv("SERVING_TEST_FOLDER", str(tmp_path))


@contextmanager
def _running(*handles: int) -> Generator[EngineProcess]:
    engine = EngineProcess("engine_app:make", handles)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop(20)


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_is_a_process_of_its_own(tmp_path: Path) -> None:
    """It inherits the handles it is given, and ends in order."""
    given = tmp_path / "given"
    given.write_text("shared")
    with given.open("rb") as file, _running(file.fileno()) as engine:
        pid = engine.pid
        ran = engine.is_running()

    assert f"{pid}\n" == (tmp_path / "started").read_text()
    assert pid != os.getpid()
    assert "shared" == (tmp_path / "read").read_text()
    assert (tmp_path / "stopped").exists()
    assert (True, False) == (ran, engine.is_running())


def test_it_is_woken_and_asked(tmp_path: Path, wait_until: WaitUntil) -> None:
    """Hints arrive; questions are answered by what comes of them."""
    with _running() as engine:
        engine.wake()
        answers = [engine.run_until_quiescent(2), engine.run_until_quiescent(0.5)]
        answers.append(engine.do_chores(1))
        wait_until((tmp_path / "woken").exists)

    assert [True, False, True] == answers


def test_one_that_dies_is_begun_anew(tmp_path: Path, wait_until: WaitUntil) -> None:
    """Meanwhile it is not running; whoever had asked it is told that nothing came of it."""
    with _running() as engine:
        answers: list[bool] = []
        asking = threading.Thread(target=lambda: answers.append(engine.run_until_quiescent(0)))
        asking.start()
        wait_until((tmp_path / "asked").exists)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        asking.join()
        wait_until(lambda: len((tmp_path / "started").read_text().split()) == 2)
        wait_until(engine.is_running)
        again = engine.do_chores(1)

    assert ([False], True) == (answers, again)


def test_hints_are_no_trouble_without_an_engine() -> None:
    """Neither before it is there nor after its end."""
    engine = EngineProcess("engine_app:make")
    engine.wake()
    engine.start()
    engine.stop(20)
    engine.wake()

    assert not engine.is_running()
    assert not engine.run_until_quiescent(1)


def test_one_that_cannot_begin_is_told_of() -> None:
    """It is not tried again: the start fails as a whole."""
    engine = EngineProcess("engine_app:refuse")

    with pytest.raises(StartRefused, match="exit code 3"):
        engine.start()


def test_one_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    """After the time that it was given."""
    with _running() as engine:
        (tmp_path / "slow").touch()
        pid = engine.pid or 0
        engine.stop(0.2)

    assert _is_gone(pid)
    assert not (tmp_path / "stopped").exists()


def test_one_that_reads_nothing_is_killed() -> None:
    """Neither a suspended engine nor a connection full of hints keeps the server from ending."""
    with _running() as engine:
        pid = engine.pid or 0
        os.kill(pid, signal.SIGSTOP)
        for _ in range(5_000):
            engine.wake()
        stopping = threading.Thread(target=engine.stop, args=(0.3,), daemon=True)
        stopping.start()
        stopping.join(60)
        hangs = stopping.is_alive()
        if hangs:
            os.kill(pid, signal.SIGKILL)

    assert not hangs
    assert _is_gone(pid)


@pytest.mark.parametrize("hints", [0, 5_000])
def test_one_that_does_not_answer_is_begun_anew(
    hints: int, monkeypatch: pytest.MonkeyPatch, wait_until: WaitUntil
) -> None:
    """Who asked a suspended engine is told that nothing came of it, and the next one is asked."""
    monkeypatch.setattr(engine_process, "_ANSWER_GRACE_S", 0.2)
    with _running() as engine:
        pid = engine.pid or 0
        os.kill(pid, signal.SIGSTOP)
        for _ in range(hints):
            engine.wake()
        answer = engine.run_until_quiescent(0.1)
        wait_until(lambda: engine.pid != pid and engine.is_running())

    assert not answer
    assert _is_gone(pid)


def _no_thread(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("can't start new thread")


def test_a_fault_at_the_first_start_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it was: the start does not wait for an engine that nobody begins."""
    monkeypatch.setattr(subprocess, "Popen", _no_thread)
    engine = EngineProcess("engine_app:make")

    with pytest.raises(StartRefused, match="new thread"):
        engine.start()


def test_a_fault_is_no_reason_to_go_on_without_an_engine(
    monkeypatch: pytest.MonkeyPatch, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and another start is tried."""
    with _running() as engine:
        pid = engine.pid or 0
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", _no_thread)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: "engine_keeper_fault" in caplog.messages)
        wait_until(engine.is_running)

    assert pid != engine.pid


def test_it_does_not_outlive_its_parent(wait_until: WaitUntil) -> None:
    """Whatever ends that one."""
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
        wait_until(lambda: _is_gone(pid))


def test_signals_are_its_parents_matter(wait_until: WaitUntil, tmp_path: Path) -> None:
    """A terminal sends them to everybody; the engine goes on until it is told to stop."""
    with _running() as engine:
        assert engine.pid is not None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(engine.pid, number)
        engine.wake()
        wait_until((tmp_path / "woken").exists)
        ran = engine.is_running()

    assert ran
