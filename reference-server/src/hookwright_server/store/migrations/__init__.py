"""Schema versions. Alembic is only imported when there is something to migrate."""

from __future__ import annotations

import sqlalchemy as sa

HEAD = "0015"
"""The schema that this version of the server works on."""


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to `HEAD`, in one transaction.

    Raises StoreRefused when the database was written by a newer version, or is in use and so old
    that what runs on it could not go on.
    """
    with engine.connect() as connection:
        if version(connection) == HEAD:
            return
    # Alembic costs a third of a second at each start.
    from hookwright_server.store.migrations.upgrade import upgrade

    upgrade(engine)


def is_current(connection: sa.Connection) -> bool:
    """Whether this version of the server can work on the schema.

    A newer one will do: during an upgrade the tables are changed first, and every change from
    0012 on leaves room for the version before.
    """
    present = version(connection)
    return present is not None and present >= HEAD


def version(connection: sa.Connection) -> str | None:
    """The schema version of the database; None: it has none yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found
