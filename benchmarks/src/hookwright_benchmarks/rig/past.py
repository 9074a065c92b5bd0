"""Thirty days of deliveries that have ended, with the sums that analytics would have of them.

However many there are, they lie evenly in the same time, at the same endpoints and events: two such
pasts differ in nothing but their number.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

from hookwright_benchmarks.rig import bulk
from hookwright_benchmarks.rig.backlog import ACCOUNT, Backlog
from hookwright_server.ids import first_id_at
from hookwright_server.services.principal import Principal
from hookwright_server.store.database import Connection
from hookwright_server.store.realm import Realm
from hookwright_server.store.rollup_counts import ANY, STEP_MS, Cell, Counts
from hookwright_server.store.rollup_deltas import Tally
from hookwright_server.store.rollup_folding import DAY_MS, HOUR_MS, fold

ENVIRONMENT = "test"
REALM = Realm(ACCOUNT, ENVIRONMENT)
PRINCIPAL = Principal("key_bench", ACCOUNT, ENVIRONMENT, frozenset({"admin"}), None, 60, 60)
DAYS = 30
FAN_OUT = 2
_ENDPOINTS, _EVENTS, _TAGS = 20, 20, 50
_FAILED = 50  # of so many messages one fails, at one and the same endpoint
_FRESH = 150  # transactions whose counts nobody has merged yet
_STEPS_AT_ONCE = 48
_CELLS_AT_ONCE = 20_000
_DIGITS = 1_000_000_000
_UP = "WITH RECURSIVE up(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM up WHERE n < {last})"
_MESSAGES = """
INSERT INTO messages (id, account_id, environment, app_id, event_name, event_id, payload,
    endpoint_count, filtered_count, created_at, tags) {up}
SELECT {message}, {place}, {event}, 'evt_' || CAST(n AS text), {payload}, 2, 0, {created},
    '["tag-' || CAST(n % {tags} AS text) || '"]' FROM up
"""
_MESSAGE_TAGS = """
INSERT INTO message_tags (account_id, environment, tag, message_id) {up}
SELECT {owner}, 'tag-' || CAST(n % {tags} AS text), {message} FROM up
"""
_DELIVERIES = """
INSERT INTO deliveries (id, account_id, environment, app_id, message_id, endpoint_id, event_name,
    status, attempt_count, uncounted_attempts, max_attempts, fence, last_status_code, latency_ms,
    created_at, completed_at) {up}
SELECT {delivery}, {place}, {message}, substr('{endpoints}', {at}, {length}), {event},
    CASE WHEN n % {failed} = 7 AND {k} = 1 THEN 'failed' ELSE 'delivered' END,
    1, 0, 10, 1, 200, 12, {created}, {created} FROM up
"""

RARE_EVENT = "event.rare"
RARE = 20
"""So many of the oldest messages have the event `RARE_EVENT`; so many of the oldest deliveries have
it and wait for their endpoints until far ahead, and so many after those have it and are cancelled.
"""
_RARE = (
    (
        f"UPDATE messages SET event_name = '{RARE_EVENT}'"
        f" WHERE id IN (SELECT id FROM messages ORDER BY id LIMIT {RARE})"
    ),
    (
        f"UPDATE deliveries SET event_name = '{RARE_EVENT}', status = 'pending',"
        f" completed_at = NULL, next_attempt_at = 4102444800000"
        f" WHERE id IN (SELECT id FROM deliveries ORDER BY id LIMIT {RARE})"
    ),
    (
        f"UPDATE deliveries SET event_name = '{RARE_EVENT}', status = 'cancelled'"
        f" WHERE id IN (SELECT id FROM deliveries ORDER BY id LIMIT {RARE} OFFSET {RARE})"
    ),
)


@dataclass(frozen=True, slots=True)
class Past:
    """A database, and examples of what is in it."""

    backlog: Backlog
    now_ms: int
    endpoint_id: str
    failing_id: str
    message_id: str
    per_hour: float
    event_name: str = "event.1"
    event_id: str = "evt_17"
    tag: str = "tag-7"

    def now(self) -> int:
        """When the past ends."""
        return self.now_ms


def write_past(backlog: Backlog, deliveries: int) -> Past:
    """Fill the database of `backlog`; its endpoints come with it."""
    endpoints = backlog.endpoints([f"http://127.0.0.1:9/{n}" for n in range(_ENDPOINTS)])
    now_ms = time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS
    began = now_ms - DAYS * DAY_MS
    messages = deliveries // FAN_OUT
    hours = DAYS * 24
    statements: list[str] = []
    for hour in range(hours):
        first, last = hour * messages // hours, (hour + 1) * messages // hours - 1
        if first <= last:
            statements += _hour(backlog, endpoints, began + hour * HOUR_MS, first, last)
    _write_sums(backlog, endpoints, began, messages)
    bulk.write(backlog.place, statements, is_history=True)
    bulk.write(backlog.place, _RARE, is_history=False)
    middle = messages // 2
    at_ms = began + next(h for h in range(hours) if (h + 1) * messages // hours > middle) * HOUR_MS
    return Past(
        backlog,
        now_ms,
        endpoint_id=endpoints[3],
        failing_id=endpoints[(2 * 7 + 1) % _ENDPOINTS],
        message_id=f"msg_{_prefix(at_ms)}{_DIGITS + middle}",
        per_hour=deliveries / hours,
    )


def _prefix(at_ms: int) -> str:
    return f"{first_id_at('msg', at_ms).removeprefix('msg_')[:10]}000000"


def _hour(
    backlog: Backlog, endpoints: list[str], at_ms: int, first: int, last: int
) -> Iterator[str]:
    is_postgres = backlog.database.engine.dialect.name == "postgresql"
    owner = f"'{ACCOUNT}', '{ENVIRONMENT}'"
    length = len(endpoints[0])
    common = {
        "up": _UP.format(first=first, last=last),
        "owner": owner,
        "place": f"{owner}, '{backlog.app_id}'",
        "message": f"'msg_{_prefix(at_ms)}' || CAST({_DIGITS} + n AS text)",
        "event": f"'event.' || CAST(n % {_EVENTS} AS text)",
        "created": f"{at_ms} + (n - {first}) * {HOUR_MS // (last - first + 1)}",
        "payload": r"'\x7b7d'::bytea" if is_postgres else "x'7b7d'",
        "tags": _TAGS,
        "failed": _FAILED,
        "endpoints": "".join(endpoints),
        "length": length,
    }
    yield _MESSAGES.format(**common)
    yield _MESSAGE_TAGS.format(**common)
    for k in range(FAN_OUT):
        number = f"CAST({_DIGITS} + {FAN_OUT} * n + {k} AS text)"
        yield _DELIVERIES.format(
            **common,
            k=k,
            delivery=f"'del_{_prefix(at_ms)}' || {number}",
            at=f"1 + {length} * (({FAN_OUT} * n + {k}) % {_ENDPOINTS})",
        )


def _write_sums(backlog: Backlog, endpoints: list[str], began: int, messages: int) -> None:
    steps = DAYS * DAY_MS // STEP_MS
    place = (ACCOUNT, ENVIRONMENT, backlog.app_id)
    for start in range(0, steps, _STEPS_AT_ONCE):

        def add(tx: Connection, start: int = start) -> None:
            tally = Tally()
            for step in range(start, min(start + _STEPS_AT_ONCE, steps)):
                first, end = step * messages // steps, (step + 1) * messages // steps
                for cell in _cells(endpoints, began + step * STEP_MS, first, end):
                    tally.add(place, cell)
            tally.write(tx, began)
            while fold(tx, _CELLS_AT_ONCE):
                pass

        backlog.database.write(add)
    backlog.database.write(partial(_write_fresh, endpoints=endpoints, at_ms=began, place=place))


def _write_fresh(
    tx: Connection, endpoints: list[str], at_ms: int, place: tuple[str, str, str]
) -> None:
    for number in range(_FRESH):
        tally = Tally()
        for cell in _cells(endpoints, at_ms, number, number + 1):
            tally.add(place, cell)
        tally.write(tx)


def _cells(endpoints: list[str], bucket: int, first: int, end: int) -> Iterator[Cell]:
    """What the messages numbered from `first` on count in one step."""
    for number in range(first, min(end, first + _EVENTS)):
        count = len(range(number, end, _EVENTS))
        name = f"event.{number % _EVENTS}"
        yield Cell(bucket, ANY, name, Counts(messages=count))
        for k in range(FAN_OUT):
            endpoint_id = endpoints[(FAN_OUT * number + k) % _ENDPOINTS]
            yield Cell(bucket, endpoint_id, name, _delivered(count, number % 64))


@cache
def _delivered(count: int, variant: int) -> Counts:
    """The counts of so many deliveries; cells only read them."""
    counts = Counts(messages=count, deliveries=count, delivered=count)
    draw = random.Random(variant)
    for _ in range(count):
        counts.attempted(None, 200, int(draw.lognormvariate(4, 0.8)))
    return counts
