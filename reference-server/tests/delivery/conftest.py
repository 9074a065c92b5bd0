"""Fixtures of the delivery tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests are no package; this is how they share modules.
sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1] / "store"))
from delivery_lab import DeliveryLab, ScriptedSender
from store_lab import StoreLab
from store_places import BACK_ENDS, migrated, new_place

from hookwright_server.delivery.waker import MemoryWaker
from hookwright_server.domain.vault import Vault
from hookwright_server.store.opening import open_database


@pytest.fixture(params=BACK_ENDS)
def lab(request: pytest.FixtureRequest) -> Iterator[DeliveryLab]:
    """An empty store whose writer wakes this lab's engines."""
    waker = MemoryWaker()
    database = open_database(new_place(request, request.param, migrated), wake=waker.wake)
    yield DeliveryLab(StoreLab(database), waker, ScriptedSender(), Vault({"k": b"k" * 32}, "k"))
    database.close()
