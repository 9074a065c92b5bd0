"""An HTTP server on loopback that answers as it is told: status, delay, silence, a cut line."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from hookwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Silence: TypeAlias = Literal["hang", "close"]

_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answers, `delay_seconds` after the request has come in whole."""

    status: int = 204
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delay_seconds: float = 0.0

    def __str__(self) -> str:
        late = f" after {self.delay_seconds:g} s" if self.delay_seconds else ""
        return f"{self.status}{late}"


def read_answer(given: object) -> Answer | Silence:
    """What a script may hold, checked. UsageError says what it may hold."""
    if isinstance(given, Answer):
        return given
    if given == "hang":
        return "hang"
    if given == "close":
        return "close"
    if isinstance(given, int) and 200 <= given <= 599:
        return Answer(given)
    raise UsageError(
        "a receiver answers with a status of 200 to 599, an Answer, 'hang' or 'close', "
        f"not {given!r}"
    )


class Listener:
    """
    Takes POST requests at any path until it is closed; `answer` is called for each.

    Its arguments are path, headers with lower-case names, and body; it is called by several
    threads. "hang" leaves the connection open without a word, "close" cuts it.
    """

    def __init__(self, answer: Callable[[str, dict[str, str], bytes], Answer | Silence]) -> None:
        self.answer = answer
        self.closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="webhook-receiver", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._server.server_port}/"

    def close(self) -> None:
        """Cut what is open and accept nothing more."""
        self.closing.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    # `server_close` waits for the threads of all connections, which `close_connections` has cut.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, listener: Listener) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.listener = listener
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that has gone is nothing to report; what went wrong is seen by its effect."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - the only one there is

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        listener = self.server.listener
        answer = listener.answer(self.path, headers, body)
        if answer == "hang":
            listener.closing.wait()
        if not isinstance(answer, Answer) or listener.closing.wait(answer.delay_seconds):
            self.close_connection = True
            return
        content = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(b"" if answer.status == 204 else content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
        """Nothing: standard error belongs to the tests."""
