"""A server on Postgres in this process."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from http_lab import Client, call_wsgi, settings_of

from hookwright_server.domain.vault import generate_key
from hookwright_server.settings import PostgresUrl
from hookwright_server.wiring import build, prepare

if TYPE_CHECKING:
    from collections.abc import Generator

    from service_fixtures import RunningService

    from hookwright_server.wiring import Server


@contextmanager
def on_postgres(folder: Path, url: str, **changed: Any) -> Generator[tuple[Server, Client]]:
    """A server on an empty database, and the owner of its first account. It does not deliver."""
    settings = settings_of(
        folder, database=PostgresUrl(url), encryption_keys=generate_key("k1"), **changed
    )
    owner = prepare(settings, "owner")
    assert owner is not None
    server = build(settings)
    try:
        yield server, Client(lambda *sent: call_wsgi(server.app, *sent), owner.live_key)
    finally:
        server.database.close()


@contextmanager
def stopped(service: RunningService) -> Generator[None]:
    """The service's processes stand still; what they hold stays held."""
    children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
    processes = [service.pid, *map(int, children)]
    for each in processes:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in processes:
            os.kill(each, signal.SIGCONT)
