"""One connection to Redis for questions and answers of the hot path.

The library connects and logs in; what follows are two system calls for an exchange and hiredis
between them, a quarter of what the library's client costs.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import hiredis
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.retry import Retry

_CONNECT_S = 1.0
_AT_A_TIME = 4096


class _Connection(Protocol):
    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def _get_socket(self) -> socket.socket: ...


class Wire:
    """Sends a command, receives its answer, in turn. Raises RedisError, HiredisError, OSError."""

    def __init__(self, connection: _Connection, patience_s: float) -> None:
        self._connection = connection
        self._patience_s = patience_s
        self._reader = hiredis.Reader()
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Connect, log in, and see that it answers: a process that is stopped accepts, too."""
        self._connection.connect()
        opened = self._connection._get_socket()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it has no other name
        # The system counts the time: a timeout of Python's costs a system call more each way.
        seconds, rest = divmod(self._patience_s, 1)
        limit = struct.pack("ll", int(seconds), int(rest * 1_000_000))
        opened.settimeout(None)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._socket = opened
        self.send("PING")
        self.receive()

    def send(self, *words: str) -> None:
        self._opened().sendall(_packed(words))

    def receive(self) -> list[int]:
        """The answer to what was sent."""
        opened = self._opened()
        while (answer := self._reader.gets()) is False:
            received = opened.recv(_AT_A_TIME)
            if not received:
                raise RedisConnectionError("Redis closed the connection")
            self._reader.feed(received)
        if isinstance(answer, hiredis.HiredisError):
            raise ResponseError(str(answer))
        return cast("list[int]", answer)

    def close(self) -> None:
        self._socket = None
        self._connection.disconnect()

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise RedisConnectionError("the connection is closed")
        return self._socket


def _packed(words: Sequence[str]) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    parts += [b"$%d\r\n%b\r\n" % (len(data), data) for data in map(str.encode, words)]
    return b"".join(parts)


def wires(url: str, patience_s: float) -> Callable[[], Wire]:
    """Makes connections to `url` that wait `patience_s` seconds for an answer.

    Raises ValueError when `url` is not redis://, rediss:// or unix://.
    """
    pool = ConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType] - its **kwargs
        url,
        socket_timeout=patience_s,
        socket_connect_timeout=_CONNECT_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    # Not `make_connection`: the pool would count those that were lost, and end at a hundred.
    make = cast("Callable[..., _Connection]", pool.connection_class)
    return lambda: Wire(make(**pool.connection_kwargs), patience_s)
