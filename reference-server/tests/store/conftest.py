"""Fixtures of the store's tests: each test of the contract runs on both back ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# The tests are no package; this is how they share a module.
sys.path.append(str(Path(__file__).parent))
from store_lab import StoreLab
from store_places import BACK_ENDS, migrated, new_place

from hookwright_server.store.database import Database
from hookwright_server.store.opening import OpenDatabase, open_database


@pytest.fixture
def wakes() -> list[str]:
    """One entry for each time the writer woke the engine."""
    return []


@pytest.fixture(params=BACK_ENDS)
def database(request: pytest.FixtureRequest, wakes: list[str]) -> Iterator[Database]:
    """An empty, migrated database of each back end."""
    opened = open_database(
        new_place(request, request.param, migrated), wake=lambda: wakes.append("wake")
    )
    yield opened
    opened.close()


@pytest.fixture
def lab(database: Database) -> StoreLab:
    """The database with hands."""
    return StoreLab(database)


@pytest.fixture
def postgres_place(request: pytest.FixtureRequest) -> str:
    """A migrated Postgres database of the test's own, for several processes' connections."""
    return new_place(request, "postgres", migrated)


@pytest.fixture
def opened(postgres_place: str) -> Iterator[Callable[[], OpenDatabase]]:
    """Opens the test's Postgres database as another process would."""
    databases: list[OpenDatabase] = []

    def one_more() -> OpenDatabase:
        databases.append(open_database(postgres_place, readers=2))
        return databases[-1]

    yield one_more
    for each in databases:
        each.close()
