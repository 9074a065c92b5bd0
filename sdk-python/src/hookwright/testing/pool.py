"""The servers of a test run: one on real time, one whose clock tests move; started when needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hookwright.testing.server import HookwrightServer, ServerFailed

if TYPE_CHECKING:
    from pathlib import Path


class ServerPool:
    """Belongs to one process: under pytest-xdist every worker has its own servers and clock."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._servers: dict[bool, HookwrightServer] = {}
        self._failure: str | None = None

    def get(self, *, clock_can_move: bool) -> HookwrightServer:
        """The server, started anew if it has ended. One that does not start fails all tests."""
        server = self._servers.get(clock_can_move)
        if server is None or not server.running:
            if server is not None:
                server.stop()
            server = self._servers[clock_can_move] = self._start(clock_can_move)
        return server

    def close(self) -> None:
        """Stop them."""
        for server in self._servers.values():
            server.stop()

    def _start(self, clock_can_move: bool) -> HookwrightServer:
        __tracebackhide__ = True
        if self._failure is None:
            try:
                return HookwrightServer(self._folder(), clock_can_move=clock_can_move)
            except ServerFailed as error:
                self._failure = str(error)
        # Not tried again: each try of a server that hangs takes minutes.
        pytest.fail(self._failure, pytrace=False)

    def _folder(self) -> Path:
        return self._folders.mktemp("hookwright")
