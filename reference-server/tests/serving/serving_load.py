"""Clients that keep asking a server while it is restarted, over kept and fresh connections."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

_PATIENCE_S = 60.0
_REQUESTS_OF_A_CONNECTION = (1, 7, 10**9)


@dataclass
class Load:
    """What the clients saw: answers by status, errors of connections, and who answered."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    errors: list[str] = field(default_factory=list[str])
    pids: set[int] = field(default_factory=set[int])
    total: int = 0


@contextmanager
def under_load(port: int, clients: int = 6, *, fresh: bool = False) -> Generator[Load]:
    """Ask `/pid` again and again until the end of the block; then the results are complete.

    `fresh`: every request has a connection of its own.
    """
    load, over, lock = Load(), threading.Event(), threading.Lock()

    def ask(connection: http.client.HTTPConnection) -> None:
        connection.request("POST", "/pid", body=b"x" * 100)
        answer = connection.getresponse()
        body = answer.read()
        with lock:
            load.total += 1
            load.statuses[answer.status] += 1
            if answer.status == 200:
                load.pids.add(int(body))

    def run(requests_of_a_connection: int) -> None:
        while not over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
            try:
                for _ in range(requests_of_a_connection):
                    ask(connection)
                    if over.is_set() or connection.sock is None:
                        break
            except (OSError, http.client.HTTPException) as error:
                with lock:
                    load.errors.append(repr(error))
            finally:
                connection.close()

    kinds = [1 if fresh else _REQUESTS_OF_A_CONNECTION[at % 3] for at in range(clients)]
    threads = [threading.Thread(target=run, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join(_PATIENCE_S)
