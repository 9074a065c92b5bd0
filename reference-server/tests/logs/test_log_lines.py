"""Log lines that come together."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from hookwright_server.logs import LineHandler, together


class Pipe(io.StringIO):
    """Remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return super().write(text)


@pytest.fixture
def pipe() -> Pipe:
    """What the logger writes to."""
    return Pipe()


@pytest.fixture
def log(pipe: Pipe) -> Iterator[logging.Logger]:
    """A logger that writes to the pipe alone."""
    logger = logging.getLogger("test.log.lines")
    logger.setLevel(logging.INFO)
    handler = LineHandler(pipe)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_lines_that_come_together_are_written_in_one_piece(log: logging.Logger, pipe: Pipe) -> None:
    """Each event keeps its own line, in order, and one write carries them all."""
    with together():
        log.info("first")
        log.info("second")
        before = list(pipe.pieces)

    assert ([], ["first\nsecond\n"]) == (before, pipe.pieces)


def test_lines_are_written_although_their_cause_fails(log: logging.Logger, pipe: Pipe) -> None:
    """What was logged before an exception is not lost with it."""

    def fail() -> None:
        with together():
            log.info("before")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert "before\n" == pipe.getvalue()


def test_a_line_by_itself_is_written_at_once(log: logging.Logger, pipe: Pipe) -> None:
    """Outside of `together` nobody waits for a line."""
    log.info("alone")

    assert "alone\n" == pipe.getvalue()
