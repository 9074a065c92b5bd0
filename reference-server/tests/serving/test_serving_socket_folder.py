"""What killed servers leave in the folder for temporary files."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import closing
from pathlib import Path

from hookwright_server.serving.socket_folder import socket_name, sweep


def test_only_folders_of_dead_servers_are_removed() -> None:
    """An old socket that nobody listens on goes with its folder; a living or young one stays."""
    with tempfile.TemporaryDirectory(prefix="hw-", dir="/tmp") as name:
        place = Path(name)
        for kind in ("dead", "living", "starting"):
            (place / f"hookwright-{kind}").mkdir()
        for kind in ("dead", "starting"):
            with closing(socket.socket(socket.AF_UNIX)) as silent:
                silent.bind(str(place / f"hookwright-{kind}" / socket_name(1)))
        with closing(socket.socket(socket.AF_UNIX)) as living:
            living.bind(str(place / "hookwright-living" / socket_name(7)))
            living.listen()
            for kind in ("dead", "living"):
                os.utime(place / f"hookwright-{kind}", (0, 0))
            sweep(place)

        assert {"hookwright-living", "hookwright-starting"} == {p.name for p in place.iterdir()}
