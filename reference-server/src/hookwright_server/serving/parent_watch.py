"""The worker's bond to its parent: orders come through a pipe, and its end is the worker's end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

STOP_ORDER = b"s"
NOTICE_ORDER = b"n"

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process with its parent (Linux; elsewhere the pipe does it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the call above
        _kill_self()


def obey_parent(
    orders: int, stop: Callable[[], None], notice: Callable[[], None]
) -> threading.Thread:
    """Watch the pipe `orders` (a file descriptor): stop on order, die when it closes.

    `notice` is called when the server is about to stop.
    """

    def watch() -> None:
        while order := os.read(orders, 1):
            if order == NOTICE_ORDER:
                notice()
            elif order == STOP_ORDER:
                stop()
        _kill_self()

    thread = threading.Thread(target=watch, name="parent-watch", daemon=True)
    thread.start()
    return thread


def end_with_stdin() -> threading.Thread:
    """Have this process stop in order, as by SIGTERM, when its standard input ends.

    So a server does not outlive the program that started it, however that one ends.
    """

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=watch, name="stdin-watch", daemon=True)
    thread.start()
    return thread


def _kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
