"""The parent process: binds the port, starts the worker, opens the front door, stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop

from hookwright_server.http.frontdoor import FrontDoor, Limits, RenderProblem
from hookwright_server.serving.parent_watch import STOP_ORDER
from hookwright_server.serving.socket_folder import SOCKET, socket_folder
from hookwright_server.serving.start import REFUSED_EXIT_CODE

_log = logging.getLogger(__name__)

_HEALTH_REQUEST = (
    b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"  # to the worker
)
_HEALTH_PAUSE_S = 0.02
_DEATH_GRACE_S = 0.5
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_FILES_PER_CONNECTION = 2
_FILES_BESIDE = 512


@dataclass(frozen=True, slots=True)
class Ready:
    """Where the server can be reached, told once it answers."""

    host: str
    port: int
    worker_pid: int

    @property
    def url(self) -> str:
        """The base URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """The worker's request threads, and how long its start and a stop may take, in seconds.

    `stop_requests_s`: for requests in flight; `stop_worker_s`: then for the worker's own
    shutdown; `stop_hurried_s`: for the worker after a second signal, which drops the requests.
    """

    blocking_threads: int = 64
    start_s: float = 60.0
    stop_requests_s: float = 30.0
    stop_worker_s: float = 45.0
    stop_hurried_s: float = 2.0


def serve(
    app_factory: str,
    *,
    render_problem: RenderProblem,
    host: str = "127.0.0.1",
    port: int = 0,
    environment: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    process: ProcessSettings | None = None,
    on_ready: Callable[[Ready], object] | None = None,
) -> int:
    """Serve `module:function`, a function without arguments that returns a WSGI application.

    The function is called in the worker process, which gets `environment` on top of ours. Blocks
    until SIGTERM or SIGINT and returns the exit code: 0 after an orderly stop. Port 0 takes a free
    one; `on_ready` tells which. Raises OSError when the port cannot be bound. Belongs into the
    main thread.
    """
    process = process or ProcessSettings()
    limits = _within_file_limit(limits or Limits())
    with (
        _bind(host, port) as listener,
        socket_folder() as folder,
    ):
        socket_path = str(Path(folder) / SOCKET)
        worker = _start_worker(app_factory, socket_path, process, limits, environment)
        supervisor = _Supervisor(worker, socket_path, listener, render_problem, limits, process)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(supervisor.run(on_ready))
        finally:
            worker.kill()
            worker.communicate()


def _within_file_limit(limits: Limits) -> Limits:
    """Raise this process's limit of open files, or accept fewer connections than asked for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.max_connections * _FILES_PER_CONNECTION + _FILES_BESIDE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limits
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    possible = max(1, (allowed - _FILES_BESIDE) // _FILES_PER_CONNECTION)
    return replace(limits, max_connections=min(limits.max_connections, possible))


def _bind(host: str, port: int) -> socket.socket:
    """A bound socket that refuses connections until the front door listens on it."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _start_worker(
    app_factory: str,
    socket_path: str,
    process: ProcessSettings,
    limits: Limits,
    environment: Mapping[str, str] | None,
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "hookwright_server.serving.worker"]
    command += [app_factory, socket_path, "--parent-pid", str(os.getpid())]
    command += ["--blocking-threads", str(process.blocking_threads)]
    command += ["--connections", str(limits.max_connections)]
    environ = {**os.environ, **(environment or {})}
    with _signals_held():
        return subprocess.Popen(command, stdin=subprocess.PIPE, env=environ)


@contextlib.contextmanager
def _signals_held() -> Generator[None]:
    """Have a process that is started here never receive SIGTERM and SIGINT.

    A terminal or service manager signals the whole group; the parent tells the worker what
    follows. Ours are only delayed.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Supervisor:
    def __init__(
        self,
        worker: subprocess.Popen[bytes],
        socket_path: str,
        listener: socket.socket,
        render_problem: RenderProblem,
        limits: Limits,
        process: ProcessSettings,
    ) -> None:
        self._worker = worker
        self._socket_path = socket_path
        self._listener = listener
        self._render_problem = render_problem
        self._limits = limits
        self._process = process
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._worker_gone = asyncio.Event()
        self._answers = False

    async def run(self, on_ready: Callable[[Ready], object] | None) -> int:
        loop = asyncio.get_running_loop()
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, self._signalled)
        self._watch_worker(loop)
        door = FrontDoor(
            self._listener, self._socket_path, self._render_problem, limits=self._limits
        )
        try:
            if await self._started(self._process.start_s):
                await door.open()
                host, port = self._listener.getsockname()[:2]
                if on_ready is not None:
                    on_ready(Ready(host, port, self._worker.pid))
                await _first(self._stop.wait(), self._worker_gone.wait())
            if self._worker_gone.is_set():
                self._report_death()
                await door.drain(_DEATH_GRACE_S)
                return 1
            return await self._stop_in_order(door)
        finally:
            await door.close()

    def _signalled(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _watch_worker(self, loop: asyncio.AbstractEventLoop) -> None:
        def watch() -> None:
            self._worker.wait()
            with contextlib.suppress(RuntimeError):  # the loop has ended before the worker
                loop.call_soon_threadsafe(self._worker_gone.set)

        threading.Thread(target=watch, name="worker-watch", daemon=True).start()

    async def _started(self, timeout_s: float) -> bool:
        """Wait until the worker answers. False: it died, is too slow, or we are to stop."""
        answering = self._until_worker_answers()
        await _first(
            answering, self._stop.wait(), self._worker_gone.wait(), asyncio.sleep(timeout_s)
        )
        if self._answers or self._stop.is_set() or self._worker_gone.is_set():
            return self._answers and not self._stop.is_set()
        _log.error("hookwright-server: the worker did not answer within %g s", timeout_s)
        self._worker.kill()
        await self._worker_gone.wait()
        return False

    async def _until_worker_answers(self) -> None:
        while not self._answers:
            await asyncio.sleep(_HEALTH_PAUSE_S)
            self._answers = await _answers_health(self._socket_path)

    def _report_death(self) -> None:
        status = self._worker.returncode
        if status == REFUSED_EXIT_CODE:
            return  # it has said why
        how = f"signal {-status}" if status < 0 else f"exit code {status}"
        _log.error("hookwright-server: the worker process ended unexpectedly (%s)", how)

    async def _stop_in_order(self, door: FrontDoor) -> int:
        await _first(
            door.drain(self._process.stop_requests_s), self._hurry.wait(), self._worker_gone.wait()
        )
        self._order_stop()
        await _first(
            self._worker_gone.wait(), self._hurry.wait(), asyncio.sleep(self._process.stop_worker_s)
        )
        if not self._worker_gone.is_set() and self._hurry.is_set():
            await _first(self._worker_gone.wait(), asyncio.sleep(self._process.stop_hurried_s))
        if not self._worker_gone.is_set():
            _log.error("hookwright-server: the worker did not stop in time and is killed")
            self._worker.kill()
            await self._worker_gone.wait()
        return 0 if self._worker.returncode == 0 else 1

    def _order_stop(self) -> None:
        orders = self._worker.stdin
        if orders is not None:
            with contextlib.suppress(BrokenPipeError):
                orders.write(STOP_ORDER)
                orders.flush()


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of the waits has ended; cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answers_health(socket_path: str) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(socket_path)
    except OSError:
        return False
    try:
        writer.write(_HEALTH_REQUEST)
        return (await reader.readline()).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
    finally:
        writer.close()
