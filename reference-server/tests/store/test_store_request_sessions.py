"""The sessions of reading requests, whose end must not undo an answer."""

from __future__ import annotations

import logging

import pytest
import sqlalchemy as sa
from flask import Flask

from hookwright_server.store.postgres import PostgresDatabase
from hookwright_server.store.session import RequestSessions

pytestmark = pytest.mark.needs_service("postgres")


def test_a_database_that_goes_away_after_the_answer_changes_nothing(
    postgres_place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The request ends in order, the dead connection is thrown away, and the next one is served."""
    database = PostgresDatabase(postgres_place, readers=2)
    app = Flask("reading")
    sessions = RequestSessions(database.read_engine, app)
    with caplog.at_level(logging.WARNING), app.app_context():
        pid = sessions.read(lambda c: c.scalar(sa.text("SELECT pg_backend_pid()")))
        database.read(lambda c: c.execute(sa.text("SELECT pg_terminate_backend(:p)"), {"p": pid}))
    with app.app_context():
        other = sessions.read(lambda c: c.scalar(sa.text("SELECT pg_backend_pid()")))
    lent = database.read_engine.pool.status()
    database.close()

    assert ["session_lost"] == [r.message.split()[0] for r in caplog.records]
    assert other != pid
    assert "Current Checked out connections: 0" in lent
