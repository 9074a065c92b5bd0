"""The reference server as a process of its own: started in a folder, gone with its starter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HOST: Final = "127.0.0.1"
_START_S: Final = 120.0  # much on an idle machine, not on one that runs a test suite
_STOP_S: Final = 20.0
_LOG_LINES: Final = 30
_SETTINGS: Final = {
    "HOOKWRIGHT_ALLOW_HTTP": "true",
    "HOOKWRIGHT_ALLOW_PRIVATE_NETWORKS": "true",
    "HOOKWRIGHT_REQUESTS_PER_MINUTE": "10000000",
    "HOOKWRIGHT_MESSAGES_PER_SECOND": "10000000",
    "HOOKWRIGHT_DRAIN_SECONDS": "0.5",
}


class ServerFailed(Exception):
    """The server did not start, or has ended; the text holds the end of its log."""


class HookwrightServer:
    """
    A running `hookwright-server serve` on a free port of this machine, empty at first.

    It delivers to plain http and to private networks, and knows no rate limits. Raises
    ServerFailed when it is not installed or does not start. It ends with this process, however
    that one ends. `settings` are environment variables of the server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock_can_move: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.clock_can_move = clock_can_move
        self._log = folder / "server.log"
        if find_spec("hookwright_server") is None:
            raise ServerFailed(
                f"{sys.executable} has no hookwright-server, which the fixtures of hookwright "
                "start: pip install 'hookwright[testing]'"
            )
        clock = {"HOOKWRIGHT_TEST_CLOCK": "true"} if clock_can_move else {}
        self._process = self._launch(folder, _SETTINGS | clock | dict(settings or {}))
        try:
            keys, ready = self._wait_until_ready()
        except BaseException:
            self._end(signal.SIGKILL)
            raise
        self.url: str = ready["url"]
        self.api_key: str = keys["live_key"]

    def __repr__(self) -> str:
        return f"HookwrightServer(url={self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process that was started; it has others under it."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """Stop it in order, or by force when that takes long."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        self._end(signal.SIGKILL)

    def failure(self, what: str) -> ServerFailed:
        """An error that says `what` and shows the end of the log."""
        lines = self.log.splitlines()[-_LOG_LINES:] or ["(empty)"]
        return ServerFailed("\n  ".join([f"hookwright-server {what}. The end of its log:", *lines]))

    def _launch(self, folder: Path, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "hookwright_server", "serve", "--json"]
        command += ["--stop-with-stdin", "--host", _HOST, "--port", "0"]
        command += ["--database", str(folder / "hookwright.db")]
        # The user's own settings are for the user's own server.
        kept = {
            name: text for name, text in os.environ.items() if not name.startswith("HOOKWRIGHT_")
        }
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env={**kept, **settings},
                start_new_session=True,  # Ctrl-C is for the tests; and the group can be killed
            )

    def _wait_until_ready(self) -> tuple[dict[str, Any], dict[str, Any]]:
        facts: dict[str, dict[str, Any]] = {}
        late = threading.Timer(_START_S, self._process.kill)
        late.start()
        try:
            while not {"account_created", "ready"} <= facts.keys():
                line = self._process.stdout.readline() if self._process.stdout else b""
                if not line:
                    raise self.failure(self._ending())
                fact = json.loads(line)
                facts[fact["event"]] = fact
        finally:
            late.cancel()
        return facts["account_created"], facts["ready"]

    def _ending(self) -> str:
        code = self._process.wait(_STOP_S)
        if code == -signal.SIGKILL:
            return f"was not ready within {_START_S:.0f} s, or was killed"
        return f"ended with exit code {code} before it was ready"

    def _end(self, number: signal.Signals) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
