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
from worker_lab import Production, Receiver, receiving


@pytest.fixture
def make_production(
    tmp_path: Path, new_database: NewDatabase
) -> Iterator[Callable[[str], Production]]:
    """The production form on a fresh database and the Redis of the URL given."""
    with ExitStack() as stack:
        yield lambda redis_url: Production(tmp_path, new_database(), redis_url, stack)


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
