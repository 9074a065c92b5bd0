"""Which database: a path is an embedded SQLite file, a URL is a Postgres server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hookwright_server.store.database import Database
from hookwright_server.store.errors import StoreRefused
from hookwright_server.store.sqlite import SqliteDatabase
from hookwright_server.store.writer import Wake, WriterLimits
from hookwright_server.telemetry.meters import SILENT, WriterMeter

if TYPE_CHECKING:
    import sqlalchemy as sa

_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")


class OpenDatabase(Database, Protocol):
    """A database with the engines behind it: `engine` migrates, `read_engine` reads snapshots."""

    @property
    def engine(self) -> sa.Engine: ...

    @property
    def read_engine(self) -> sa.Engine: ...


def is_server(where: str | Path) -> bool:
    """Whether `where` names a Postgres server, not a file."""
    return isinstance(where, str) and where.startswith(_SCHEMES)


def open_file(
    path: Path,
    wake: Wake = lambda: None,
    limits: WriterLimits | None = None,
    *,
    meter: WriterMeter = SILENT,
    lock: int | None = None,
) -> SqliteDatabase:
    """See `SqliteDatabase`."""
    return SqliteDatabase(path, wake, limits, meter, lock=lock)


def open_database(
    where: str | Path,
    wake: Wake = lambda: None,
    limits: WriterLimits | None = None,
    *,
    readers: int = 8,
    meter: WriterMeter = SILENT,
) -> OpenDatabase:
    """Open a SQLite file, made when missing, or connect to a Postgres server (`postgresql://…`).

    `wake` is called after each committed group that may have made deliveries due. `readers` is
    how many connections to Postgres this process reads with, beside the one it writes with.
    The tables are `migrations.migrate`'s matter. Raises StoreRefused, StoreLocked, and
    StoreUnavailable when Postgres does not answer.
    """
    if not is_server(where):
        return open_file(Path(where), wake, limits, meter=meter)
    try:
        # Only those who use Postgres need its driver.
        from hookwright_server.store.postgres import PostgresDatabase
    except ModuleNotFoundError as error:
        raise StoreRefused(
            f"{error.name} is missing: Postgres needs `pip install hookwright-server[production]`"
        ) from error
    return PostgresDatabase(str(where), wake, limits, readers=readers, meter=meter)
