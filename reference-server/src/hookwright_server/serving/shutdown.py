"""What the worker knows of its end and does before it; WSGI itself has no such moment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)
_callables: list[Callable[[], object]] = []
_noticed = threading.Event()


def register_shutdown(action: Callable[[], object]) -> None:
    """Have `action` called when no request runs any more and the worker is about to end.

    The last one registered is called first. Actions are not called when the process is killed.
    """
    _callables.append(action)


def run_shutdown() -> bool:
    """Call every registered action once. False: at least one failed (and was logged)."""
    succeeded = True
    while _callables:
        action = _callables.pop()
        try:
            action()
        except Exception:  # noqa: BLE001 - one failing action must not keep the others from running
            _log.exception("shutdown action %r failed", action)
            succeeded = False
    return succeeded


def notice_stop() -> None:
    """Remember that the server is about to stop."""
    _noticed.set()


def is_stopping() -> bool:
    """Whether the server is about to stop: it still works, but should be given nothing new."""
    return _noticed.is_set()
