"""Real servers, real sockets: a served application, and a front door before a recording server."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import httptools
import pytest
import uvloop

from hookwright_server.http.frontdoor import Backends, FrontDoor, Limits

_HERE = Path(__file__).parent
_PATIENCE_S = 240.0
ANSWER = b"HTTP/1.1 200 OK\r\nx-request-id: r\r\ncontent-length: 2\r\n\r\nok"
STATUS_OF_CODE = {
    "validation_error": 400,
    "request_timeout": 408,
    "payload_too_large": 413,
    "uri_too_long": 414,
    "headers_too_large": 431,
    "internal_error": 500,
    "unavailable": 503,
}


def _render_problem(code: str, detail: str, request_id: str) -> tuple[int, bytes]:
    status = STATUS_OF_CODE[code]
    document = {"status": status, "code": code, "detail": detail, "request_id": request_id}
    return status, json.dumps(document).encode()


@dataclass
class Answer:
    """One parsed response."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = json.loads(self.body)
        assert document["request_id"] == self.headers["x-request-id"]
        return document


class _Answers:
    """httptools callbacks that collect responses."""

    def __init__(self) -> None:
        self.complete: list[Answer] = []
        self._current = Answer()
        self.parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        self._current = Answer()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._current.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._current.body += body

    def on_message_complete(self) -> None:
        self._current.status = self.parser.get_status_code()
        if self._current.status >= 200:
            self.complete.append(self._current)


class Wire:
    """A client that writes and reads raw bytes. Reading past the patience is an error."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
        self._answers = _Answers()
        self.raw = b""

    def send(self, data: bytes) -> Wire:
        self.socket.sendall(data)
        return self

    def half_close(self) -> Wire:
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def read(self, count: int = 1) -> list[Answer]:
        """The next `count` answers."""
        while len(self._answers.complete) < count:
            data = self.socket.recv(65536)
            assert data, f"closed after {self.raw!r}"
            self.raw += data
            self._answers.parser.feed_data(data)
        taken = self._answers.complete[:count]
        del self._answers.complete[:count]
        return taken

    def read_to_end(self) -> list[Answer]:
        """All answers until the server ends the connection."""
        while data := self._receive():
            self.raw += data
            self._answers.parser.feed_data(data)
        taken, self._answers.complete = self._answers.complete, []
        return taken

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self.socket.close()


class Connect(Protocol):
    def __call__(self, port: int) -> Wire: ...


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open wires that are closed after the test."""
    wires: list[Wire] = []

    def open_wire(port: int) -> Wire:
        wires.append(Wire(port))
        return wires[-1]

    yield open_wire
    for wire in wires:
        wire.close()


# A served application: parent and worker as real processes


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    port: int
    worker_pids: list[int]
    folder: Path

    @property
    def worker_pid(self) -> int:
        return self.worker_pids[0]

    def changed_workers(self) -> list[int]:
        """Wait until the server tells of other workers; their pids."""
        assert self.process.stdout is not None
        self.worker_pids = json.loads(self.process.stdout.readline())["worker_pids"]
        return self.worker_pids

    def file(self, name: str) -> Path:
        return self.folder / name


def wait_until(condition: Callable[[], object], patience_s: float = _PATIENCE_S) -> None:
    """Poll a real signal; fail when it does not come."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.005)


@pytest.fixture(name="wait_until", scope="session")
def wait_until_fixture() -> Callable[..., None]:
    """Hand `wait_until` to the tests."""
    return wait_until


Serve = Callable[..., AbstractContextManager[Served]]


@contextmanager
def _serve(folder: Path, **options: Any) -> Generator[Served]:
    environ = {**os.environ, "PYTHONPATH": str(_HERE), "SERVING_TEST_FOLDER": str(folder)}
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(_HERE / "serving_app.py"), json.dumps(options)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**environ, "TMPDIR": str(folder)},
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        ready = json.loads(line or b'{"port": 0, "worker_pids": [0]}')
        yield Served(process, ready["port"], ready["worker_pids"], folder)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Start an application behind the real front door."""
    return _serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One running server for a module's tests."""
    with _serve(tmp_path_factory.mktemp("served")) as served:
        yield served


# A front door in this process before a server that records what reaches it


class _RecordingServer(asyncio.Protocol):
    def __init__(self, house: House) -> None:
        self._house = house
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._house.reply = self._transport.write
        self._house.hang_up_idle = self._transport.close

    def data_received(self, data: bytes) -> None:
        self._house.received += data
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._house.requests += 1
        if self._house.hang_up:
            self._transport.close()
        elif self._parser.get_method() == b"HEAD":
            self._transport.write(self._house.answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        elif self._house.answer:
            self._transport.write(self._house.answer)


@dataclass
class House:
    """A front door, its loop in a thread, and the recording server behind it."""

    port: int = 0
    received: bytes = field(default=b"", repr=False)
    requests: int = 0
    answer: bytes = ANSWER
    hang_up: bool = False
    reply: Callable[[bytes], None] = lambda answer: None
    """Writes an answer to the latest connection."""
    hang_up_idle: Callable[[], None] = lambda: None
    """Ends the latest connection."""
    door: FrontDoor | None = None
    call: Callable[[Callable[[], Any]], Any] = lambda function: function()


@contextmanager
def _open_house(
    folder: Path, limits: Limits, *, with_server: bool = True, dead_servers: int = 0
) -> Generator[House]:
    house = House()
    opened: Future[asyncio.Event] = Future()
    path = str(folder / "u.sock")

    async def live() -> None:
        loop = asyncio.get_running_loop()
        server = None
        if with_server:
            server = await loop.create_unix_server(lambda: _RecordingServer(house), path)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        house.port = listener.getsockname()[1]
        dead = [str(folder / f"dead-{number}.sock") for number in range(dead_servers)]
        house.door = FrontDoor(listener, Backends(*dead, path), _render_problem, limits=limits)
        await house.door.open()
        over = asyncio.Event()

        def call(function: Callable[[], Any]) -> Any:
            result: Future[Any] = Future()
            loop.call_soon_threadsafe(lambda: result.set_result(function()))
            return result.result(_PATIENCE_S)

        house.call = call
        opened.set_result(over)
        await over.wait()
        await house.door.close()
        if server is not None:
            server.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(live())

    thread = threading.Thread(target=run)
    thread.start()
    over = opened.result(_PATIENCE_S)
    try:
        yield house
    finally:
        house.call(over.set)
        thread.join(_PATIENCE_S)


OpenHouse = Callable[..., AbstractContextManager[House]]


@pytest.fixture(scope="session")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> OpenHouse:
    """Open a front door with the given limits."""

    def open_it(
        *, with_server: bool = True, dead_servers: int = 0, **limits: Any
    ) -> AbstractContextManager[House]:
        folder = tmp_path_factory.mktemp("house")
        return _open_house(
            folder, Limits(**limits), with_server=with_server, dead_servers=dead_servers
        )

    return open_it


@pytest.fixture(scope="module")
def house(open_house: OpenHouse) -> Iterator[House]:
    """One front door with short patience for a module's tests."""
    with open_house(linger_s=0.2) as house:
        yield house
