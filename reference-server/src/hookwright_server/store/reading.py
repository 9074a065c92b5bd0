"""Reads that survive a connection which has died in the pool."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import NoReturn, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from hookwright_server.store.errors import StoreUnavailable

T = TypeVar("T")

_SQLITE_TROUBLE = (exc.OperationalError, sqlite3.OperationalError)


def read_carefully(engine: sa.Engine, read: Callable[[], T]) -> T:
    """The result of `read`, which may be called twice. Raises StoreUnavailable.

    After a restart of Postgres the pool holds dead connections; the first to find out empties it.
    """
    if engine.dialect.name == "sqlite":
        return _of_file(read)
    return _of_server(read)


def _of_file(read: Callable[[], T]) -> T:
    try:
        return read()
    except _SQLITE_TROUBLE as error:
        told = error.orig if isinstance(error, exc.OperationalError) else error
        raise StoreUnavailable(f"the database failed: {told}") from error


def _of_server(read: Callable[[], T]) -> T:
    from hookwright_server.store.postgres_driver import is_gone

    try:
        return read()
    except Exception as error:  # noqa: BLE001 - raised, translated, by `_raise`
        if not is_gone(error):
            _raise(error)
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - raised, translated, by `_raise`
        _raise(error)


def _raise(error: Exception) -> NoReturn:
    from hookwright_server.store.postgres_driver import translated

    told = translated(error)
    if told is error:
        raise error
    raise told from error
