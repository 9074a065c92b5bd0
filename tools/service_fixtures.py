"""pytest fixtures that hand out own instances of Postgres and Redis; see services.py."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TOOL = Path(__file__).with_name("services.py")
_DATABASES = 10_000


@dataclass(frozen=True)
class RunningService:
    """A service of this test: where it is, its first process, its folder, its unix socket."""

    url: str
    pid: int
    port: int
    folder: Path
    socket: str
    command: subprocess.Popen[str]

    def stop(self) -> None:
        """End it; a second time does nothing."""
        self.command.communicate(timeout=240)


class StartService(Protocol):
    """Starts a service with settings of its own: `start_service("redis", save="", port=6390)`.

    `folder` keeps the data for a later start; without one it is gone with the service. The
    service ends after the test at the latest.
    """

    def __call__(
        self, name: str, *, folder: Path | None = None, port: int = 0, **settings: str
    ) -> RunningService: ...


class NewDatabase(Protocol):
    """Makes an empty Postgres database and gives its URL.

    `prepare` fills a database, given its URL, and closes its connections; it runs once for a
    worker of pytest, and every database made with it is a copy (a few hundredths of a second).
    """

    def __call__(self, prepare: Callable[[str], None] | None = None) -> str: ...


def start(
    name: str, *, folder: Path | None = None, port: int = 0, **settings: str
) -> RunningService:
    """Start a service; whoever calls this stops it."""
    where = [] if folder is None else ["--folder", str(folder)]
    chosen = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    command = subprocess.Popen(
        [sys.executable, str(_TOOL), name, "--port", str(port), *where, *chosen],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    line = cast("IO[str]", command.stdout).readline()
    if not line:
        command.communicate()
        pytest.fail(f"{name} did not start (its words are in the captured output)", pytrace=False)
    told = json.loads(line)
    return RunningService(
        url=told["url"],
        pid=told["pid"],
        port=told["port"],
        folder=Path(told["folder"]),
        socket=told["socket"],
        command=command,
    )


@pytest.fixture
def start_service() -> Iterator[StartService]:
    """Starts services that only this test uses, for killing and stopping them."""
    running: list[RunningService] = []

    def start_one(
        name: str, *, folder: Path | None = None, port: int = 0, **settings: str
    ) -> RunningService:
        running.append(start(name, folder=folder, port=port, **settings))
        return running[-1]

    yield start_one
    for service in running:
        service.stop()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of this worker's cluster, of the database where others are made: keep it empty.

    It does not wait for the disk; a test of durability starts its own.
    """
    service = start("postgres", fsync="off", full_page_writes="off", max_connections="200")
    yield service.url
    service.stop()


@pytest.fixture(scope="session")
def _templates() -> dict[Callable[[str], None], str]:
    return {}


_NUMBERS = count(1)


@pytest.fixture
def new_database(
    postgres_url: str, _templates: dict[Callable[[str], None], str]
) -> Iterator[NewDatabase]:
    """Makes empty databases for this test, and drops them after it."""
    import psycopg

    base, _, _ = postgres_url.rpartition("/")
    made: list[str] = []
    with psycopg.connect(postgres_url, autocommit=True) as connection:

        def create(template: str) -> str:
            name = f"test_{next(_NUMBERS)}"
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode("ascii"))
            return name

        def new(prepare: Callable[[str], None] | None = None) -> str:
            if prepare is not None and prepare not in _templates:
                template = create("template0")
                prepare(f"{base}/{template}")
                _templates[prepare] = template
            made.append(create("template0" if prepare is None else _templates[prepare]))
            return f"{base}/{made[-1]}"

        yield new
        for name in made:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode("ascii"))


@pytest.fixture(scope="session")
def _redis() -> Iterator[str]:
    service = start("redis", databases=str(_DATABASES))
    yield service.url
    service.stop()


@pytest.fixture
def redis_url(_redis: str) -> str:
    """The URL of an empty database in this worker's Redis: nobody else uses that database."""
    return f"{_redis.rpartition('/')[0]}/{next(_NUMBERS) % _DATABASES}"
