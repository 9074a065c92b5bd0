"""Sessions of the management routes: Flask-SQLAlchemy's one place (decision 0003).

A request that only reads gets one session, and so one snapshot, for as long as it lasts;
Flask-SQLAlchemy gives it back when the request ends, however it ends. Writes go through the
writer, and the hot paths use neither.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from hookwright_server.store.database import Connection
from hookwright_server.store.reading import read_carefully

T = TypeVar("T")

_log = logging.getLogger(__name__)


class RequestSessions(SQLAlchemy):
    """Sessions on an engine that exists already; valid inside `app`'s requests."""

    def __init__(self, engine: Engine, app: Flask) -> None:
        self._given = engine
        super().__init__()
        # Never dialled: `_make_engine` hands out the engine that the store has opened.
        app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
        self.init_app(app)
        app.teardown_appcontext(self._end)  # called before Flask-SQLAlchemy's own

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the snapshot of the present request. Raises StoreUnavailable."""
        return read_carefully(self._given, lambda: self._read(work))

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            return work(self.session.connection())
        except BaseException:
            self.session.rollback()  # so that the next try begins with another connection
            raise

    def _end(self, _error: BaseException | None) -> None:
        """End the snapshot. The answer was made: a database that went away since is no error."""
        if not self.session.registry.has():
            return
        session = self.session()
        try:
            session.rollback()
        except DBAPIError as error:
            _log.warning("session_lost error=%s", type(error.orig).__name__)
            session.invalidate()

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        return self._given
