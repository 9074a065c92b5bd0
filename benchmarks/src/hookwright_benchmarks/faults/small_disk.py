"""A disk so small that it can be filled: a tmpfs of its own, always unmounted again."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Self

_PIECES = (1 << 20, 4096, 1)


def possible() -> bool:
    """Whether this user may mount one."""
    return os.geteuid() == 0


class SmallDisk:
    """`size_mb` megabytes, mounted at `folder` while the context lasts."""

    def __init__(self, folder: Path, size_mb: int) -> None:
        self.folder = folder
        self._size_mb = size_mb
        self._ballast = folder / "ballast"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        options = f"size={self._size_mb}m,mode=755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: whoever still has a file open there is about to end.
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in _PIECES:
                _write_until_full(file.fileno(), bytes(size))

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


def _write_until_full(handle: int, piece: bytes) -> None:
    while True:
        try:
            os.write(handle, piece)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return
