"""Order among deliveries with the same key, through whole engines: none overtakes another."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import pytest
from delivery_lab import DeliveryLab, ScriptedSender, eventually
from store_lab import START_MS, StoreLab
from store_places import migrated, new_place

from hookwright_server.clock import SystemClock
from hookwright_server.delivery.attempt_log import AttemptLog
from hookwright_server.delivery.engine import Engine, EngineLimits, Tools
from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.prepare import Preparer
from hookwright_server.delivery.recorder import Judge
from hookwright_server.delivery.sender import Attempted, OutgoingRequest
from hookwright_server.delivery.system_events import SystemEvents
from hookwright_server.delivery.waker import MemoryWaker
from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.outcome import Delivered, Outcome, Refused
from hookwright_server.domain.retry_policy import RetryPolicies
from hookwright_server.domain.vault import Vault
from hookwright_server.ids import Ids
from hookwright_server.store import cancelling, tables
from hookwright_server.store.audit import audit
from hookwright_server.store.opening import OpenDatabase, open_database

SOON = json.dumps({"delays_seconds": [0.01, 0.02], "jitter": 0})
PUBLISHERS = 3
EACH = 60
KEYS = ("a", "b", "c")


def test_one_at_a_time_whatever_comes_of_it(lab: DeliveryLab) -> None:
    """Delivered, retried, refused for good, out of attempts: the next one only then."""
    app_id = lab.store.app()
    endpoint = lab.endpoint(app_id, retry_policy=SOON)
    ids = [lab.store.deliver(app_id, endpoint, ordering_key="a") for _ in range(4)]
    rows = {row["message_id"]: row["id"] for row in lab.store.rows(tables.deliveries)}
    answers = iter([200, 500, 200, 400, 503, 503, 503])
    lab.sender.answer = lambda _request: _outcome(next(answers))
    with lab.engine() as engine:
        for _ in range(4):
            lab.pass_time(engine, 1_000)
    one, two, three, four = ids

    assert [one, two, two, three, four, four, four] == [
        rows[_message(request)] for request in lab.sender.requests
    ]
    assert ["delivered", "delivered", "failed", "dead_letter"] == [
        lab.store.row(tables.deliveries, each)["status"] for each in ids
    ]


def test_the_next_one_goes_without_waiting_for_a_look(lab: DeliveryLab) -> None:
    """Fifty go one after the other, in an engine that looks by itself once a minute."""
    app_id = lab.store.app()
    endpoint = lab.endpoint(app_id)
    for _ in range(50):
        lab.store.deliver(app_id, endpoint, ordering_key="a")
    with lab.engine(limits=EngineLimits(poll_ms=60_000)):
        eventually(lambda: len(lab.sender.requests) == 50)
        eventually(lambda: _finished(lab.store) == 50)


def test_what_expired_is_passed_over_at_once(lab: DeliveryLab) -> None:
    """Ten that expired while they waited keep nobody waiting, nor does one before its retry."""
    app_id = lab.store.app()
    endpoint = lab.endpoint(app_id, retry_policy='{"delays_seconds": [3600], "jitter": 0}')
    soon = START_MS + 1_000
    first = lab.store.deliver(app_id, endpoint, ordering_key="a", expires_at=soon)
    for _ in range(10):
        lab.store.deliver(app_id, endpoint, ordering_key="a", expires_at=soon)
    last = lab.store.deliver(app_id, endpoint, ordering_key="a")
    answers = iter([500, 200])
    lab.sender.answer = lambda _request: _outcome(next(answers))
    with lab.engine(limits=EngineLimits(poll_ms=60_000)) as engine:
        lab.settle(engine)
        lab.pass_time(engine, 1_000)

    assert ["cancelled", "delivered"] == [
        lab.store.row(tables.deliveries, each)["status"] for each in (first, last)
    ]
    assert 2 == len(lab.sender.requests)


def test_cancelled_while_it_is_sent(lab: DeliveryLab) -> None:
    """It ends with that attempt, and the next one goes then, not before."""
    app_id = lab.store.app()
    endpoint = lab.endpoint(app_id, retry_policy=SOON)
    first = lab.store.deliver(app_id, endpoint, ordering_key="a")
    second = lab.store.deliver(app_id, endpoint, ordering_key="a")
    lab.sender.answer = lambda _request: _outcome(503)
    lab.sender.hold()
    with lab.engine() as engine:
        eventually(lambda: len(lab.sender.requests) == 1)
        lab.store.database.write(lambda c: cancelling.stop(c, [first]))
        assert None is lab.store.row(tables.deliveries, second)["next_attempt_at"]
        lab.sender.let_go()
        eventually(lambda: len(lab.sender.requests) == 2)
        lab.settle(engine)

    assert "cancelled" == lab.store.row(tables.deliveries, first)["status"]


class Wavering(ScriptedSender):
    """Most answers are 200. Notes when each attempt began and ended, in whichever engine."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[tuple[float, float, str, str]] = []
        chance = random.Random(3)
        self.answer = lambda _request: _outcome(chance.choice([200] * 8 + [500, 503, 400]))

    async def send(self, request: OutgoingRequest) -> Attempted:
        began = time.monotonic()
        await asyncio.sleep(0.001)
        attempted = await super().send(request)
        self.spans.append((began, time.monotonic(), request.url, _message(request)))
        return attempted


class Crowd:
    """Several publishers, each a process of its own, and what they did."""

    def __init__(self, labs: list[StoreLab], app_id: str, endpoints: list[str]) -> None:
        self.labs, self.app_id, self.endpoints = labs, app_id, endpoints
        self.spans: list[tuple[float, float, str]] = []

    def publish(self, number: int) -> None:
        """One publisher's share: messages with keys in turn, and when each was accepted."""
        lab = self.labs[number]
        for count in range(EACH):
            key = KEYS[(number + count) % len(KEYS)]
            event = lab.acceptance(self.app_id, self.endpoints, ordering_key=key)
            began = time.monotonic()
            lab.database.accept(event)
            self.spans.append((began, time.monotonic(), event.message.id))

    def cancel_some(self, stop: threading.Event) -> None:
        """Cancels messages while they wait or are being sent."""
        lab, chooser = self.labs[-1], random.Random(7)
        while not stop.wait(0.02):
            ids = [message_id for _, _, message_id in list(self.spans)]
            if ids:
                cancel = partial(
                    cancelling.cancel_of_message,
                    message_id=chooser.choice(ids),
                    now_ms=lab.clock.now,
                )
                lab.database.write(cancel)


@pytest.fixture
def places(request: pytest.FixtureRequest) -> Iterator[list[OpenDatabase]]:
    """One Postgres database, as six processes would open it."""
    place = new_place(request, "postgres", migrated)
    opened = [open_database(place, readers=2) for _ in range(PUBLISHERS + 3)]
    yield opened
    for each in opened:
        each.close()


@pytest.mark.needs_service("postgres")
def test_many_processes_keep_one_order(places: list[OpenDatabase]) -> None:
    """Three publishers, two engines and somebody who cancels: no inversion, no gap, no overlap."""
    labs = [StoreLab(database, seed) for seed, database in enumerate(places)]
    for lab in labs:
        lab.clock.now = SystemClock().now_ms()
    vault, sender = Vault({"k": b"k" * 32}, "k"), Wavering()
    furnisher = DeliveryLab(labs[0], MemoryWaker(), sender, vault)
    app_id = labs[0].app()
    urls = {
        furnisher.endpoint(app_id, retry_policy=SOON, url=f"http://127.0.0.1:9/{n}"): f"/{n}"
        for n in range(2)
    }
    crowd = Crowd([*labs[:PUBLISHERS], labs[-1]], app_id, list(urls))
    engines = [
        _engine(database, seed, sender, vault)
        for seed, database in enumerate(places[PUBLISHERS:-1])
    ]
    stop = threading.Event()
    canceller = threading.Thread(target=crowd.cancel_some, args=(stop,))
    try:
        for engine in engines:
            engine.start()
        canceller.start()
        with ThreadPoolExecutor(PUBLISHERS) as pool:
            list(pool.map(crowd.publish, range(PUBLISHERS)))
        eventually(lambda: _finished(labs[0]) == 2 * PUBLISHERS * EACH)
    finally:
        stop.set()
        canceller.join()
        for engine in engines:
            engine.stop(drain_ms=0)
    findings = places[0].read(lambda c: audit(c, SystemClock().now_ms()))
    lanes: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for row in labs[0].rows(tables.deliveries):
        lane = lanes[urls[row["endpoint_id"]], row["ordering_key"]]
        lane[row["message_id"]] = row["sequence"]

    assert [] == [finding for finding in findings if finding.is_fault]
    assert 2 * len(KEYS) == len(lanes)
    for (url, _), places_of in lanes.items():
        mine = sorted(
            span for span in sender.spans if span[2].endswith(url) and span[3] in places_of
        )
        sequences = [places_of[span[3]] for span in mine]

        assert list(range(1, len(places_of) + 1)) == sorted(places_of.values())
        assert sorted(sequences) == sequences
        assert [] == [pair for pair in pairwise(mine) if pair[1][0] < pair[0][1]]
        accepted = [
            (span[0], span[1], places_of[span[2]]) for span in crowd.spans if span[2] in places_of
        ]
        assert [] == [
            (one, other)
            for one in accepted
            for other in accepted
            if one[1] < other[0] and one[2] > other[2]
        ]


def _engine(database: OpenDatabase, seed: int, sender: ScriptedSender, vault: Vault) -> Engine:
    clock, ids = SystemClock(), Ids(random.Random(100 + seed).randbytes)
    policies = RetryPolicies(RETRY_PRESETS)
    system = SystemEvents(policies, clock, ids)
    tools = Tools(
        outbox=Outbox(database, clock, ids, system, alone=False),
        preparer=Preparer(vault, clock, "0.0.0"),
        judge=Judge(policies, clock, ids, random=lambda: 0.0),
        make_sender=lambda: sender,
        waker=MemoryWaker(),
        clock=clock,
        log=AttemptLog(),
    )
    return Engine(tools, EngineLimits(poll_ms=20))


def _outcome(status: int) -> Outcome:
    return Delivered(status) if status == 200 else Refused(status)


def _finished(store: StoreLab) -> int:
    return sum(row["status"] not in ("pending", "sending") for row in store.rows(tables.deliveries))


def _message(request: OutgoingRequest) -> str:
    return dict(request.headers)["webhook-id"]
