"""Postgres and Redis of a run: own instances, started by the project's script, one for all suites.

Every server and every store gets a database of its own in them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import LiteralString, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from hookwright_benchmarks.processes import family_cpu_seconds

_SCRIPT = Path(__file__).parents[4] / "tools" / "services.py"
_STOP_S = 60.0
# Said in the report; fsync, synchronous_commit and full_page_writes stay on, as they are set.
POSTGRES_SETTINGS: Mapping[str, str] = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "max_connections": "200",
    "maintenance_work_mem": "1GB",
}
_TOLD = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    *POSTGRES_SETTINGS,
)


class Service:
    """One instance, running from the beginning until `close`. Raises OSError without it."""

    def __init__(self, kind: str, folder: Path, settings: Mapping[str, str]) -> None:
        # No --folder: under a folder of root, the account postgres could not reach it.
        arguments = [sys.executable, str(_SCRIPT), kind]
        arguments += [f"--set={name}={value}" for name, value in settings.items()]
        with (folder / f"{kind}.log").open("ab") as log:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OSError(f"{kind} did not start; see {folder / kind}.log")
        told = json.loads(line)
        self.url: str = told["url"]
        self.pid: int = told["pid"]

    def cpu_seconds(self) -> float:
        """What its processes have used so far, the ended ones included."""
        return family_cpu_seconds(self.pid)

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(_STOP_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Postgres(Service):
    """Hands out databases."""

    def __init__(self, folder: Path) -> None:
        super().__init__("postgres", folder, POSTGRES_SETTINGS)
        self._numbers = count(1)

    def new_database(self, like: str | None = None) -> str:
        """The URL of a new database: an empty one, or a copy of the one at `like`."""
        name = f"bench_{next(self._numbers)}"
        model = "template1" if like is None else urlsplit(like).path[1:]
        self._do(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, model)
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        self._do(sql.SQL("DROP DATABASE {} WITH (FORCE)"), urlsplit(url).path[1:])

    def facts(self) -> dict[str, str]:
        """The settings that decide what a commit costs."""
        with psycopg.connect(self.url) as connection:
            question = "SELECT current_setting(%s)"
            values = [connection.execute(question, (name,)).fetchone() for name in _TOLD]
        return {
            f"Postgres {name.removeprefix('server_')}": str(value[0]).split(" ")[0]
            for name, value in zip(_TOLD, values, strict=True)
            if value is not None
        }

    def wal_bytes(self) -> int:
        """How much has been written to the log so far."""
        return self._number("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")

    def size_bytes(self, url: str) -> int:
        """What a database takes on disk."""
        name = urlsplit(url).path[1:]
        return self._number("SELECT pg_database_size(%s)", name)

    def _do(self, statement: sql.SQL, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.format(*map(sql.Identifier, names)))

    def _number(self, question: LiteralString, *values: str) -> int:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(question, values).fetchone()
        assert row is not None
        return int(row[0])


class Redis(Service):
    """Hands out its numbered databases in turn. As `tools/services.py` starts it: it keeps
    nothing on disk (no snapshots, no append-only file), as nothing in it is needed again."""

    def __init__(self, folder: Path) -> None:
        super().__init__("redis", folder, {"appendonly": "no", "databases": "1000"})
        self._numbers = count(1)

    def new_database(self) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{next(self._numbers)}"))

    def facts(self) -> dict[str, str]:
        return {"Redis persistence": "none (save '', appendonly no)"}
