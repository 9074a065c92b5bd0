"""The installed command as a process, and a client that speaks to it over sockets."""

from __future__ import annotations

import http.client
import io
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from http_lab import UPKEPT, Answer, Client, Headers, snapshot

_SETTINGS = {
    "HOOKWRIGHT_ALLOW_HTTP": "true",
    "HOOKWRIGHT_ALLOW_PRIVATE_NETWORKS": "true",
    "HOOKWRIGHT_TEST_CLOCK": "true",
    "HOOKWRIGHT_VALIDATE_RESPONSES": "1",
    "HOOKWRIGHT_REQUESTS_PER_MINUTE": "10000000",
    "HOOKWRIGHT_MESSAGES_PER_SECOND": "10000000",
    "HOOKWRIGHT_LOG_LEVEL": "debug",
    "HOOKWRIGHT_DRAIN_SECONDS": "1",
}


@dataclass
class LiveServer:
    """A running `hookwright-server serve`."""

    url: str
    live_key: str
    test_key: str
    folder: Path

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    @property
    def client(self) -> Client:
        """The first account's live environment; one connection for each request."""
        return Client(partial(send_to, self.address), self.live_key)

    @property
    def log(self) -> str:
        """What it has written to standard error so far."""
        return (self.folder / "stderr").read_text()

    def snapshot(self, *ignored: str) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of its database, but for what upkeep changes."""
        return snapshot(self.folder / "hookwright.db", *UPKEPT, *ignored)


def send_to(
    address: tuple[str, int],
    method: str,
    target: str,
    headers: Headers,
    body: bytes | io.BytesIO,
) -> Answer:
    """Send one request on a connection of its own; a body given as a stream goes in chunks."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    try:
        connection.request(
            method,
            target,
            body=body or None,
            headers=dict(headers),
            encode_chunked=isinstance(body, io.BytesIO),
        )
        response = connection.getresponse()
        got = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, got, response.read())
    finally:
        connection.close()


@contextmanager
def serve_live(folder: Path, **settings: str) -> Generator[LiveServer]:
    """Run the server in `folder` until the end; it must stop cleanly when told to."""
    command = [
        *(sys.executable, "-m", "hookwright_server", "serve", "--port", "0", "--json"),
        *("--database", str(folder / "hookwright.db")),
    ]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("HOOKWRIGHT_")
    }
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command,
            env={**environment, **_SETTINGS, **settings},
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=folder,
        )
    assert process.stdout is not None
    try:
        with process.stdout as output:
            keys, ready = _events(output, folder)
            yield LiveServer(ready["url"], keys["live_key"], keys["test_key"], folder)
            process.terminate()
            assert process.wait(240) == 0, (folder / "stderr").read_text()[-2000:]
    finally:
        process.kill()
        process.wait()


def _events(output: IO[bytes], folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    while not {"account_created", "ready"} <= found.keys():
        line = output.readline()
        assert line, (folder / "stderr").read_text()[-2000:]
        event = json.loads(line)
        found[event["event"]] = event
    return found["account_created"], found["ready"]
