"""Operational events are written with what they tell of, or not at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from delivery_lab import DeliveryLab, eventually
from rollup_recount import Recount, plain
from store_lab import ACCOUNT

from hookwright_server.delivery.attempt_log import AttemptLog
from hookwright_server.delivery.claim import Claim
from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.system_events import Happening, SystemEvents
from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.filters import Filter, compile_filter
from hookwright_server.domain.outcome import Refused
from hookwright_server.domain.retry_policy import RetryPolicies
from hookwright_server.store import apps, hot_sql, system_app, tables
from hookwright_server.store.acceptance import Acceptance
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import NotWritten, StaleSubscriptions
from hookwright_server.store.rollup_counts import STEP_MS, Counts
from hookwright_server.store.rollups import Rollups, Span

_TENANT = ("acc_one", "test")


def _events(lab: DeliveryLab) -> SystemEvents:
    return SystemEvents(RetryPolicies(RETRY_PRESETS), lab.store.clock, lab.store.ids)


def _happening(app_id: str) -> Happening:
    return Happening("endpoint.failing", _TENANT, app_id, {"endpoint_id": "ep_1"})


def _names(lab: DeliveryLab) -> list[str]:
    return [row["event_name"] for row in lab.store.rows(tables.messages)]


def _system(lab: DeliveryLab) -> tuple[str, str]:
    """The app `_system` and its endpoint."""
    app_id = lab.store.app(slug="_system", environment="test")
    return app_id, lab.endpoint(app_id)


def _total(app_id: str, span: Span, connection: Connection) -> Counts:
    return Rollups(connection, ACCOUNT, "test", app_id).total(span)


def test_it_goes_with_its_transaction(lab: DeliveryLab) -> None:
    """What is rolled back has not been told."""
    _system(lab)
    app_id = lab.store.app()

    def undone(connection: Connection) -> None:
        assert _events(lab).publish(connection, [_happening(app_id)])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lab.store.database.write(undone)

    assert [] == _names(lab)


def test_a_change_of_its_endpoints_is_no_reason_to_lose_it(
    lab: DeliveryLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the subscriptions have just changed, the fan-out is computed again; in the end it is
    an error, which undoes what was to be told of."""
    system_id, _ = _system(lab)
    app_id = lab.store.app()
    hot = lab.store.database.read(hot_sql.hot_sql)
    accept, left = type(hot).accept, [2]

    def stale_at_first(
        self: hot_sql.HotSql, connection: Connection, acceptances: list[Acceptance]
    ) -> list[NotWritten | None]:
        if left[0]:
            left[0] -= 1
            apps.bump_subscriptions(connection, system_id)
        return accept(self, connection, acceptances)

    monkeypatch.setattr(type(hot), "accept", stale_at_first)
    told = lab.store.database.write(
        lambda c: _events(lab).publish(c, [_happening(app_id), _happening(app_id)])
    )
    assert told
    assert ["endpoint.failing"] * 2 == _names(lab)

    left[0] = 100
    with pytest.raises(StaleSubscriptions):
        lab.store.database.write(lambda c: _events(lab).publish(c, [_happening(app_id)]))
    assert 2 == len(_names(lab))


def test_a_filter_is_compiled_once(lab: DeliveryLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often something is told; a changed one is compiled anew."""
    compiled: list[object] = []

    def counting(rules: Mapping[str, object]) -> Filter:
        compiled.append(rules)
        return compile_filter(rules)

    monkeypatch.setattr(system_app, "compile_filter", counting)
    system_id, listener = _system(lab)
    app_id = lab.store.app()
    own = type(lab.store.database).__name__  # the test's other runs compile others
    wanted: list[dict[str, object]] = [
        {"payload.endpoint_id": {"$in": [own, name]}} for name in ("ep_1", "ep_2")
    ]
    for rules in wanted:
        lab.store.update(tables.endpoints, listener, filter_rules=json.dumps(rules))
        for _ in range(3):
            lab.store.database.write(lambda c: _events(lab).publish(c, [_happening(app_id)]))

    assert wanted == compiled
    assert [system_id] * 3 == [row["app_id"] for row in lab.store.rows(tables.deliveries)]


def test_an_engine_delivers_what_it_tells(lab: DeliveryLab) -> None:
    """A dead letter of one app becomes a request to the endpoint of `_system`, without a hint."""
    _, listener = _system(lab)
    lab.store.update(tables.endpoints, listener, url="http://127.0.0.1:9/system")
    app_id = lab.store.app(retry_policy='{"delays_seconds": []}')
    endpoint_id = lab.endpoint(app_id)
    lab.store.deliver(app_id, endpoint_id)
    lab.sender.answer = lambda _: Refused(500)
    with lab.engine() as engine:
        lab.settle(engine)

    assert ["http://127.0.0.1:9/", "http://127.0.0.1:9/system"] == lab.sender.urls()


def test_what_is_told_beside_a_claim_is_waited_for(
    lab: DeliveryLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is not quiet when what ended beside its last claim published something."""
    _system(lab)
    app_id = lab.store.app(retry_policy='{"delays_seconds": []}')
    lab.store.deliver(app_id, lab.endpoint(app_id))
    lab.sender.answer = lambda _: Refused(500)
    lab.sender.hold(lambda _: len(lab.sender.requests) == 1)
    ended = asyncio.Event()
    claim, completed = Outbox.claim, AttemptLog.completed

    async def late(self: Outbox, *arguments: Any) -> Claim:
        found = await claim(self, *arguments)
        if lab.sender.requests and not ended.is_set():
            lab.sender.let_go()
            await ended.wait()
        return found

    def told(self: AttemptLog, *arguments: Any) -> None:
        ended.set()
        completed(self, *arguments)

    monkeypatch.setattr(Outbox, "claim", late)
    monkeypatch.setattr(AttemptLog, "completed", told)
    with lab.engine() as engine:
        eventually(lambda: len(lab.sender.requests) == 1)
        lab.settle(engine)

    assert 2 == len(lab.sender.requests)


def test_what_is_told_is_counted(lab: DeliveryLab) -> None:
    """Rollups agree with the rows of messages and deliveries that the platform itself made."""
    clock = lab.store.clock
    system_id, _ = _system(lab)
    lab.endpoint(system_id, events='["replay.*"]')
    app_id = lab.store.app(retry_policy='{"delays_seconds": []}')
    lab.store.deliver(app_id, lab.endpoint(app_id))
    lab.sender.answer = lambda _: Refused(500)
    with lab.engine() as engine:
        lab.settle(engine)

    span = Span(0, (clock.now // STEP_MS + 1) * STEP_MS)
    for each in (system_id, app_id):
        read = lab.store.database.read(partial(_total, each, span))
        assert plain(Recount(lab.store).counts(span, each)) == plain(read)
    assert plain(Recount(lab.store).counts(span, system_id))["filtered"]


def test_nobody_else_hears_of_it(lab: DeliveryLab) -> None:
    """Inactive and deleted apps and endpoints are not told, nor are other tenants."""
    system_id, endpoint_id = _system(lab)
    app_id = lab.store.app()

    def told(happening: Happening) -> bool:
        return lab.store.database.write(lambda c: _events(lab).publish(c, [happening]))

    assert told(_happening(app_id))
    assert not told(replace(_happening(app_id), tenant=("acc_one", "live")))
    assert not told(replace(_happening(app_id), tenant=("acc_two", "test")))
    assert not told(_happening(system_id))
    lab.store.update(tables.apps, system_id, active=False)
    assert not told(_happening(app_id))
    lab.store.update(tables.apps, system_id, active=True)
    lab.store.update(tables.endpoints, endpoint_id, deleted_at=1)
    assert not told(_happening(app_id))
    assert 1 == len(_names(lab))
