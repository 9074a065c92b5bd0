"""Each verb of a link does over real sockets what its name says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import uvloop

from hookwright_benchmarks.faults.links import Link

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


class Echo:
    """An upstream that answers with what it got, and remembers its connections."""

    def __init__(self) -> None:
        self.received = b""
        self.accepted = 0
        self.ended: list[BaseException | None] = []

    async def serve(self, reader: Reader, writer: Writer) -> None:
        self.accepted += 1
        try:
            while data := await reader.read(65536):
                self.received += data
                writer.write(data)
            self.ended.append(None)
        except OSError as error:
            self.ended.append(error)
        finally:
            writer.close()


class Connectable(Link):
    """A link, and connections through it that end with the test."""

    def __init__(self, name: str, upstream_port: int) -> None:
        super().__init__(name, upstream_port)
        self.writers: list[Writer] = []

    async def connect(self) -> tuple[Reader, Writer]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer


@asynccontextmanager
async def _linked() -> AsyncGenerator[tuple[Connectable, Echo]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    link = Connectable("test", server.sockets[0].getsockname()[1])
    try:
        async with link:
            yield link, echo
    finally:
        for writer in link.writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        await _until(lambda: len(echo.ended) == echo.accepted)
        server.close()
        await server.wait_closed()


async def _echoed(reader: Reader, writer: Writer, data: bytes) -> bytes:
    writer.write(data)
    async with asyncio.timeout(60):
        return await reader.readexactly(len(data))


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


async def _is_silent(reader: Reader) -> bool:
    try:
        async with asyncio.timeout(0.05):
            return not await reader.read(1)
    except TimeoutError:
        await asyncio.sleep(0.01)  # the link has read what was sent, however late the time came
        return True


def _run(case: Callable[[], Awaitable[None]]) -> None:
    async def wrapped() -> None:
        await case()

    uvloop.run(wrapped())


def test_a_clear_link_relays_everything() -> None:
    """Bytes pass unchanged, also many, and a close at one end closes the other."""

    async def case() -> None:
        async with _linked() as (link, echo):
            reader, writer = await link.connect()
            sent = bytes(range(256)) * 8192

            assert sent == await _echoed(reader, writer, sent)

            writer.close()
            await _until(lambda: echo.ended)

            assert [None] == echo.ended
            await _until(lambda: link.connections == 0)

    _run(case)


def test_an_end_of_stream_is_passed_on() -> None:
    """Who has said everything still gets the answer."""

    async def case() -> None:
        async with _linked() as (link, _):
            reader, writer = await link.connect()
            writer.write(b"all")
            writer.write_eof()

            assert b"all" == await reader.read()

    _run(case)


def test_latency_delays_both_ways() -> None:
    """A round trip takes twice the latency; order is kept."""

    async def case() -> None:
        async with _linked() as (link, _):
            link.latency(0.05, jitter_s=0.02)
            reader, writer = await link.connect()
            started = time.monotonic()
            for number in range(5):
                writer.write(b"%d" % number)
                await asyncio.sleep(0.002)
            async with asyncio.timeout(60):
                answer = await reader.readexactly(5)

            assert b"01234" == answer
            assert time.monotonic() - started >= 0.1

    _run(case)


def test_a_slice_bounds_the_bandwidth() -> None:
    """Bytes come in small pieces, one after each pause, and all of them come."""

    async def case() -> None:
        async with _linked() as (link, _):
            reader, writer = await link.connect()
            link.slice(10, 0.01)
            started = time.monotonic()

            assert b"x" * 100 == await _echoed(reader, writer, b"x" * 100)
            assert time.monotonic() - started >= 0.09

    _run(case)


def test_healing_sends_on_what_was_held_back() -> None:
    """Nothing that was only delayed is lost."""

    async def case() -> None:
        async with _linked() as (link, _):
            reader, writer = await link.connect()
            link.latency(3600)
            writer.write(b"late")
            await asyncio.sleep(0.02)
            await link.heal()

            assert b"late" == await reader.readexactly(4)

    _run(case)


def test_a_cut_closes_in_order() -> None:
    """Both ends read the end of the stream; a new connection works."""

    async def case() -> None:
        async with _linked() as (link, echo):
            reader, writer = await link.connect()
            await _echoed(reader, writer, b"before")
            link.cut()

            assert b"" == await reader.read()
            await _until(lambda: echo.ended)
            assert [None] == echo.ended
            assert b"after" == await _echoed(*await link.connect(), b"after")

    _run(case)


def test_a_reset_is_a_reset() -> None:
    """Both ends get ECONNRESET; a new connection works."""

    async def case() -> None:
        async with _linked() as (link, echo):
            reader, writer = await link.connect()
            await _echoed(reader, writer, b"before")
            link.reset()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            await _until(lambda: echo.ended)

            assert isinstance(echo.ended[0], ConnectionResetError)
            assert b"after" == await _echoed(*await link.connect(), b"after")

    _run(case)


def test_half_open_up_is_not_noticed_and_never_heals() -> None:
    """What is sent vanishes, nothing closes, and the connection stays mute; a new one works."""

    async def case() -> None:
        async with _linked() as (link, echo):
            reader, writer = await link.connect()
            await _echoed(reader, writer, b"before")
            link.half_open("up")
            writer.write(b"vanishes")

            assert await _is_silent(reader)
            await link.heal()
            writer.write(b"vanishes too")
            assert await _is_silent(reader)
            assert b"before" == echo.received
            assert b"after" == await _echoed(*await link.connect(), b"after")

    _run(case)


def test_half_open_down_loses_the_answers() -> None:
    """The request arrives, its answer does not."""

    async def case() -> None:
        async with _linked() as (link, echo):
            reader, writer = await link.connect()
            await _echoed(reader, writer, b"before")
            link.half_open("down")
            writer.write(b"asked")
            await _until(lambda: echo.received == b"beforeasked")

            assert await _is_silent(reader)

    _run(case)


def test_a_connection_that_lost_nothing_goes_on() -> None:
    """Half-open or black, a link does nothing to a connection that was silent meanwhile."""

    async def case() -> None:
        async with _linked() as (link, _):
            reader, writer = await link.connect()
            await _echoed(reader, writer, b"before")
            link.blackhole()
            await link.heal()

            assert b"after" == await _echoed(reader, writer, b"after")

    _run(case)


def test_a_black_hole_swallows_and_then_resets() -> None:
    """Nothing arrives, nothing closes; at healing the connections that lost bytes are reset."""

    async def case() -> None:
        async with _linked() as (link, echo):
            reader, writer = await link.connect()
            await _echoed(reader, writer, b"before")
            link.blackhole()
            writer.write(b"vanishes")

            assert await _is_silent(reader)
            assert b"before" == echo.received
            await link.heal()
            with pytest.raises(ConnectionResetError):
                await reader.read()

    _run(case)


def test_a_black_hole_answers_nobody() -> None:
    """A connection made meanwhile gets no answer, and its upstream is not even asked."""

    async def case() -> None:
        async with _linked() as (link, echo):
            link.blackhole()
            reader, writer = await link.connect()
            writer.write(b"hello?")

            assert await _is_silent(reader)
            assert 0 == echo.accepted

    _run(case)


def test_who_closes_in_a_black_hole_is_missed_only_later() -> None:
    """The upstream learns of the close when the link heals."""

    async def case() -> None:
        async with _linked() as (link, echo):
            reader, writer = await link.connect()
            await _echoed(reader, writer, b"before")
            link.blackhole()
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.02)

            assert [] == echo.ended
            await link.heal()
            await _until(lambda: echo.ended)

    _run(case)


def test_refusing_ends_with_healing_on_the_same_port() -> None:
    """Old connections are reset, new ones refused, until the link heals."""

    async def case() -> None:
        async with _linked() as (link, _):
            reader, writer = await link.connect()
            await _echoed(reader, writer, b"before")
            link.refuse()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            with pytest.raises(ConnectionRefusedError):
                await link.connect()
            await link.heal()

            assert b"after" == await _echoed(*await link.connect(), b"after")

    _run(case)


def test_a_missing_upstream_resets() -> None:
    """Whoever connects while nobody listens behind the link is told so."""

    async def case() -> None:
        async with _linked() as (link, _):
            unused = await asyncio.start_server(Echo().serve, "127.0.0.1", 0)
            link.upstream_port = unused.sockets[0].getsockname()[1]
            unused.close()
            await unused.wait_closed()
            reader, _writer = await link.connect()
            with pytest.raises(ConnectionResetError):
                await reader.read()

    _run(case)
