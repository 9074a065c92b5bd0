"""Children that speak JSON lines, and what processes have cost so far."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STOP_S = 20.0


class ChildFailed(Exception):
    """A child ended or answered nonsense; `str()` holds the last that it wrote."""


class Child:
    """`python -m MODULE`, asked and answering one JSON line at a time."""

    def __init__(
        self, module: str, log: Path, *arguments: str, env: Mapping[str, str] | None = None
    ):
        self._log = log
        self._module = module
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                text=True,
                env=None if env is None else dict(env),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, question: Mapping[str, Any], timeout_s: float = 600.0) -> Any:
        """Send one line and return the answer. Raises ChildFailed."""
        self.tell(question)
        return self.answer(timeout_s)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send one line that is not answered."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def answer(self, timeout_s: float = 600.0) -> Any:
        """The next line. Raises ChildFailed when the child ends first or takes too long."""
        assert self._process.stdout is not None
        killer = threading.Timer(timeout_s, self._process.kill)
        killer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            killer.cancel()
        if not line:
            raise ChildFailed(f"{self._module}: {self.last_words()}")
        return json.loads(line)

    def last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Close its input, then terminate, then kill."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have used, user and system, in CPU seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def thread_cpu_seconds(thread_id: int) -> float:
    """What one thread of this process has used, in CPU seconds."""
    text = Path(f"/proc/self/task/{thread_id}/schedstat").read_text(encoding="ascii")
    return int(text.split()[0]) / 1e9


def pss_bytes(pid: int) -> int:
    """The proportional set size of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/{pid}/smaps_rollup has no Pss")


def children(pid: int) -> list[int]:
    """The processes that `pid` started, whichever of its threads did."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread ended meanwhile
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def family_cpu_seconds(pid: int) -> float:
    """What a process and those that it started have used, the ended ones included."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    total = sum(map(int, fields[11:15])) / _TICKS_PER_S
    for child in children(pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            total += cpu_seconds(child)
    return total
