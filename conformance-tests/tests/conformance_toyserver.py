"""A throw-away server: the four operations that a ping needs.

It delivers each event once, at once, and retries nothing.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from hookwright_conformance import oracle

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw0000000000A="
APP: dict[str, Any] = {
    "id": "app_01K9ZQ4T7M3N8R2V6X1B5C0D9E",
    "slug": "",
    "name": "",
    "description": None,
    "active": True,
    "retry_policy": None,
    "rate_limit_per_second": None,
    "metadata": {},
    "created_at": "2026-11-21T09:00:00.000Z",
    "updated_at": "2026-11-21T09:00:00.000Z",
    "signing_secret": SECRET,
}
ENDPOINT: dict[str, Any] = {
    "id": "ep_01K9ZQ4T7M3N8R2V6X1B5C0D9E",
    "app_slug": "",
    "url": "",
    "description": None,
    "events": ["*"],
    "headers": {},
    "metadata": {},
    "active": True,
    "timeout_seconds": 5,
    "retry_policy": None,
    "max_concurrency": 16,
    "signing": {"source": "endpoint"},
    "health": {
        "state": "healthy",
        "consecutive_failures": 0,
        "first_failure_at": None,
        "last_success_at": None,
        "last_failure_at": None,
    },
    "disabled_at": None,
    "disabled_reason": None,
    "created_at": "2026-11-21T09:00:00.000Z",
    "updated_at": "2026-11-21T09:00:00.000Z",
    "signing_secret": SECRET,
}
MESSAGE = "msg_01K9ZQ6A8C0E2G4J6M8P0R2T4V"
ACCEPTED: dict[str, Any] = {
    "message_id": MESSAGE,
    "delivery_ids": ["del_1"],
    "endpoint_count": 1,
    "filtered_count": 0,
}


class ToyServer(ThreadingHTTPServer):
    """Listens on a free port of loopback; `delivers` and `problems` switch parts of it off."""

    daemon_threads = True

    def __init__(self, *, delivers: bool = True, problems: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.delivers, self.problems = delivers, problems
        self.urls: dict[str, str] = {}
        self.requests = 0
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def toy(self) -> ToyServer:
        return cast("ToyServer", self.server)

    def do_GET(self) -> None:
        self.problem(404, "not_found")

    def do_DELETE(self) -> None:
        self.answer(204, None)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        parts = self.path.strip("/").split("/")
        if self.headers["Authorization"] != "Bearer k":
            return self.problem(401, "unauthorized")
        if parts == ["v1", "apps"]:
            return self.answer(201, {**APP, "slug": body["slug"], "name": body["name"]})
        if parts[3:] == ["endpoints"]:
            self.toy.urls[parts[2]] = body["url"]
            return self.answer(201, {**ENDPOINT, "app_slug": parts[2], "url": body["url"]})
        self.answer(202, {**ACCEPTED, "event_name": body["event_name"]})
        if self.toy.delivers:
            deliver(self.toy.urls[parts[2]], body)
        return None

    def answer(self, status: int, body: Any, media: str = "application/json") -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.toy.requests += 1
        self.send_response(status)
        self.send_header("X-Request-Id", f"req_{self.toy.requests}")
        if body is not None:
            self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def problem(self, status: int, code: str) -> None:
        if not self.toy.problems:
            return self.answer(status, "<h1>Not Found</h1>", "text/html")
        title = {"type": f"urn:hookwright:error:{code}", "title": code, "detail": code}
        request_id = f"req_{self.toy.requests + 1}"
        body: dict[str, Any] = {**title, "status": status, "code": code, "errors": []}
        body["request_id"] = request_id
        return self.answer(status, body, "application/problem+json")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def deliver(url: str, event: dict[str, Any]) -> None:
    """Send one signed request."""
    at = int(time.time())
    envelope = {"type": event["event_name"], "timestamp": "2026-11-21T09:00:00.000Z"}
    body = json.dumps({**envelope, "data": event["payload"]}).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Hookwright/0",
        "webhook-id": MESSAGE,
        "webhook-timestamp": str(at),
        "webhook-signature": oracle.signature(SECRET, MESSAGE, at, body),
    }
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=5):
        pass
