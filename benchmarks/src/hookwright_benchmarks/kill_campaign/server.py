"""The server under test: real processes, started and killed again and again on one database."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Literal

from hookwright_benchmarks.processes import children

KillKind = Literal["group", "worker", "parent", "engine"]
KILL_KINDS: tuple[KillKind, ...] = ("group", "worker", "parent", "engine")

_START_S = 120.0
_END_S = 60.0
_ENVIRONMENT = {
    "HOOKWRIGHT_ALLOW_HTTP": "1",
    "HOOKWRIGHT_ALLOW_PRIVATE_NETWORKS": "1",
    "HOOKWRIGHT_MESSAGES_PER_SECOND": "1000000",
    "HOOKWRIGHT_REQUESTS_PER_MINUTE": "100000000",
    "HOOKWRIGHT_LOG_LEVEL": "warning",
}


class NotStarted(Exception):
    """The server did not become ready; `str()` holds what it said."""


def until(
    condition: Callable[[], object], timeout_s: float, what: str, *, pause_s: float = 0.005
) -> None:
    """Poll a real signal; TimeoutError when it does not come."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout_s:g} s: {what}")
        time.sleep(pause_s)


class Server:
    """`hookwright-server serve` in `folder`. One instance may start many times."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.database = folder / "hookwright.db"
        self.errors = folder / "server.log"
        self.api_key = ""
        self.port = 0
        self.worker_pid = 0
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def engine_pids(self) -> list[int]:
        """The process that delivers, when there is one."""
        return children(self.worker_pid)

    @property
    def ready(self) -> bool:
        """Whether all of it works."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_END_S)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def restart(self) -> float:
        """Wait for the end of the restart that a kill has made necessary; the seconds it took.

        The engine is begun anew by the server itself. Raises NotStarted and TimeoutError.
        """
        if not self.running:
            return self.start()
        began = time.monotonic()
        until(lambda: self.engine_pids and self.ready, _START_S, "the engine is not begun anew")
        return time.monotonic() - began

    def start(self) -> float:
        """Start and wait until it answers; the seconds that took. Raises NotStarted."""
        began = time.monotonic()
        process = self.launch()
        for event in self._events(process, began + _START_S):
            if event["event"] == "account_created":
                self.api_key = event["live_key"]
            elif event["event"] == "ready":
                self.port = int(event["url"].rpartition(":")[2])
                self.worker_pid = event["worker_pid"]
                return time.monotonic() - began
        self.kill("group")
        raise NotStarted(self.errors.read_text()[-2000:])

    def launch(self) -> subprocess.Popen[bytes]:
        """Start without waiting."""
        with self.errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [
                    *_COMMAND,
                    "serve",
                    "--port",
                    str(self.port),
                    *("--database", self.database),
                    "--json",
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._environ(),
                start_new_session=True,
                bufsize=0,  # `select` must see every line
            )
        return self._process

    def kill(self, kind: KillKind) -> None:
        """SIGKILL the whole group, the worker or the parent, and wait until all of it is gone.

        Or the engine alone, which the others outlive.
        """
        process = self._own()
        if kind == "engine":
            killed = self.engine_pids
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            until(lambda: self.engine_pids != killed, _END_S, "the engine is still there")
            return
        if kind == "group":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill(self.worker_pid if kind == "worker" else process.pid, signal.SIGKILL)
        self._reap(process)

    def stop(self) -> int:
        """SIGTERM, as a service manager sends it; the exit code."""
        process = self._own()
        process.send_signal(signal.SIGTERM)
        return self._reap(process, timeout_s=90)

    def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None:
            self.kill("group")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of the server on the same database."""
        return subprocess.run(
            [*_COMMAND, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
            env={**self._environ(), "HOOKWRIGHT_DATABASE": str(self.database)},
        )

    def _own(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server is not running; call start() first")
        return self._process

    def _reap(self, process: subprocess.Popen[bytes], timeout_s: float = _END_S) -> int:
        code = process.wait(timeout_s)
        until(self._unlocked, _END_S, "the database's lock is still held")
        if process.stdout is not None:
            process.stdout.close()
        self._process = None
        return code

    def _unlocked(self) -> bool:
        """The worker and the engine have died too: they hold this lock."""
        lock = self.database.with_name(self.database.name + ".lock")
        if not lock.exists():
            return True
        with lock.open() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def _environ(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HOOKWRIGHT_")}
        # A start is mostly imports; without compiled files it takes twice as long.
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        return {**inherited, **_ENVIRONMENT, **self._environment}

    def _events(self, process: subprocess.Popen[bytes], deadline: float) -> Any:
        assert process.stdout is not None
        while True:
            patience = max(0.0, deadline - time.monotonic())
            if not select.select([process.stdout], [], [], patience)[0]:
                return
            line = process.stdout.readline()
            if not line:
                return
            yield json.loads(line)


_COMMAND = (sys.executable, "-m", "hookwright_server")
