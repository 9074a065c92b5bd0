"""The delivery engine in a process of its own, as the process that answers requests sees it."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress

from hookwright_server.serving.engine_link import DONE, READY, Link, Question
from hookwright_server.serving.start import StartRefused

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
# Who lived this long did not die of its start.
_STABLE_S = 30.0
# Who has been asked says by itself when time is up; who does not say even that hangs.
_ANSWER_GRACE_S = 10.0


class EngineProcess:
    """Runs what `factory` (`module:function`) makes of `handles`; begun anew whenever it dies.

    `handles` are open file descriptors that it inherits. See `engine.Delivering` for what the
    factory returns.
    """

    def __init__(self, factory: str, handles: Sequence[int] = ()) -> None:
        self._factory = factory
        self._handles = tuple(handles)
        self._asking = threading.Lock()
        self._changing = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Link | None = None
        self._delivers = False
        self._stopping = threading.Event()
        # The kernel kills a process with the thread that started it: this one starts them all.
        self._thread = threading.Thread(target=self._keep, name="hookwright-engine", daemon=True)
        self._started: Future[None] = Future()

    def start(self) -> None:
        """Return when it delivers. Raises StartRefused."""
        self._thread.start()
        self._started.result()

    def stop(self, limit_s: float) -> None:
        """Have it finish what is under way and end; after `limit_s` it is killed."""
        if not self._thread.is_alive():
            return
        until = time.monotonic() + limit_s
        with self._changing:
            self._stopping.set()
            if self._link is not None:
                with suppress(TimeoutError):  # it does not even read
                    self._link.say("stop", limit_s)
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            self._kill("it did not stop in time")
            self._thread.join()

    def wake(self) -> None:
        """Something may be due. Without a running engine nothing is lost: it begins by looking."""
        link = self._link
        if link is not None:
            link.hint()

    def is_running(self) -> bool:
        """Whether it delivers, as far as is known here."""
        return self._delivers and not self._stopping.is_set()

    @property
    def pid(self) -> int | None:
        """The number of the process."""
        return None if self._process is None else self._process.pid

    def run_until_quiescent(self, timeout_s: float) -> bool:
        """See `delivery.engine.Engine`. False too when it died meanwhile."""
        return self._ask("settle", timeout_s)

    def do_chores(self, timeout_s: float) -> bool:
        """See `delivery.engine.Engine`. False too when it died meanwhile."""
        return self._ask("chores", timeout_s)

    def _ask(self, question: Question, timeout_s: float) -> bool:
        with self._asking:
            link = self._link if self._delivers else None
            if link is None:
                return False
            within_s = timeout_s + _ANSWER_GRACE_S
            try:
                link.say(f"{question} {timeout_s}", within_s)
                return link.hear(within_s) == DONE
            except TimeoutError:
                # Its answer, when it came, would be taken for that to the next question.
                self._kill("it does not answer")
                return False

    def _kill(self, why: str) -> None:
        process = self._process
        if process is not None:
            _log.error("engine_killed pid=%d why=%r", process.pid, why)
            process.kill()

    def _keep(self) -> None:
        pause_s = 0.0
        while not self._stopping.wait(pause_s):
            began_at = time.monotonic()
            try:
                ended = self._live()
            except OSError as error:  # no memory, processes or files to be had
                ended = repr(str(error))
            except Exception as error:  # noqa: BLE001 - somebody has to keep the engine
                _log.exception("engine_keeper_fault")
                ended = repr(str(error))
            if not self._started.done():
                why = f"the delivery engine ended when it had hardly begun ({ended})"
                self._started.set_exception(StartRefused(why))
                return
            if self._stopping.is_set():
                return
            _log.critical("engine_died how=%s", ended)
            lived_long = time.monotonic() - began_at > _STABLE_S
            pause_s = 0.0 if lived_long else min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)

    def _live(self) -> str:
        """From the start of one process to its end; how that came."""
        with self._changing:
            if self._stopping.is_set():
                return ""
            process, link = self._launched()
            self._process, self._link = process, link
        try:
            if link.hear() == READY:
                self._delivers = True
                self._tell(process.pid)
            status = process.wait()
        finally:
            self._delivers = False
            process.kill()  # a fault here must not leave two of them; else it has ended
            process.wait()
            with self._asking, self._changing:  # whoever asked has been told by the link's end
                self._link = None
                link.close()
        return f"'signal {-status}'" if status < 0 else f"'exit code {status}'"

    def _tell(self, pid: int) -> None:
        if self._started.done():
            _log.warning("engine_restarted pid=%d", pid)
        else:
            self._started.set_result(None)

    def _launched(self) -> tuple[subprocess.Popen[bytes], Link]:
        ours, its = socket.socketpair()
        command = [sys.executable, "-m", "hookwright_server.serving.engine", self._factory]
        command += ["--link", str(its.fileno()), "--parent-pid", str(os.getpid())]
        command += ["--handles", *map(str, self._handles)]
        try:
            with its:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    pass_fds=(its.fileno(), *self._handles),
                )
        except BaseException:
            ours.close()
            raise
        return process, Link(ours)
