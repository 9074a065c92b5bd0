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


def upgrade(engine: sa.Engine) -> None:
    """Run every migration that the database has not seen. Raises StoreRefused."""
    config = _config()
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            _have_time_and_no_company(connection)
        _refuse_unknown(config, connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


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
