"""The operators' own listener: `GET /metrics` and `GET /live`, never on the public port."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from hookwright_server.telemetry.address import Address

_log = logging.getLogger(__name__)

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PLAIN = "text/plain; charset=utf-8"
_PATIENCE_S = 10.0

Page = Callable[[], bytes]


class MetricsListener:
    """Serves `page` on a thread of its own until `close`.

    `shared`: other processes of this user may listen on the same address, and any one answers.
    Raises OSError when the address cannot be had.
    """

    def __init__(self, address: Address, page: Page, *, shared: bool = False) -> None:
        self._server = _Server(address, page, shared=shared)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="hookwright-metrics", daemon=True
        )
        self._thread.start()
        _log.info("metrics_served address=%s", self.address)

    @property
    def address(self) -> Address:
        """Where it listens, with the port that was taken."""
        host, port = self._server.server_address[:2]
        return Address(str(host), int(port))

    def close(self) -> None:
        """Stop listening; closing twice is harmless."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 16

    def __init__(self, address: Address, page: Page, *, shared: bool) -> None:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self.address_family = found[0]
        self.allow_reuse_port = shared
        self.page = page
        super().__init__((address.host, address.port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("metrics_scrape_failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server_version = "Hookwright"
    sys_version = ""
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(200, cast("_Server", self.server).page(), _CONTENT_TYPE)
        elif path == "/live":
            self._answer(200, b"live\n", _PLAIN)
        else:
            self._answer(404, b"There are /metrics and /live.\n", _PLAIN)

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        _log.debug("metrics_asked")
