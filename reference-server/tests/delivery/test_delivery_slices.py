"""An engine that claims in slices, as a worker's does."""

from __future__ import annotations

import threading
import time

import pytest
from delivery_lab import DeliveryLab, eventually

from hookwright_server.delivery.engine import Engine, EngineLimits
from hookwright_server.store.tables import deliveries

_PAUSED = EngineLimits(begins_paused=True, poll_ms=10, renew_ms=20)


def _statuses(lab: DeliveryLab) -> list[str]:
    return sorted(row["status"] for row in lab.store.rows(deliveries))


def test_a_paused_engine_claims_nothing(lab: DeliveryLab) -> None:
    """Neither by looking nor when it is woken; resumed, it does."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id)
    with lab.engine(limits=_PAUSED) as engine:
        for _ in range(3):
            lab.store.deliver(app_id, endpoint_id)
        time.sleep(0.1)  # ten looks long
        before = len(lab.sender.requests)
        engine.resume()
        eventually(lambda: len(lab.sender.requests) == 3)

    assert 0 == before


def test_what_is_under_way_outlives_the_slice(lab: DeliveryLab) -> None:
    """A pause ends no attempt, and its result is recorded."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id)
    lab.sender.hold()
    with lab.engine(limits=_PAUSED) as engine:
        engine.resume()
        lab.store.deliver(app_id, endpoint_id)
        eventually(lambda: len(lab.sender.requests) == 1)
        engine.pause()
        assert engine.claim_over(60)
        lab.store.deliver(app_id, endpoint_id)
        lab.sender.let_go()
        eventually(lambda: "delivered" in _statuses(lab))
        time.sleep(0.05)

        assert ["delivered", "pending"] == _statuses(lab)


def test_a_second_stop_hurries(lab: DeliveryLab) -> None:
    """The first gives attempts half an hour; the second ends them, and they are due again."""
    app_id = lab.store.app()
    endpoint_id = lab.endpoint(app_id)
    lab.sender.hold()
    with lab.engine() as engine:
        lab.store.deliver(app_id, endpoint_id)
        eventually(lambda: len(lab.sender.requests) == 1)
        first = threading.Thread(target=engine.stop, args=(1_800_000,))
        first.start()
        eventually(lambda: not engine.is_running())
        engine.stop(0)
        first.join(60)

        assert not first.is_alive()
    assert ["pending"] == _statuses(lab)


def test_a_stopped_engine_is_neither_paused_nor_resumed(lab: DeliveryLab) -> None:
    """Who stops it in a hurry may do so in the middle of a slice, whose end pauses it."""
    with lab.engine(limits=_PAUSED) as engine:
        engine.resume()
        engine.stop(0)

        engine.pause()
        engine.resume()

        assert not engine.is_running()


def test_an_engine_that_was_never_started_cannot_be_resumed(lab: DeliveryLab) -> None:
    """That is a mistake of its owner, who is told."""
    engine = Engine(lab.tools())

    with pytest.raises(RuntimeError, match="not running"):
        engine.resume()
