"""Alembic, run from inside the package: no alembic.ini, no command line."""

from __future__ import annotations

from pathlib import Path

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
        _refuse_unknown(config, connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


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
