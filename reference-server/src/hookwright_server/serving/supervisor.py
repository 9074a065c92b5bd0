"""The parent process: binds the port, starts the workers, opens the front door, stops in order."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import uvloop

from hookwright_server.http.frontdoor import Backends, FrontDoor, Limits, RenderProblem
from hookwright_server.serving.fleet import Fleet
from hookwright_server.serving.process_settings import ProcessSettings
from hookwright_server.serving.socket_folder import socket_folder, socket_name
from hookwright_server.serving.worker_process import WorkerProcess, first

_log = logging.getLogger(__name__)

_DEATH_GRACE_S = 0.5
_FILES_PER_CONNECTION = 2
_FILES_BESIDE = 512


@dataclass(frozen=True, slots=True)
class Ready:
    """Where the server can be reached, and the processes that answer."""

    host: str
    port: int
    worker_pids: tuple[int, ...]

    @property
    def url(self) -> str:
        """The base URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


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

    The function is called in each worker process, which gets `environment` on top of ours. Blocks
    until SIGTERM or SIGINT and returns the exit code: 0 after an orderly stop. Port 0 takes a free
    one; `on_ready` is told which when the server answers, and again whenever a worker was
    replaced. Raises OSError when the port cannot be bound. Belongs into the main thread.
    """
    process = process or ProcessSettings()
    limits = _within_file_limit(limits or Limits())
    with (
        _bind(host, port, reuse_port=process.reuse_port) as listener,
        socket_folder() as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        launch = _launcher(app_factory, Path(folder), process, limits, environment)
        supervisor = _Supervisor(listener, render_problem, limits, process)
        return runner.run(supervisor.run(launch, on_ready or _tell_nobody))


def _tell_nobody(ready: Ready) -> None:
    del ready


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


def _bind(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    """A bound socket that refuses connections until the front door listens on it."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _launcher(
    app_factory: str,
    folder: Path,
    process: ProcessSettings,
    limits: Limits,
    environment: Mapping[str, str] | None,
) -> Callable[[], WorkerProcess]:
    numbers = count(1)
    arguments = [app_factory, "--blocking-threads", str(process.blocking_threads)]
    arguments += ["--connections", str(limits.max_connections)]

    def launch() -> WorkerProcess:
        return WorkerProcess(arguments, folder / socket_name(next(numbers)), environment)

    return launch


class _Supervisor:
    def __init__(
        self,
        listener: socket.socket,
        render_problem: RenderProblem,
        limits: Limits,
        process: ProcessSettings,
    ) -> None:
        self._listener = listener
        self._render_problem = render_problem
        self._limits = limits
        self._process = process
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(
        self,
        launch: Callable[[], WorkerProcess],
        on_ready: Callable[[Ready], object],
    ) -> int:
        def tell(pids: tuple[int, ...]) -> None:
            host, port = self._listener.getsockname()[:2]
            on_ready(Ready(host, port, pids))

        backends = Backends()
        fleet = Fleet(launch, backends, self._process, tell)
        door = FrontDoor(self._listener, backends, self._render_problem, limits=self._limits)
        self._listen_to_signals(fleet)
        try:
            if await fleet.start(self._stop):
                await door.open()
                tell(fleet.pids)
                await first(self._stop.wait(), fleet.broken.wait())
            if not self._stop.is_set():
                if fleet.failure:
                    _log.error("hookwright-server: %s", fleet.failure)
                await door.drain(_DEATH_GRACE_S)
                return 1
            return await self._stop_in_order(door, fleet)
        finally:
            await door.close()
            await fleet.close()

    def _listen_to_signals(self, fleet: Fleet) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        if self._process.restarts:
            loop.add_signal_handler(signal.SIGHUP, self._renew, fleet)

    def _renew(self, fleet: Fleet) -> None:
        if not self._stop.is_set():
            fleet.roll()

    def _signalled(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _stop_in_order(self, door: FrontDoor, fleet: Fleet) -> int:
        fleet.give_notice()
        if self._process.stop_notice_s:
            await first(asyncio.sleep(self._process.stop_notice_s), self._hurry.wait())
        await first(
            door.drain(self._process.stop_requests_s), self._hurry.wait(), fleet.broken.wait()
        )
        return 0 if await fleet.stop(self._hurry) else 1
