"""Alembic, run from inside the package: no alembic.ini, no command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from hookwright_server.store.errors import StoreRefused
from hookwright_server.store.worker_sessions import DEAD_AFTER_MS


def upgrade(engine: sa.Engine, to: str = "head") -> None:
    """Run every migration up to `to` that the database has not seen.

    Raises StoreRefused, also when processes use a database that is too old for company.
    """
    config = _config()
    with engine.begin() as connection:
        is_shared = connection.dialect.name == "postgresql"
        if is_shared:
            _have_time_and_no_company(connection)
        _refuse_unknown(config, connection)
        if is_shared:
            _refuse_beside_others(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def _have_time_and_no_company(connection: sa.Connection) -> None:
    """Of several processes that start at once one migrates and the others wait for it.

    The bounds that keep requests short are not for this transaction.
    """
    raw: Any = connection.connection.driver_connection
    raw.answer_s = None
    connection.detach()  # it ends with this upgrade
    for name in ("lock_timeout", "statement_timeout"):
        connection.exec_driver_sql(f"SET LOCAL {name} = 0")
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def _refuse_beside_others(connection: sa.Connection) -> None:
    """What runs on a schema before `ALONE_BEFORE` would go on writing without counting."""
    present = MigrationContext.configure(connection).get_current_revision()
    if present is None or present >= ALONE_BEFORE:
        return
    sessions = connection.scalar(_ALIVE, {"dead_after_ms": DEAD_AFTER_MS}) or 0
    connections = connection.scalar(_CONNECTED) or 0
    if sessions or connections:
        raise StoreRefused(
            f"the database is at schema {present} and in use ({sessions} worker sessions, "
            f"{connections} connections of `api`, `worker` or `doctor`). This version changes what "
            f"they write: stop every `api` and `worker`, wait {DEAD_AFTER_MS // 1000} s, run "
            "`migrate`, and start them with this version. Nothing was changed."
        )


ALONE_BEFORE = "0011"
"""Up to this schema nothing old may run while the database is migrated."""

# By the database's clock: `migrate` may run on any machine.
_ALIVE = sa.text(
    "SELECT count(*) FROM worker_sessions WHERE renewed_at >="
    " extract(epoch FROM clock_timestamp()) * 1000 - :dead_after_ms"
)
# Whoever serves reads, and keeps the connections; what migrates has not read yet.
_CONNECTED = sa.text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'hookwright-reader'"
)
_LOCK_KEY = int.from_bytes(b"hookwrgt")


def head() -> str | None:
    """The newest migration among the files."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    # Alembic interpolates its options.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _refuse_unknown(config: Config, connection: sa.Connection) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    present = MigrationContext.configure(connection).get_current_heads()
    unknown = set(present) - known
    if unknown:
        raise StoreRefused(
            f"the database is at schema {', '.join(sorted(unknown))}, which this version does "
            "not know: start a newer hookwright-server"
        )
