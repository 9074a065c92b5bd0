"""The server under demonstration: the real command, as a process that can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hookwright_server.demo.receivers import HOST

_STOP_S = 10.0
_SETTINGS = {
    "HOOKWRIGHT_ALLOW_HTTP": "1",
    "HOOKWRIGHT_EGRESS_ALLOW": f"{HOST}/32",  # deliveries may go to this address, nowhere else
    "HOOKWRIGHT_REQUESTS_PER_MINUTE": "1000000",
    "HOOKWRIGHT_MESSAGES_PER_SECOND": "1000000",
    "HOOKWRIGHT_DRAIN_SECONDS": "3",
}


class ServerFailed(Exception):
    """The server did not start; `str()` holds the last lines that it wrote."""


@dataclass(frozen=True, slots=True)
class Started:
    """Where it listens, and the API key if this was its first start."""

    url: str
    live_key: str | None


class ServerProcess:
    """`hookwright-server serve` on a database in `folder`; always the same port once it had one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "server.log"
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    async def start(self) -> Started:
        """Start it and wait until it answers. Raises ServerFailed."""
        command = [sys.executable, "-m", "hookwright_server", "serve", "--json"]
        command += ["--host", HOST, "--port", str(self._port)]
        command += ["--database", str(self._folder / "demo.db")]
        with self._log.open("ab") as log:
            spawning = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    env=_environment(self._folder),
                    start_new_session=True,  # Ctrl-C is ours; and the whole group can be killed
                )
            )
            try:
                self._process = process = await asyncio.shield(spawning)
            except asyncio.CancelledError:
                self._process = await spawning  # so that it can be killed
                raise
        live_key = None
        async for fact in _facts(process):
            if fact["event"] == "account_created":
                live_key = fact["live_key"]
            if fact["event"] == "ready":
                self._port = urlsplit(fact["url"]).port or 0
                return Started(fact["url"], live_key)
        raise ServerFailed(f"the server ended before it was ready:\n{self._last_words()}")

    async def kill(self) -> None:
        """SIGKILL, as `kill -9` does, to all of its processes at once."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._process = None

    async def stop(self) -> None:
        """Stop it in order, or by force when that takes too long."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), _STOP_S)
        await self.kill()

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])


def _environment(folder: Path) -> dict[str, str]:
    # The user's own settings are for the user's own server.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKWRIGHT_")}
    # A killed server cannot remove its temporary files; so they lie in what is removed anyway.
    return kept | _SETTINGS | {"TMPDIR": str(folder)}


async def _facts(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, str]]:
    if process.stdout is not None:
        async for line in process.stdout:
            yield json.loads(line)
