#!/usr/bin/env python3
"""Has the servers of mutants forked from one process: `python mutants/forks.py COMMAND …`.

Runs the command. Each `launch.py NAME` that is started under it hands over to a fork of this
process, which has everything imported and a database prepared: two fresh interpreters and a new
database for each mutant would cost more than all that the mutant is asked.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import broken_door
import launch
import mutant_worker
from replacing import replace

from hookwright_server.http import problems
from hookwright_server.serving import supervisor, worker, worker_process

IMPORTED = (broken_door, mutant_worker, problems, supervisor)
"""What the forks would import; this process is there to have it already."""
_LOOK_EVERY_S = 0.2


class _ForkedWorker:
    """What `subprocess.Popen` is to a `WorkerProcess`; forked before there are any threads, it
    waits to be told its command."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.returncode: int | None = None
        self._ending = threading.Lock()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(writing)
            _work(reading)
        os.close(reading)
        self.stdin = os.fdopen(writing, "wb")

    def begin(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Have it run the worker with these arguments."""
        self.stdin.write(json.dumps([arguments, dict(environment)]).encode() + b"\n")
        self.stdin.flush()

    def poll(self) -> int | None:
        return self._reaped(os.WNOHANG)

    def wait(self) -> int | None:
        with suppress(ChildProcessError):  # another thread has reaped it
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        return self._reaped(0)

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self) -> None:
        with suppress(BrokenPipeError):
            self.stdin.close()
        self.wait()

    def _reaped(self, options: int) -> int | None:
        with self._ending:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, options)
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
            return self.returncode


def _work(orders: int) -> None:
    """Be the worker; does not return."""
    status = 1
    try:
        os.dup2(2, 1)  # standard output is for the announcement
        line = b""
        while not line.endswith(b"\n"):  # byte by byte: what follows is for the worker
            read = os.read(orders, 1)
            if not read:
                return
            line += read
        arguments, environment = json.loads(line)
        os.dup2(orders, 0)
        signal.pthread_sigmask(signal.SIG_BLOCK, worker_process.SIGNALS_OF_THE_PARENT)
        _set_environment(environment)
        status = worker.main(arguments)
    finally:
        os._exit(status)


class _Subprocess:
    """What `worker_process` finds under the name `subprocess`."""

    PIPE = subprocess.PIPE

    def __init__(self) -> None:
        self._worker = _ForkedWorker()

    def Popen(  # noqa: N802 - as it is called there
        self, command: Sequence[str], *, stdin: int, env: Mapping[str, str]
    ) -> _ForkedWorker:
        del stdin
        self._worker.begin(command[3:], env)  # behind `python -m hookwright_server.serving.worker`
        return self._worker


class _Birth(socketserver.StreamRequestHandler):
    """In the fork: take the place of the `launch.py` that called."""

    def handle(self) -> None:
        _, handles, _, _ = socket.recv_fds(self.request, 1, 3)
        mutant, folder, environment = json.loads(self.rfile.readline())
        for number, handle in enumerate(handles):
            os.dup2(handle, number)
            os.close(handle)
        os.chdir(folder)
        _set_environment(environment)
        replace(worker_process, "subprocess", _Subprocess())
        threading.Thread(target=self._die_with_caller, daemon=True).start()
        self.wfile.write(bytes([launch.main(mutant)]))

    def _die_with_caller(self) -> None:
        self.request.recv(1)
        os.kill(os.getpid(), signal.SIGKILL)


class _Forks(  # pyright: ignore[reportIncompatibleVariableOverride] - of the library itself
    socketserver.ForkingMixIn, socketserver.UnixStreamServer
):
    block_on_close = False  # a fork ends with its caller
    timeout = _LOOK_EVERY_S
    request_queue_size = 64


def _set_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def main(command: Sequence[str]) -> int:
    """Run the command to its end and return its exit status."""
    gc.collect()
    gc.freeze()  # a collection in a fork would copy all of this memory
    with tempfile.TemporaryDirectory(prefix="hookwright-forks-") as name:
        folder = Path(name)
        environment = {**os.environ, launch.FORKS: str(folder / "socket"), launch.KEPT: name}
        _prepare(folder)
        with _Forks(environment[launch.FORKS], _Birth) as forks:
            running = subprocess.Popen(command, env=environment)
            while running.poll() is None:
                forks.handle_request()
    return running.returncode


def _prepare(folder: Path) -> None:
    """In a fork: a process that had a database open is nothing to fork from."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            launch.keep(folder)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise RuntimeError("the database could not be prepared")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
