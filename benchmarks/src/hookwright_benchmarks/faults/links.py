"""A TCP proxy whose link can be disturbed at run time; its verbs are modelled on toxiproxy's.

Everything of a link happens on one event loop, also its verbs.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self, cast

Direction = Literal["up", "down"]
"""`up` is from who connected to whom it asked for, `down` the way back."""

_HELD_BYTES = 256 * 1024
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing sends RST


@dataclass(frozen=True, slots=True)
class Weather:
    """What a link does to bytes. `lost`: the directions whose bytes vanish.

    `slice_bytes` every `slice_pause_s` bounds the bandwidth and cuts what was sent into pieces.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    slice_bytes: int = 0
    slice_pause_s: float = 0.0
    lost: frozenset[Direction] = frozenset()

    @property
    def passes_at_once(self) -> bool:
        return not (self.delay_s or self.jitter_s or self.slice_bytes)


_CLEAR = Weather()


class Link:
    """Listens on a loopback port and relays to `upstream_port` on loopback."""

    def __init__(self, name: str, upstream_port: int, seed: int = 0) -> None:
        self.name = name
        self.upstream_port = upstream_port
        self.port = 0
        self.weather = _CLEAR
        self.random = random.Random(seed)
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._resets_at_heal = False

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_listening()
        self.reset()

    # The verbs.

    def latency(self, delay_s: float, jitter_s: float = 0.0) -> None:
        """Every piece arrives `delay_s` later, and at most `jitter_s` more; order is kept."""
        self.weather = Weather(delay_s=delay_s, jitter_s=jitter_s)

    def slice(self, piece_bytes: int, pause_s: float) -> None:
        """Bytes arrive in pieces, one every `pause_s`: also a bound of the bandwidth."""
        self.weather = Weather(slice_bytes=piece_bytes, slice_pause_s=pause_s)

    def cut(self) -> None:
        """Close every connection in an orderly way (FIN), once."""
        for connection in tuple(self._connections):
            connection.close()

    def reset(self) -> None:
        """Reset every connection (RST), once."""
        for connection in tuple(self._connections):
            connection.abort()

    def half_open(self, direction: Direction) -> None:
        """What flows in `direction` vanishes, unnoticed by both ends.

        A connection that lost bytes stays mute in that direction even after `heal`, like one
        that a firewall has forgotten.
        """
        self.weather = Weather(lost=frozenset((direction,)))

    def blackhole(self) -> None:
        """Everything vanishes, connection attempts too: they seem to succeed and are not answered.

        At `heal` the connections that lost bytes are reset.
        """
        self._resets_at_heal = True
        self.weather = Weather(lost=frozenset(("up", "down")))

    def refuse(self) -> None:
        """Reset every connection and refuse new ones until `heal`."""
        self._stop_listening()
        self.reset()

    async def heal(self) -> None:
        """Relay again; what was held back is sent on at once."""
        self.weather = _CLEAR
        for connection in tuple(self._connections):
            connection.heal(reset_if_lossy=self._resets_at_heal)
        self._resets_at_heal = False
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            self._accept, "127.0.0.1", self.port, backlog=1024, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _accept(self) -> asyncio.Protocol:
        connection = _Connection(self, self._connections.discard)
        self._connections.add(connection)
        return connection.near


class _Connection:
    """Two ends: `near` is who connected, `far` whom it wanted."""

    def __init__(self, link: Link, forget: Callable[[_Connection], None]) -> None:
        self.link = link
        self.near = _End(self, "up")
        self.far = _End(self, "down")
        self.lossy: set[Direction] = set()
        self.mute: set[Direction] = set()
        self._forget = forget
        self._dialling: asyncio.Task[None] | None = None
        self.ended = False

    def made(self) -> None:
        """`near` is there. In a black hole nobody is asked for until it heals."""
        if len(self.link.weather.lost) < 2:
            self.dial()

    def dial(self) -> None:
        if self._dialling is None:
            self._dialling = asyncio.get_running_loop().create_task(self._dial())

    async def _dial(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: self.far, "127.0.0.1", self.link.upstream_port
            )
        except OSError:
            self.abort()
            return
        if self.ended:
            self.far.abort()
        else:
            self.near.flush_due()

    def other(self, end: _End) -> _End:
        return self.far if end is self.near else self.near

    def drops(self, direction: Direction) -> bool:
        """Whether bytes that flow there vanish now; remembers that they did."""
        if direction in self.link.weather.lost:
            self.lossy.add(direction)
            return True
        return direction in self.mute

    def heal(self, *, reset_if_lossy: bool) -> None:
        if self.lossy and (reset_if_lossy or self.near.gone or self.far.gone):
            self.abort()
            return
        self.mute |= self.lossy
        self.lossy.clear()
        if self.near.transport is not None:
            self.dial()
        for end in (self.near, self.far):
            end.flush()

    def end_lost(self, end: _End, error: Exception | None) -> None:
        """One end is gone: so is the other, unless nobody can tell it."""
        if self.drops(end.direction):
            self._forget_when_over()
            return
        other = self.other(end)
        if error is not None:
            other.abort()
        else:
            end.end_stream()
            other.close_when_sent()
        self._forget_when_over()

    def close(self) -> None:
        self._end()
        for end in (self.near, self.far):
            if end.transport is not None:
                end.transport.close()

    def abort(self) -> None:
        self._end()
        for end in (self.near, self.far):
            end.abort()

    def _end(self) -> None:
        self.ended = True
        self._forget(self)

    def _forget_when_over(self) -> None:
        if self.near.gone and (self.far.gone or self.far.transport is None):
            self._end()


class _End(asyncio.Protocol):
    """What it receives goes to the other end, through the link's weather."""

    def __init__(self, connection: _Connection, direction: Direction) -> None:
        self.direction: Direction = direction
        self.transport: asyncio.Transport | None = None
        self.gone = False
        self._connection = connection
        self.held: deque[tuple[float, bytes | None]] = deque()  # None: the end of the stream
        self._held_bytes = 0
        self._last_due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.closes = False
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self is self._connection.near:
            self._connection.made()

    def data_received(self, data: bytes) -> None:
        if not self._connection.drops(self.direction):
            self._relay(data)

    def eof_received(self) -> bool:
        self.end_stream()
        return True  # the other direction goes on

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._connection.end_lost(self, exc)

    def pause_writing(self) -> None:
        self._read_from(self._connection.other(self), go_on=False)

    def resume_writing(self) -> None:
        self._read_from(self._connection.other(self), go_on=True)

    def end_stream(self) -> None:
        """Tell the other end, behind everything that was sent, that nothing more comes."""
        if not self.ended and not self._connection.drops(self.direction):
            self.ended = True
            self._relay(None)

    def close_when_sent(self) -> None:
        """Close once everything for this end has been written."""
        self.closes = True
        if not self._connection.other(self).held:
            self.close()

    def abort(self) -> None:
        if self.transport is not None and not self.gone:
            wire = cast("socket.socket | None", self.transport.get_extra_info("socket"))
            if wire is not None:
                with contextlib.suppress(OSError):  # the other side was faster
                    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            self.transport.abort()

    def flush(self) -> None:
        """Send on what is held back."""
        if self._connection.far.transport is None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self.held:
            self._send(self.held.popleft()[1])

    def _relay(self, data: bytes | None) -> None:
        weather = self._connection.link.weather
        if weather.passes_at_once and not self.held and self._connection.far.transport:
            self._send(data, counted=False)
            return
        now = asyncio.get_running_loop().time()
        rng = self._connection.link.random
        for piece in _pieces(data, weather.slice_bytes):
            due = now + weather.delay_s + weather.jitter_s * rng.random()
            self._last_due = max(due, self._last_due + weather.slice_pause_s)
            self.held.append((self._last_due, piece))
            self._held_bytes += len(piece or b"")
        if self._held_bytes > _HELD_BYTES:
            self._read_from(self, go_on=False)
        self._arm()

    def _arm(self) -> None:
        if self.held and self._timer is None and self._connection.far.transport is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self.held[0][0], self.flush_due)

    def flush_due(self) -> None:
        """Send on what is due: there may be nobody to send it to before."""
        self._timer = None
        now = asyncio.get_running_loop().time() + 0.001
        while self.held and self.held[0][0] <= now:
            self._send(self.held.popleft()[1])
        self._arm()

    def _send(self, data: bytes | None, *, counted: bool = True) -> None:
        other = self._connection.other(self)
        if counted:
            self._held_bytes -= len(data or b"")
            if self._held_bytes < _HELD_BYTES // 4:
                self._read_from(self, go_on=True)
        if other.transport is None or other.transport.is_closing():
            return
        if data is not None:
            other.transport.write(data)
        else:
            with contextlib.suppress(OSError, RuntimeError):  # it closes already
                other.transport.write_eof()
        if other.closes and not self.held:
            other.close()
        elif data is None and other.ended:
            self._connection.close()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def _read_from(self, end: _End, *, go_on: bool) -> None:
        if end.transport is None or end.transport.is_closing() or end.ended:
            return
        if go_on:
            end.transport.resume_reading()
        else:
            end.transport.pause_reading()


def _pieces(data: bytes | None, size: int) -> list[bytes | None]:
    if data is None or not size or len(data) <= size:
        return [data]
    return [data[start : start + size] for start in range(0, len(data), size)]
