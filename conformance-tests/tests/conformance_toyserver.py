"""A throw-away server: the four operations that a ping needs.

It delivers each event once, at once, and retries nothing.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from hookwright_conformance import oracle

KEY = "hw_live_ofthetoy"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw0000000000A="
APP: dict[str, Any] = {
    "id": "app_01K9ZQ4T7M3N8R2V6X1B5C0D9E",
    "slug": "",
    "name": "",
    "description": None,
    "active": True,
    "retry_policy": None,
    "event_type_policy": "open",
    "rate_limit_per_second": None,
    "retention_days": 30,
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
    "signing": {"source": "endpoint", "scheme": "v1"},
    "rate_limit": None,
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
    "filter_rules": None,
    "transformation": None,
    "signing_secret": SECRET,
}
MESSAGE = "msg_01K9ZQ6A8C0E2G4J6M8P0R2T4V"
ACCEPTED: dict[str, Any] = {
    "message_id": MESSAGE,
    "delivery_ids": ["del_1"],
    "endpoint_count": 1,
    "filtered_count": 0,
    "dry_run": False,
}


class ToyServer(ThreadingHTTPServer):
    """Listens on a free port of loopback; `delivers` and the like switch parts of it off."""

    daemon_threads = True

    def __init__(
        self,
        *,
        delivers: bool = True,
        problems: bool = True,
        problems_later: bool = False,
        delivers_json: bool = True,
        problems_are_objects: bool = True,
        dates_retries: bool = False,
        names_deliveries: bool = True,
        echoes_keys: bool = False,
        other_codes: bool = False,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.delivers, self.problems, self.problems_later = delivers, problems, problems_later
        self.problems_are_objects, self.dates_retries = problems_are_objects, dates_retries
        self.media = "application/json" if delivers_json else "text/plain"
        self.echoes_keys, self.other_codes = echoes_keys, other_codes
        named: list[str] = ACCEPTED["delivery_ids"] if names_deliveries else []
        self.accepted: dict[str, Any] = {**ACCEPTED, "delivery_ids": named}
        self.urls: dict[str, str] = {}
        self.requests = self.deletions = 0
        self.moves: list[str] = []
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
        self.toy.deletions += 1
        self.answer(204, None)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        parts = self.path.strip("/").split("/")
        if self.headers["Authorization"] != f"Bearer {KEY}":
            return self.problem(401, "unauthorized")
        if parts == ["_test", "clock"]:
            self.toy.moves.append(body["advance"])
            if len(self.toy.moves) == 1:
                return self.problem(503, "unavailable")
            return self.answer(200, {"now": "2026-11-22T09:00:00.000Z"})
        if parts == ["v1", "apps"]:
            return self.answer(201, {**APP, "slug": body["slug"], "name": body["name"]})
        if parts[3:] == ["endpoints"]:
            self.toy.urls[parts[2]] = body["url"]
            return self.answer(201, {**ENDPOINT, "app_slug": parts[2], "url": body["url"]})
        self.answer(202, {**self.toy.accepted, "event_name": body["event_name"]})
        if self.toy.delivers:
            deliver(self.toy.urls[parts[2]], body, self.toy.media)
        return None

    def answer(self, status: int, body: Any, media: str = "application/json") -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.toy.requests += 1
        self.send_response(status)
        self.send_header("X-Request-Id", f"req_{self.toy.requests}")
        if self.toy.dates_retries:
            self.send_header("Retry-After", formatdate(usegmt=True))
        if body is not None:
            self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def problem(self, status: int, code: str) -> None:
        if not self.toy.problems:
            self.toy.problems = self.toy.problems_later
            return self.answer(status, "<h1>Not Found</h1>", "text/html")
        if not self.toy.problems_are_objects:
            return self.answer(status, [], "application/problem+json")
        detail = str(self.headers["Authorization"]) if self.toy.echoes_keys else code
        title = {"type": f"urn:hookwright:error:{code}", "title": code, "detail": detail}
        code = "validation_error" if self.toy.other_codes else code
        request_id = f"req_{self.toy.requests + 1}"
        body: dict[str, Any] = {**title, "status": status, "code": code, "errors": []}
        body["request_id"] = request_id
        return self.answer(status, body, "application/problem+json")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def deliver(url: str, event: dict[str, Any], media: str) -> None:
    """Send one signed request."""
    at = int(time.time())
    envelope = {"type": event["event_name"], "timestamp": "2026-11-21T09:00:00.000Z"}
    body = json.dumps({**envelope, "data": event["payload"]}).encode()
    headers = {
        "Content-Type": media,
        "User-Agent": "Hookwright/0",
        "webhook-id": MESSAGE,
        "webhook-timestamp": str(at),
        "webhook-signature": oracle.signature(SECRET, MESSAGE, at, body),
    }
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=5):
        pass
