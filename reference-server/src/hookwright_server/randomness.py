"""Random bytes, drawn from the operating system in advance.

Each call of the system lets another thread take over the interpreter, and coming back costs more
than the bytes: a request needs a handful of ids and a nonce.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

_PIECES = 256


class DrawnAhead:
    """`os.urandom`, called once for many pieces of a size. Thread-safe.

    No piece is given out twice, also not after a fork: the child draws its own.
    """

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        self._source = source
        self._pieces: dict[int, deque[bytes]] = {}
        os.register_at_fork(after_in_child=self._pieces.clear)

    def __call__(self, size: int) -> bytes:
        """`size` random bytes."""
        try:
            return self._pieces[size].pop()
        except (KeyError, IndexError):
            return self._drawn(size)

    def _drawn(self, size: int) -> bytes:
        drawn = self._source(size * _PIECES)
        pieces = [drawn[at : at + size] for at in range(0, len(drawn), size or 1)]
        first = pieces.pop() if pieces else b""
        self._pieces.setdefault(size, deque()).extend(pieces)
        return first


drawn_ahead = DrawnAhead()
"""The process's own, for ids and nonces: what is never kept secret by itself."""
