"""One worker process as its parent sees it: started, asked, ordered to stop, and gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine, Generator, Mapping
from pathlib import Path
from typing import Any

from hookwright_server.serving.parent_watch import NOTICE_ORDER, STOP_ORDER
from hookwright_server.serving.start import REFUSED_EXIT_CODE

SIGNALS_OF_THE_PARENT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_ASKING_PAUSE_S = 0.02


class WorkerProcess:
    """Starts at once; `gone` is set on the running event loop when the process has ended."""

    def __init__(
        self, arguments: list[str], path: Path, environment: Mapping[str, str] | None
    ) -> None:
        """Raises OSError when the machine cannot start it."""
        command = [sys.executable, "-m", "hookwright_server.serving.worker", *arguments]
        command += ["--socket", str(path), "--parent-pid", str(os.getpid())]
        self.path = path
        self.gone = asyncio.Event()
        with _signals_held():
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, env={**os.environ, **(environment or {})}
            )
        try:
            self._watch(asyncio.get_running_loop())
        except RuntimeError as error:  # no thread to be had
            self.close()
            raise OSError(str(error)) from error

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def has_refused(self) -> bool:
        """Whether it ended because the application could not start; it has said why."""
        return self._process.returncode == REFUSED_EXIT_CODE

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, to the operating system's knowledge."""
        return self._process.poll() is None

    @property
    def stopped_in_order(self) -> bool:
        """Whether it has ended, and as it should."""
        return self._process.returncode == 0

    @property
    def how_it_ended(self) -> str:
        """For people."""
        status = self._process.returncode
        return f"signal {-status}" if status < 0 else f"exit code {status}"

    async def until_it_answers(self, target: str) -> None:
        """Return when a GET of `target` has been answered with 200."""
        while True:
            if await self.answers(target):
                return
            await asyncio.sleep(_ASKING_PAUSE_S)

    async def answers(self, target: str) -> bool:
        """Whether a GET of `target` is answered with 200."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.path))
        except OSError:
            return False
        try:
            writer.write(
                f"GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
            )
            return (await reader.readline()).split(b" ")[1:2] == [b"200"]
        except OSError:
            return False
        finally:
            writer.close()

    def give_notice(self) -> None:
        """Tell it that the server is about to stop."""
        self._order(NOTICE_ORDER)

    def order_stop(self) -> None:
        """Have it end after the requests in flight."""
        self._order(STOP_ORDER)

    async def ended(self, limit_s: float, *hurry: asyncio.Event) -> bool:
        """Wait until it is gone; False: not within `limit_s`, or one of `hurry` was set before."""
        await first(self.gone.wait(), asyncio.sleep(limit_s), *(each.wait() for each in hurry))
        return self.gone.is_set()

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    def close(self) -> None:
        """Kill it if it still lives, and let go of it."""
        self._process.kill()
        self._process.communicate()
        self.path.unlink(missing_ok=True)

    def _order(self, order: bytes) -> None:
        orders = self._process.stdin
        if orders is not None:
            with contextlib.suppress(BrokenPipeError):
                orders.write(order)
                orders.flush()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        def watch() -> None:
            self._process.wait()
            with contextlib.suppress(RuntimeError):  # the loop has ended before the worker
                loop.call_soon_threadsafe(self.gone.set)

        threading.Thread(target=watch, name="worker-watch", daemon=True).start()


@contextlib.contextmanager
def _signals_held() -> Generator[None]:
    """Have a process that is started here never receive the parent's signals.

    A terminal or service manager signals the whole group; the parent tells the worker what
    follows. Ours are only delayed.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS_OF_THE_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def first(*waits: Coroutine[Any, Any, object]) -> bool:
    """Return when one of the waits has ended, and whether the first has; cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].done()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
