"""Implementations behind a path, at an IPv6 address: the miniature behind a proxy on [::1]."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest

MINIATURE = Path(__file__).parents[1] / "miniature"
PREFIX = b"/webhooks-api"
NOT_HERE = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
    b"Connection: close\r\n\r\nnope\n"
)
CASES = (
    "paging.newest-first",
    "errors.unknown-path-is-a-problem",
    "errors.malformed-http-is-a-problem",
    "wire.request-is-a-documented-post",
)

Run = Callable[[str], "subprocess.CompletedProcess[str]"]


class PrefixingProxy(socketserver.ThreadingTCPServer):
    """Passes on what begins with the prefix, without it; one request a connection."""

    address_family = socket.AF_INET6
    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.behind = ("127.0.0.1", port)
        super().__init__(("::1", 0), _Passage)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens, without the prefix."""
        return f"http://[::1]:{self.server_address[1]}"


class _Passage(socketserver.BaseRequestHandler):
    request: socket.socket

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (more := self.request.recv(65_536)):
            head += more
        method, _, rest = head.partition(b" ")
        if rest.startswith(b"/"):
            if not rest.startswith(PREFIX + b"/"):
                self.request.sendall(NOT_HERE)
                return
            head = method + b" " + rest.removeprefix(PREFIX)
        proxy = cast("PrefixingProxy", self.server)
        with closing(socket.create_connection(proxy.behind, 60)) as behind:
            behind.sendall(head)
            thread = threading.Thread(target=_pass_on, args=(self.request, behind))
            thread.start()
            _pass_on(behind, self.request)
            thread.join()


def _pass_on(source: socket.socket, destination: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            destination.sendall(data)
        destination.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one of both has left


@pytest.fixture(scope="module")
def announced() -> Iterator[dict[str, object]]:
    """The running miniature: its `base_url`, and the keys as its `environment`."""
    command = [sys.executable, str(MINIATURE / "serve.py"), "--json", "--port", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.communicate(timeout=240)


@pytest.fixture
def proxy(announced: dict[str, object]) -> Iterator[PrefixingProxy]:
    """Stands before the miniature."""
    with PrefixingProxy(urlsplit(str(announced["base_url"])).port or 0) as running:
        yield running
        running.shutdown()


@pytest.fixture
def run(announced: dict[str, object], tmp_path: Path) -> Run:
    """Runs some cases against a base URL."""
    keys = cast("dict[str, str]", announced["environment"])
    target = tmp_path / "target.yaml"
    text = (MINIATURE / "target.yaml").read_text(encoding="utf-8")
    target.write_text(text + "timing: {slack_seconds: 10, delivery_seconds: 30}\n")

    def call(base_url: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hookwright_conformance", "server"]
        command += ["--target", str(target), "--base-url", base_url]
        command += [part for case in CASES for part in ("--only", case)]
        return subprocess.run(
            command,
            env={**os.environ, **keys},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return call


def test_the_api_may_live_under_a_path(proxy: PrefixingProxy, run: Run) -> None:
    """Of an IPv6 address, too: whatever is sent goes there, well-formed or not."""
    done = run(f"{proxy.url}{PREFIX.decode()}/")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"partial: {len(CASES)} of" in done.stdout


def test_a_missing_path_is_a_likely_cause(proxy: PrefixingProxy, run: Run) -> None:
    """The ping says so, when what stands there does not know /v1."""
    done = run(proxy.url)

    assert 2 == done.returncode, done.stdout + done.stderr
    assert "base_url lacks the path that stands before /v1 there" in done.stdout
