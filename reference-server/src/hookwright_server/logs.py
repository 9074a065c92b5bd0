"""How the processes of the server log: one line an event, as text or as JSON.

What comes from outside cannot forge a line: line ends and other control characters are escaped,
and the lines of a traceback are indented.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TextIO

Style = Literal["text", "json"]
Value = str | int | float | None


class Fields(dict[str, Value]):
    """An event of named values: `log.info(Fields(…))`. Text shows `name=value` pairs."""

    def __str__(self) -> str:
        plain = " ".join(
            [f"{name}={'-' if value is None else value}" for name, value in self.items()]
        )
        if (
            plain.isascii()
            and plain.isprintable()
            and plain.count(" ") == len(self) - 1
            and plain.count("=") == len(self)
            and '"' not in plain
        ):
            return plain  # as nearly always: looking at each value costs more than the line
        return " ".join(f"{name}={_word(value)}" for name, value in self.items())


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
def together() -> Generator[None]:
    """Write what is logged inside at its end: a write for each line costs more than the line."""
    held: defaultdict[LineHandler, list[str]] = defaultdict(list)
    token = _held.set(held)
    try:
        yield
    finally:
        _held.reset(token)
        for handler, lines in held.items():
            handler.write(lines)


class TextFormatter(logging.Formatter):
    """`2026-11-21T12:00:00.123Z INFO hookwright.attempt delivery=… outcome=…`."""

    def __init__(self) -> None:
        super().__init__()
        self._instants = _Instants()

    def format(self, record: logging.LogRecord) -> str:
        at = self._instants.show(record.created)
        line = f"{at} {record.levelname} {record.name} {_escaped(record.getMessage())}"
        if record.exc_info:
            traceback = self.formatException(record.exc_info).splitlines()
            line += "".join(f"\n    {_escaped(each)}" for each in traceback)
        return line


class JsonFormatter(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, and the event's fields or its `message`."""

    def __init__(self) -> None:
        super().__init__()
        self._instants = _Instants()

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Value] = {
            "time": self._instants.show(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if isinstance(record.msg, Fields):
            line.update(record.msg)
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


def configure_logging(level: str, style: Style = "text") -> None:
    """Log to standard error. Alembic's own events are no news."""
    # Not in the format, and gathered for every line all the same.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = LineHandler()
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)


class _Instants:
    """RFC 3339 in UTC; the part up to the second is made once a second."""

    def __init__(self) -> None:
        self._last = (0, "")

    def show(self, instant: float) -> str:
        second = int(instant)
        known, text = self._last
        if second != known:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._last = (second, text)
        return f"{text}.{int(instant * 1000) % 1000:03}Z"


_encode = json.JSONEncoder(separators=(",", ":")).encode
_PLAIN = re.compile(r"[!#-<>-~]+")  # visible ASCII without `"` and `=`


def _word(value: Value) -> str:
    if value is None:
        return "-"
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)
