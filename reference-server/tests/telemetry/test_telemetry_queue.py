"""The depth of the queue: what it counts, and how seldom it asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from store_lab import StoreLab
from store_places import BACK_ENDS, migrated, new_place

from hookwright_server.store import tables
from hookwright_server.store.opening import open_database
from hookwright_server.store.queue_depth import queue_depth
from hookwright_server.telemetry.meters import QueueDepth
from hookwright_server.telemetry.queue_collector import QueueCollector


@pytest.fixture(params=BACK_ENDS)
def store(request: pytest.FixtureRequest) -> Iterator[StoreLab]:
    """An empty store."""
    database = open_database(new_place(request, request.param, migrated))
    yield StoreLab(database)
    database.close()


def depth(store: StoreLab, most: int = 100) -> QueueDepth:
    """What the store counts now."""
    return store.database.read(lambda tx: queue_depth(tx, store.clock.now, most))


def test_an_empty_queue_is_zero(store: StoreLab) -> None:
    """Nothing is due, and nothing is old."""
    assert QueueDepth(0, 0, 0, None) == depth(store)


def test_pending_deliveries_count_by_what_they_wait_for(store: StoreLab) -> None:
    """Due, scheduled and held; the oldest due one is the oldest of an active endpoint."""
    app_id = store.app()
    endpoint_id, other = store.endpoint(app_id), store.endpoint(app_id)
    now = store.clock.now
    for offset in (-5_000, -9_000, 60_000):
        store.update(
            tables.deliveries, store.deliver(app_id, endpoint_id), next_attempt_at=now + offset
        )
    store.update(tables.deliveries, store.deliver(app_id, other), next_attempt_at=now - 99_000)
    store.update(tables.endpoints, other, active=False)
    done = store.deliver(app_id, endpoint_id)
    store.update(tables.deliveries, done, status="delivered", next_attempt_at=None)

    assert QueueDepth(2, 1, 1, now - 9_000) == depth(store)


def test_deliveries_of_deleted_endpoints_wait_for_nothing(store: StoreLab) -> None:
    """They read as cancelled, although their rows may still be pending."""
    app_id = store.app()
    endpoint_id = store.endpoint(app_id)
    store.deliver(app_id, endpoint_id)
    store.update(tables.endpoints, endpoint_id, deleted_at=1)

    assert QueueDepth(0, 0, 0, None) == depth(store)


def test_counting_ends_at_the_limit_but_the_oldest_is_found(store: StoreLab) -> None:
    """The cost is bounded, and no endpoint hides behind the limit."""
    app_id = store.app()
    now = store.clock.now
    for _ in range(3):
        for _ in range(2):
            store.deliver(app_id, store.endpoint(app_id))
    last = store.endpoint(app_id)
    store.update(tables.deliveries, store.deliver(app_id, last), next_attempt_at=now - 77)

    found = depth(store, most=3)

    assert (3, now - 77) == (found.due, found.oldest_due_at)


class Asked:
    """A database that answers slowly, by a clock that it moves itself."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.times = 0
        self.now = 100.0
        self.fails = False
        self._takes_s = takes_s

    def read(self) -> QueueDepth:
        self.times += 1
        self.now += self._takes_s
        if self.fails:
            raise RuntimeError("gone")
        return QueueDepth(self.times, 0, 0, 1_000)

    def registry(self) -> CollectorRegistry:
        registry = CollectorRegistry()
        registry.register(QueueCollector(self.read, lambda: 4_500, lambda: self.now))
        return registry


def test_the_database_is_asked_once_in_five_seconds() -> None:
    """Registering does not ask, and scrapes in between get what is known."""
    database = Asked()
    registry = database.registry()
    before = database.times
    seen: list[float | None] = []
    for pause in (0, 4.9, 0.2):
        database.now += pause
        seen.append(registry.get_sample_value("hookwright_queue_deliveries", {"state": "due"}))

    assert (0, [1, 1, 2]) == (before, seen)


def test_a_long_count_is_repeated_seldom() -> None:
    """It never takes more than a twentieth of the time."""
    database = Asked(takes_s=2.0)
    registry = database.registry()
    registry.get_sample_value("hookwright_database_up")
    database.now += 39.9
    registry.get_sample_value("hookwright_database_up")
    early = database.times
    database.now += 0.2
    registry.get_sample_value("hookwright_database_up")

    assert (1, 2) == (early, database.times)


def test_the_age_is_that_of_the_present() -> None:
    """It grows between two looks at the database."""
    registry = Asked().registry()

    assert 3.5 == registry.get_sample_value("hookwright_queue_oldest_due_age_seconds")


def test_without_the_database_the_page_says_so() -> None:
    """No stale depth is told, and the scrape does not fail."""
    database = Asked()
    database.fails = True
    registry = database.registry()

    assert 0 == registry.get_sample_value("hookwright_database_up")
    assert registry.get_sample_value("hookwright_queue_deliveries", {"state": "due"}) is None
