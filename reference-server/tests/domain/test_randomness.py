"""Random bytes that are drawn in advance."""

from __future__ import annotations

import os

from hookwright_server.randomness import DrawnAhead


def test_pieces_differ_and_have_their_size() -> None:
    """However many are asked for, no piece comes twice."""
    drawn = DrawnAhead()

    pieces = [drawn(10) for _ in range(1_000)] + [drawn(12) for _ in range(1_000)]

    assert 2_000 == len(set(pieces))
    assert [10] * 1_000 + [12] * 1_000 == [len(piece) for piece in pieces]


def test_the_system_is_asked_seldom() -> None:
    """One call of the source serves many pieces."""
    calls: list[int] = []

    def source(size: int) -> bytes:
        calls.append(size)
        return os.urandom(size)

    drawn = DrawnAhead(source)
    for _ in range(256):
        drawn(10)

    assert [2_560] == calls


def test_a_forked_process_draws_its_own() -> None:
    """Parent and child never give out the same piece."""
    drawn = DrawnAhead()
    drawn(10)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, drawn(10))
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 10) != drawn(10)


def test_nothing_of_nothing() -> None:
    """Zero bytes are no error, as with the system."""
    assert b"" == DrawnAhead()(0)
