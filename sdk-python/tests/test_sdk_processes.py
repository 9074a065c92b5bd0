"""Clients in processes that fork: connections belong to the process that made them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from sdk_harness import ScriptedApi, read_request

if TYPE_CHECKING:
    import socket

_CODE = """
import os, warnings
from hookwright import Hookwright

warnings.simplefilter("ignore")  # of forks beside threads
client = Hookwright("hw_test_key", base_url=os.environ["URL"])
client.apps.delete("before")
pid = os.fork()
name = "parent" if pid else "child"
for _ in range(2):
    client.apps.delete(name)
if not pid:
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""


def test_a_forked_client_has_connections_of_its_own() -> None:
    """Parent and child of a fork never write to one connection, and both get their answers."""
    seen: list[list[str]] = []

    def keep(connection: socket.socket, closing_: threading.Event) -> None:
        connection.settimeout(60)
        mine = ["first"]
        seen.append(mine)
        while True:
            connection.sendall(b"HTTP/1.1 204 Gone\r\n\r\n")
            request = read_request(connection)
            if request is None:
                return
            mine.append(request.target.rpartition("/")[2])

    with closing(ScriptedApi()) as api:
        api.steps[:] = [keep] * 2
        run = subprocess.run(
            [sys.executable, "-c", _CODE],
            env={**os.environ, "URL": api.base_url},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        api.join()

    assert (0, "") == (run.returncode, run.stderr)
    assert [["first", "child"], ["first", "parent", "parent"]] == sorted(seen)
