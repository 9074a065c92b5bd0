"""What killed servers leave in the folder for temporary files."""

from __future__ import annotations

import socket
import tempfile
from contextlib import closing
from pathlib import Path

from hookwright_server.serving.socket_folder import SOCKET, sweep


def test_only_folders_of_dead_servers_are_removed() -> None:
    """A socket that nobody listens on goes with its folder; a living one and a new folder stay."""
    with tempfile.TemporaryDirectory(prefix="hw-", dir="/tmp") as name:
        place = Path(name)
        for kind in ("dead", "living", "new"):
            (place / f"hookwright-{kind}").mkdir()
        with closing(socket.socket(socket.AF_UNIX)) as dead:
            dead.bind(str(place / "hookwright-dead" / SOCKET))
        with closing(socket.socket(socket.AF_UNIX)) as living:
            living.bind(str(place / "hookwright-living" / SOCKET))
            living.listen()
            sweep(place)

        assert {"hookwright-living", "hookwright-new"} == {path.name for path in place.iterdir()}
