"""Real processes: kept running as a service manager would, and signalled as a whole or in part."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hookwright_benchmarks import processes

_RESTART_AFTER_S = 0.2
_PR_SET_PDEATHSIG = 1
_SERVICES = Path(__file__).parents[4] / "tools" / "services.py"


class NotStarted(Exception):
    """A process did not become ready; `str()` holds the last that it wrote."""


class Program:
    """A command that is started again, whatever ends it, until `stop`.

    `is_ready` is asked until it says yes; without it, it has begun when it heeds SIGTERM.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        is_ready: Callable[[], Awaitable[bool]] | None,
    ) -> None:
        self.name = name
        self.starts = 0
        self.exit_codes: list[int] = []
        self._command = command
        self._environment = environment
        self._log = log
        self._is_ready = is_ready
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = False

    def start(self) -> None:
        """Begin to keep it running."""
        self._wanted = True
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def ready(self, timeout_s: float = 60.0) -> None:
        """Wait until it does its work. Raises NotStarted."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    if self._process is not None and await self._has_begun(self._process.pid):
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise NotStarted(f"{self.name} is not ready:\n{self.last_words()}") from None

    async def stop(self, timeout_s: float = 60.0) -> int:
        """SIGTERM and wait; the exit code. It is killed when it takes too long (then -9)."""
        self._wanted = False
        process = self._process
        if process is None or self._keeper is None:
            return 0
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM, whole=False)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._keeper)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self._keeper
        code = self.exit_codes[-1]
        if code:
            sys.stderr.write(f"{self.name} stopped with code {code}:\n{self.last_words()}\n")
        return code

    async def kill(self) -> None:
        """SIGKILL all of it and start it no more."""
        self._wanted = False
        self.signal(signal.SIGKILL)
        if self._keeper is not None:
            await self._keeper

    async def replace(self) -> int:
        """SIGTERM, wait for the end, start again; the exit code."""
        code = await self.stop()
        self.start()
        return code

    def signal(self, number: signal.Signals, *, whole: bool = True) -> None:
        """Signal the process and, when `whole`, everything that it started."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if whole else os.kill)(self._process.pid, number)

    def children(self) -> list[int]:
        """The processes that it has started itself."""
        return [] if self._process is None else children(self._process.pid)

    def grandchildren(self) -> list[int]:
        """The processes that those have started."""
        return [pid for child in self.children() for pid in children(child)]

    async def _has_begun(self, pid: int) -> bool:
        return _heeds_sigterm(pid) if self._is_ready is None else await self._is_ready()

    def last_words(self) -> str:
        """The end of its log."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-15:])

    async def _keep(self) -> None:
        while self._wanted:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment,
                    start_new_session=True,
                    preexec_fn=_die_with_parent,
                )
            self.starts += 1
            self.exit_codes.append(await self._process.wait())
            self.signal(signal.SIGKILL)  # what a killed parent has left
            self._process = None
            if self._wanted:
                await asyncio.sleep(_RESTART_AFTER_S)


class Service:
    """An own Postgres or Redis, on the same folder and port at every start."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.url = ""
        self.port = 0
        self.pid = 0
        self._folder = folder
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it answers. Raises NotStarted."""
        arguments = [sys.executable, str(_SERVICES), self.name, "--folder", str(self._folder)]
        arguments += ["--port", str(self.port)]
        for name, value in self._settings.items():
            arguments += ["--set", f"{name}={value}"]
        self._process = await asyncio.create_subprocess_exec(
            *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise NotStarted(f"{self.name} did not start; see {self._folder}/log")
        told: dict[str, Any] = json.loads(line)
        self.url, self.pid, self.port = told["url"], told["pid"], told["port"]

    async def stop(self) -> None:
        """End it in order; its data stays."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        self._process = None

    async def kill(self) -> None:
        """SIGKILL its first process, and wait until all of it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        await self._process.wait()
        self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Signal all its processes, the first one first."""
        for pid in (self.pid, *children(self.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None


def _heeds_sigterm(pid: int) -> bool:
    """Whether the process has begun so far that SIGTERM would end it in good order."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return not Path("/proc/self/status").exists()  # not on Linux: nobody tells
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def children(pid: int) -> list[int]:
    """The processes that `pid` has started."""
    try:
        return processes.children(pid)
    except (FileNotFoundError, ProcessLookupError):
        return []


_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
