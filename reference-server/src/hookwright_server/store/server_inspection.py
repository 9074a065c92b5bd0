"""All that can be seen of a Postgres database from outside, while servers work on it."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import exc

from hookwright_server.store.audit import Finding
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import StoreRefused, StoreUnavailable
from hookwright_server.store.inspection import Inspection, inspect_tables

_CONNECT_WITHIN_S = 5
# Without them a commit may be lost with the power. `synchronous_commit` has several values that
# are as good as `on`, or better.
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_NOW_MS = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"


def inspect_server(url: str) -> Inspection:
    """Look at everything in one snapshot, by the database's clock.

    However long it takes: it reads every delivery. Raises StoreRefused when `url` is none or the
    driver is missing, and StoreUnavailable when Postgres does not answer.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            return _inspect(connection)
    except exc.DBAPIError as error:
        raise StoreUnavailable(f"Postgres: {str(error.orig).strip()}") from error
    finally:
        engine.dispose()


def _inspect(connection: Connection) -> Inspection:
    now_ms: int = connection.exec_driver_sql(_NOW_MS).scalar_one()
    durability = {name: _setting(connection, name) for name in _DURABLE}
    return inspect_tables(
        connection, now_ms, durability=durability, found=tuple(_risks(durability))
    )


def _setting(connection: Connection, name: str) -> str:
    return str(connection.scalar(sa.text("SELECT current_setting(:name)"), {"name": name}))


def _risks(durability: dict[str, str]) -> Iterator[Finding]:
    off = tuple(f"{name}={value}" for name, value in durability.items() if value == "off")
    if off:
        meaning = "a commit that was answered may be lost with the power"
        yield Finding("durability", meaning, len(off), off, is_fault=True)


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url).set(drivername="postgresql+psycopg")
    except exc.ArgumentError as error:
        raise StoreRefused("HOOKWRIGHT_DATABASE is no URL of a Postgres database") from error
    options = {
        "default_transaction_isolation": "repeatable\\ read",
        "default_transaction_read_only": "on",
    }
    try:
        return sa.create_engine(
            parsed,
            hide_parameters=True,
            poolclass=sa.NullPool,
            connect_args={
                "connect_timeout": _CONNECT_WITHIN_S,
                "application_name": "hookwright-server doctor",
                "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            },
        )
    except ModuleNotFoundError as error:
        raise StoreRefused(
            f"{error.name} is missing: Postgres needs `pip install hookwright-server[production]`"
        ) from error
