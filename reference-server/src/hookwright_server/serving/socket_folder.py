"""The folder of the workers' sockets: private, with a short path, not left behind for ever."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path

_SOCKETS = "worker-*.sock"
_PREFIX = "hookwright-"
# The path of a unix socket has at most some 100 characters, whatever TMPDIR says.
_LONGEST_TEMPDIR = 70
_SHORT_TEMPDIR = "/tmp"  # noqa: S108 - the folder made in it is private
# A socket refuses connections too while its server is just starting.
_LEFT_ALONE_S = 600


def socket_folder() -> tempfile.TemporaryDirectory[str]:
    """A fresh folder, removed at the end; those of killed servers are removed now."""
    place = tempfile.gettempdir()
    if len(place) > _LONGEST_TEMPDIR:
        place = _SHORT_TEMPDIR
    sweep(Path(place))
    return tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place)


def socket_name(number: int) -> str:
    """The file name of a worker's socket; no two workers of one server have the same number."""
    return _SOCKETS.replace("*", str(number))


def sweep(place: Path) -> None:
    """Remove our folders below `place` whose sockets nobody listens on any more."""
    for folder in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else removes it at the same time
            status = folder.stat()
            is_old = time.time() - status.st_mtime > _LEFT_ALONE_S
            if is_old and status.st_uid == os.getuid() and _is_dead(folder):
                shutil.rmtree(folder)


def _is_dead(folder: Path) -> bool:
    sockets = list(folder.glob(_SOCKETS))
    return bool(sockets) and all(_is_refusing(path) for path in sockets)


def _is_refusing(path: Path) -> bool:
    # A refused connection is certain even when containers share the folder: they share the kernel.
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False
