"""What the tests of the engine's process have it run; it leaves traces in files."""

from __future__ import annotations

import os
import time
from pathlib import Path

from hookwright_server.serving import StartRefused

_FOLDER = Path(os.environ.get("SERVING_TEST_FOLDER", "."))


class Delivering:
    """See `serving.engine.Delivering`."""

    def __init__(self, handles: tuple[int, ...]) -> None:
        self._handles = handles

    def start(self) -> None:
        """Say which process this is, and what it can read through its handle."""
        for handle in self._handles:
            (_FOLDER / "read").write_bytes(os.pread(handle, 100, 0))
        with (_FOLDER / "started").open("a") as started:
            started.write(f"{os.getpid()}\n")

    def wake(self) -> None:
        """Leave a trace."""
        with (_FOLDER / "woken").open("a") as woken:
            woken.write("x")

    def run_until_quiescent(self, timeout_s: float) -> bool:
        """In time only when there is enough of it; for ever when there is none."""
        if not timeout_s:
            (_FOLDER / "asked").touch()
            time.sleep(60)
        return timeout_s >= 1

    def do_chores(self, timeout_s: float) -> bool:
        """Always."""
        return timeout_s > 0

    def stop(self) -> None:
        """Leave a trace; with the file `slow` there is no end to it."""
        if (_FOLDER / "slow").exists():
            time.sleep(60)
        (_FOLDER / "stopped").touch()


def make(*handles: int) -> Delivering:
    """The usual one."""
    return Delivering(handles)


def refuse() -> Delivering:
    """There is something wrong with the settings."""
    raise StartRefused("there are no keys")
