"""Fixtures of the store's tests. `database` is where a second back end joins the contract."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests are no package; this is how they share a module.
sys.path.append(str(Path(__file__).parent))
from store_lab import StoreLab

from hookwright_server.store.database import Database
from hookwright_server.store.migrations import migrate
from hookwright_server.store.sqlite import SqliteDatabase


@pytest.fixture
def wakes() -> list[str]:
    """One entry for each time the writer woke the engine."""
    return []


@pytest.fixture(params=["sqlite"])
def database(tmp_path: Path, wakes: list[str]) -> Iterator[Database]:
    """An empty, migrated database of each back end."""
    opened = SqliteDatabase(tmp_path / "hookwright.db", wake=lambda: wakes.append("wake"))
    migrate(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def lab(database: Database) -> StoreLab:
    """The database with hands."""
    return StoreLab(database)
