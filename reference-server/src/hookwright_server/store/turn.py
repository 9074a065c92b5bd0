"""Whose turn it is to write to a SQLite file: one process at a time, and nobody polls.

SQLite itself would have the second writer try again and again (SQLITE_BUSY). The kernel takes the
turn back from a process that dies.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from hookwright_server.store.errors import StoreRefused


class Turn:
    """Belongs to one thread of each process that writes."""

    def __init__(self, database: Path) -> None:
        """Raises StoreRefused when the lock file cannot be had."""
        path = database.with_name(database.name + ".turn")
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreRefused(f"{path} cannot be opened: {error.strerror}") from error
        self._is_ours = False

    def take(self) -> None:
        """Wait for it, unless it is ours already."""
        if not self._is_ours:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            self._is_ours = True

    def give(self) -> None:
        """Let others write, if it is ours."""
        if self._is_ours:
            self._is_ours = False
            fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give it and take it no more."""
        os.close(self._handle)
