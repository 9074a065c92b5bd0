"""Fixtures of the worker's tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

# The tests are no package; this is how they share modules.
sys.path.append(str(Path(__file__).parent))
from service_fixtures import NewDatabase
from worker_lab import PreparedDatabase, Production, Receiver, receiving


@pytest.fixture(scope="session")
def prepared() -> PreparedDatabase:
    """What is done to a database once, and copied."""
    return PreparedDatabase()


@pytest.fixture
def make_production(
    tmp_path: Path, new_database: NewDatabase, prepared: PreparedDatabase
) -> Iterator[Callable[[str], Production]]:
    """The production form on a fresh database and the Redis of the URL given."""
    with ExitStack() as stack:

        def make(redis_url: str) -> Production:
            url = new_database(prepared)
            return Production(tmp_path, url, prepared.key, redis_url, stack)

        yield make


@pytest.fixture
def production(make_production: Callable[[str], Production], redis_url: str) -> Production:
    """The production form, its `api` running, without a worker."""
    made = make_production(redis_url)
    made.start_api()
    return made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An endpoint that answers."""
    with receiving() as receiver:
        yield receiver
