"""Fixtures of the SDK's tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

# The tests are no package; this is how they share a module.
sys.path.append(str(Path(__file__).parent))
from sdk_harness import Driver, ScriptedApi


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """A scripted API of this test's own."""
    api = ScriptedApi()
    yield api
    api.close()


@pytest.fixture(params=["sync", "async", "aiohttp"])
def driver(request: pytest.FixtureRequest, api: ScriptedApi) -> Iterator[Driver]:
    """Every flavour, talking to `api`."""
    with ExitStack() as stack:
        yield Driver(request.param, api.base_url, stack)
