"""The production form as its operators run it: real processes on a real Postgres and Redis."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hookwright import Hookwright

APP = "lab"
PATIENCE_S = 240.0
_KEY = "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait until `condition` holds; fails after a deadline."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


@dataclass
class Receiver:
    """An endpoint: notes the ids it received, and answers when `held` is not set."""

    received: list[str] = field(default_factory=list[str])
    at_once: int = 0
    most_at_once: int = 0
    answers_after_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _may_answer: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def __post_init__(self) -> None:
        self._may_answer.set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/"

    def hold(self) -> None:
        """Answer nothing until `let_go`."""
        self._may_answer.clear()

    def let_go(self) -> None:
        """Answer what waits."""
        self._may_answer.set()

    def take(self, message_id: str) -> None:
        """Note a request, and return when it is to be answered."""
        with self._lock:
            self.received.append(message_id)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.answers_after_s)
        self._may_answer.wait(PATIENCE_S)
        with self._lock:
            self.at_once -= 1


@contextmanager
def receiving() -> Generator[Receiver]:
    """A receiver that runs."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            receiver.take(self.headers["webhook-id"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # the worker was killed
                super().handle()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield receiver
        receiver.let_go()
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Process:
    """A running command."""

    popen: subprocess.Popen[bytes]
    log: Path

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.popen.send_signal(number)

    def ended(self, patience_s: float = PATIENCE_S) -> int:
        """Wait for its end; its exit code."""
        return self.popen.wait(patience_s)

    def stop(self) -> int:
        """SIGTERM, and wait."""
        self.signal(signal.SIGTERM)
        return self.ended()


class PreparedDatabase:
    """Fills a database with the tables and an account, whose `key` copies of it have too."""

    key = ""

    def __call__(self, url: str) -> None:
        _run(url, "migrate")
        self.key = json.loads(_run(url, "account", "create", "lab", "--json"))["live_key"]


class Production:
    """One `api`, as many workers as a test starts, and a client's hands."""

    def __init__(
        self, folder: Path, database_url: str, key: str, redis_url: str, stack: ExitStack
    ) -> None:
        self._folder = folder
        self._stack = stack
        self._started = 0
        self._environ = _environ(database_url) | {"HOOKWRIGHT_REDIS_URL": redis_url}
        self.key = key
        self._has_app = False

    def start(self, *command: str, **settings: str) -> Process:
        """Start a command; it ends with the test."""
        self._started += 1
        log = self._folder / f"{self._started}-{command[0]}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [sys.executable, "-m", "hookwright_server", *command],
                env=self._environ | settings,
                stdout=subprocess.PIPE,
                stderr=output,
            )
        process = Process(popen, log)
        self._stack.callback(_end, process)
        return process

    def start_api(self, processes: int = 1, **settings: str) -> Process:
        """Start `api` and wait until it answers."""
        api = self.start("api", "--port", "0", "--processes", str(processes), "--json", **settings)
        assert api.popen.stdout is not None
        self.url: str = json.loads(api.popen.stdout.readline())["url"]
        self.client = self._stack.enter_context(Hookwright(self.key, base_url=self.url))
        if not self._has_app:
            self.client.apps.create(name="Lab", slug=APP)
            self._has_app = True
        return api

    def start_worker(self, **settings: str) -> Process:
        """Start a worker; it delivers soon."""
        return self.start("worker", **settings)

    def endpoint(self, receiver: Receiver, *, max_concurrency: int = 100) -> str:
        """Make an endpoint; its id."""
        made = self.client.endpoints.create(
            APP, url=receiver.url, max_concurrency=max_concurrency, timeout_seconds=30
        )
        return made.id

    def publish(self, times: int = 1) -> list[str]:
        """Publish events; the messages' ids."""
        sent = [
            self.client.trigger.send(APP, event_name="order.paid", payload={"n": number})
            for number in range(times)
        ]
        return [each.message_id for each in sent]


def _environ(database_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "HOOKWRIGHT_DATABASE": database_url,
        "HOOKWRIGHT_ENCRYPTION_KEYS": _KEY,
        "HOOKWRIGHT_ALLOW_HTTP": "true",
        "HOOKWRIGHT_ALLOW_PRIVATE_NETWORKS": "true",
        "HOOKWRIGHT_DRAIN_SLICE_SECONDS": "2",
        "HOOKWRIGHT_MESSAGES_PER_SECOND": "100000",
        "HOOKWRIGHT_REQUESTS_PER_MINUTE": "1000000",
    }


def _run(database_url: str, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "hookwright_server", *command],
        env=_environ(database_url),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.stdout


def _end(process: Process) -> None:
    process.popen.kill()
    process.popen.wait()
    if process.popen.stdout is not None:
        process.popen.stdout.close()
