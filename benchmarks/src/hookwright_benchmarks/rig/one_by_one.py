"""The server without group commit: each accepted message is one statement and one commit.

For comparison only; run as `python -m` in place of `hookwright_server`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hookwright_server import cli, embedded, production
from hookwright_server.store import opening, postgres
from hookwright_server.store.acceptance import Acceptance
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.locking import WRITING
from hookwright_server.store.sqlite import SqliteDatabase
from hookwright_server.store.writer import WriterLimits
from hookwright_server.telemetry.meters import SILENT, WriterMeter

if TYPE_CHECKING:
    from flask import Flask

_CONNECTIONS = 64


class OneByOne(postgres.PostgresDatabase):
    """Each request has a connection of its own, as a server with a pool does it."""

    def __init__(self, url: str, wake: Callable[[], None] = lambda: None, *args: Any, **more: Any):
        super().__init__(url, wake, *args, **more)
        self._wake_up = wake
        engine = sa.create_engine(
            sa.make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=_CONNECTIONS,
            pool_use_lifo=True,
        )
        self._single = engine.execution_options(**{WRITING: True})

    def accept(self, acceptance: Acceptance) -> None:
        if acceptance.admit is not None:
            acceptance.admit()
        with self._single.begin() as connection:
            (refusal,) = hot_sql(connection).accept(connection, [acceptance])
        if refusal is not None:
            raise refusal
        if acceptance.deliveries:
            self._wake_up()


def _one_by_one(
    path: Path,
    wake: Callable[[], None] = lambda: None,
    _limits: WriterLimits | None = None,
    meter: WriterMeter = SILENT,
    *,
    lock: int | None = None,
) -> SqliteDatabase:
    return SqliteDatabase(path, wake, WriterLimits(group=1), meter, lock=lock)


def api_app() -> Flask:
    """`production.api_app` on such a database."""
    postgres.__dict__["PostgresDatabase"] = OneByOne
    return production.api_app()


def worker_app() -> Flask:
    """`embedded.worker_app` on such a database; only the engine groups."""
    opening.__dict__["SqliteDatabase"] = _one_by_one
    return embedded.worker_app()


if __name__ == "__main__":
    cli.__dict__["_API"] = "hookwright_benchmarks.rig.one_by_one:api_app"
    cli.__dict__["_WORKER"] = "hookwright_benchmarks.rig.one_by_one:worker_app"
    cli.main()
