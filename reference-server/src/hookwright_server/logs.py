"""How the processes of the server log."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes a line for each event; those that come `together` in one piece."""

    def emit(self, record: logging.LogRecord) -> None:
        held = _held.get()
        if held is None:
            super().emit(record)
            return
        try:
            held[self].append(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler: a log line must not break its caller
            self.handleError(record)

    def write(self, lines: list[str]) -> None:
        """Write finished lines."""
        self.acquire()
        try:
            self.stream.write("\n".join(lines) + "\n")
            self.flush()
        except OSError:
            pass  # nobody reads any more, which ends no delivery
        finally:
            self.release()


_held: ContextVar[defaultdict[LineHandler, list[str]] | None] = ContextVar("held", default=None)


@contextmanager
def together() -> Iterator[None]:
    """Write what is logged inside at its end: a write for each line costs more than the line."""
    held: defaultdict[LineHandler, list[str]] = defaultdict(list)
    token = _held.set(held)
    try:
        yield
    finally:
        _held.reset(token)
        for handler, lines in held.items():
            handler.write(lines)


def configure_logging(level: str) -> None:
    """Log to standard error, one line an event. Alembic's own events are no news."""
    # Not in the format, and gathered for every line all the same.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        handlers=[LineHandler()],
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
