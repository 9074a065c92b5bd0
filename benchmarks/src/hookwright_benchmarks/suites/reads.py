"""What reading costs: analytics and lists, at many deliveries as at few."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from hookwright_benchmarks.results import Row, at_most
from hookwright_benchmarks.rig import costs
from hookwright_benchmarks.rig.backlog import Backlog
from hookwright_benchmarks.rig.past import PRINCIPAL, RARE, RARE_EVENT, REALM, Past, write_past
from hookwright_benchmarks.suites.plan import Plan
from hookwright_benchmarks.suites.turns import medians, row
from hookwright_benchmarks.suites.writer import drop
from hookwright_server.services.analytics import Analytics, Asked
from hookwright_server.store import deliveries, messages, replay_steps
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import DeliveryFilter
from hookwright_server.store.messages import MessageFilter
from hookwright_server.store.pages import PageQuery
from hookwright_server.store.replay_steps import Range
from hookwright_server.store.rollup_folding import DAY_MS, HOUR_MS

FEW = 10_000
MANY = {"embedded": 1_000_000, "production": 10_000_000}
_PAGE = PageQuery(limit=50)
_COUNTED = 1_000
_COUNT_OF_FEW = "dry run of a replay of what nobody has"

Read = Callable[[Connection], object]


def reads(plan: Plan, many: int | None = None) -> Iterator[Row]:
    """Each analytics operation, each list with each filter; `many`: deliveries to compare with."""
    rows = plan.of(MANY[plan.back_end] if many is None else many, 2 * FEW)
    began = time.monotonic()
    plan.say(f"reads: writing {rows:,} deliveries and their sums")
    large = write_past(Backlog(plan.fresh_place()), rows)
    small = write_past(Backlog(plan.fresh_place()), FEW)
    plan.say(f"reads: written in {time.monotonic() - began:.0f} s")
    measures: dict[str, Callable[[], float]] = {}
    for past, size in ((large, "large"), (small, "small")):
        for name, read in _reads(past).items():
            measures[f"{name} {size}"] = partial(_ms, past, read)
    # In turns: of each read the one after the other.
    found = medians(plan, dict(sorted(measures.items())))
    for each in (large.backlog, small.backlog):
        each.close()
        drop(plan, each.place)
    unit = costs.unit_of(shared=plan.is_production)
    for name in _reads(large):
        dear, cheap = found[f"{name} large"], found[f"{name} small"]
        ratios = [a / b for a, b in zip(dear, cheap, strict=True)]
        promise = f"{name}: at {rows:,} deliveries in 30 days ÷ at {FEW:,}"
        if name == _COUNT_OF_FEW:
            yield row(plan, promise, "ratio", ratios, note="each that failed is looked at")
        else:
            yield row(plan, promise, "ratio", ratios, at_most(2))
        yield row(plan, f"{name}: the larger of these", unit, dear)


def _ms(past: Past, read: Read) -> float:
    clock = costs.clock_of(past.backlog.database)

    def measured(tx: Connection) -> float:
        began = clock()
        read(tx)
        return (clock() - began) * 1000

    return past.backlog.database.read(measured)


def _reads(past: Past) -> dict[str, Read]:
    return {
        **_analytics(past),
        **_deliveries(past),
        **_rare_deliveries(past),
        **_messages(past),
        **_rare_messages(past),
        **_dry_runs(past),
    }


class _Clock:
    def __init__(self, past: Past) -> None:
        self.now_ms = past.now


def _analytics(past: Past) -> dict[str, Read]:
    service, app = Analytics(_Clock(past)), "bench"
    narrow = Asked(endpoint_id=past.endpoint_id, event_name=past.event_name)
    of_endpoint = Asked(endpoint_id=past.endpoint_id)
    of_event = Asked(event_name=past.event_name)
    day = Asked(after=past.now_ms - DAY_MS, before=past.now_ms)
    return {
        "stats": lambda tx: service.stats(tx, PRINCIPAL, app),
        "endpoints.stats, 30 days": lambda tx: service.of_endpoint(
            tx, PRINCIPAL, app, past.endpoint_id, "30d"
        ),
        "endpoints.stats, 1 hour": lambda tx: service.of_endpoint(
            tx, PRINCIPAL, app, past.endpoint_id, "1h"
        ),
        "summary of 7 days": lambda tx: service.summary(tx, PRINCIPAL, app, Asked()),
        "summary of an endpoint": lambda tx: service.summary(tx, PRINCIPAL, app, of_endpoint),
        "summary of an event": lambda tx: service.summary(tx, PRINCIPAL, app, of_event),
        "summary of both": lambda tx: service.summary(tx, PRINCIPAL, app, narrow),
        "timeseries of 7 days by hours": lambda tx: service.timeseries(
            tx, PRINCIPAL, app, "1h", Asked()
        ),
        "timeseries of both": lambda tx: service.timeseries(tx, PRINCIPAL, app, "1h", narrow),
        "timeseries of a day by 5 minutes": lambda tx: service.timeseries(
            tx, PRINCIPAL, app, "5m", day
        ),
        "overview": lambda tx: service.overview(tx, PRINCIPAL),
        "timeline of 30 days by days": lambda tx: service.timeline(tx, PRINCIPAL, "30d", "1d"),
    }


def _deliveries(past: Past) -> dict[str, Read]:
    wanted = {
        "all": DeliveryFilter(),
        "an app": DeliveryFilter(app_id=past.backlog.app_id),
        "an endpoint": DeliveryFilter(endpoint_id=past.endpoint_id),
        "a message": DeliveryFilter(message_id=past.message_id),
        "an event": DeliveryFilter(event_name=past.event_name),
        "an endpoint and event": DeliveryFilter(
            endpoint_id=past.endpoint_id, event_name=past.event_name
        ),
        "what failed": DeliveryFilter(statuses=("unsuccessful",)),
        "what failed of an app": DeliveryFilter(
            app_id=past.backlog.app_id, statuses=("unsuccessful",)
        ),
        "what failed of an endpoint": DeliveryFilter(
            endpoint_id=past.failing_id, statuses=("unsuccessful",)
        ),
        "a time": DeliveryFilter(after=past.now_ms - 20 * DAY_MS, before=past.now_ms - 10 * DAY_MS),
    }
    return {
        f"list of deliveries, {name}": partial(
            _page_of_deliveries,
            past=past,
            wanted=each,
            shown=2 if each.message_id else _PAGE.limit,
        )
        for name, each in wanted.items()
    }


def _rare_deliveries(past: Past) -> dict[str, Read]:
    """What few have or none has; by each, how many a page shows."""
    places: dict[str, dict[str, Any]] = {
        "": {},
        " of an app": {"app_id": past.backlog.app_id},
        " of an endpoint": {"endpoint_id": past.endpoint_id},
    }
    pages: dict[str, tuple[DeliveryFilter, int | None]] = {}
    for place, given in places.items():
        for status, shown in (
            ("pending", RARE),
            ("cancelled", RARE),
            ("held", 0),
            ("sending", 0),
            ("dead_letter", 0),
            ("delivered", _PAGE.limit),
        ):
            of_all = None if "endpoint_id" in given and shown == RARE else shown
            pages[f"{status}{place}"] = DeliveryFilter(statuses=(status,), **given), of_all
        # The first page looks at the newest only, and goes on.
        for name, event in (("a rare event", RARE_EVENT), ("an absent event", "no.such")):
            of_newest = None if "endpoint_id" in given and event == RARE_EVENT else 0
            pages[f"{name}{place}"] = DeliveryFilter(event_name=event, **given), of_newest
        of_failed = DeliveryFilter(event_name="no.such", statuses=("unsuccessful",), **given)
        pages[f"what failed{place} of an absent event"] = of_failed, 0
        mixed = DeliveryFilter(statuses=("pending", "failed"), **given)
        pages[f"pending or failed{place}"] = mixed, None
    pages["an absent message"] = DeliveryFilter(message_id="msg_0"), 0
    pages["an absent endpoint"] = DeliveryFilter(endpoint_id="ep_0"), 0
    pages["a time before all"] = DeliveryFilter(before=past.now_ms - 40 * DAY_MS), 0
    pages["an absent event of a time"] = (
        DeliveryFilter(event_name="no.such", after=past.now_ms - DAY_MS),
        0,
    )
    return {
        f"list of deliveries, {name}": partial(
            _page_of_deliveries, past=past, wanted=wanted, shown=shown
        )
        for name, (wanted, shown) in pages.items()
    }


def _page_of_deliveries(
    tx: Connection, past: Past, wanted: DeliveryFilter, shown: int | None = _PAGE.limit
) -> None:
    found = deliveries.page(tx, REALM, wanted, _PAGE, past.now_ms)
    if shown is not None:
        _expect(len(found.rows), shown)


def _messages(past: Past) -> dict[str, Read]:
    wanted = {
        "all": MessageFilter(),
        "an app": MessageFilter(app_id=past.backlog.app_id),
        "an event": MessageFilter(event_name=past.event_name),
        "an event id": MessageFilter(event_id=past.event_id),
        "a tag": MessageFilter(tag=past.tag),
        "a time": MessageFilter(after=past.now_ms - 20 * DAY_MS, before=past.now_ms - 10 * DAY_MS),
    }
    return {
        f"list of messages, {name}": partial(
            _page_of_messages, wanted=each, shown=1 if each.event_id else _PAGE.limit
        )
        for name, each in wanted.items()
    }


def _rare_messages(past: Past) -> dict[str, Read]:
    """What few have or none has: a page shows nothing, whether it is the last one or not."""
    wanted = {
        "a rare event": MessageFilter(event_name=RARE_EVENT),
        "an absent event": MessageFilter(event_name="no.such"),
        "an absent event of an app": MessageFilter(
            event_name="no.such", app_id=past.backlog.app_id
        ),
        "an absent event id": MessageFilter(event_id="no-such"),
        "an absent tag": MessageFilter(tag="no-such"),
        "a tag and an absent event": MessageFilter(tag=past.tag, event_name="no.such"),
        "an event id and a tag it lacks": MessageFilter(event_id=past.event_id, tag=past.tag),
        "an event id of another event": MessageFilter(
            event_id=past.event_id, event_name=past.event_name
        ),
    }
    return {
        f"list of messages, {name}": partial(_page_of_messages, wanted=each, shown=0)
        for name, each in wanted.items()
    }


def _page_of_messages(tx: Connection, wanted: MessageFilter, shown: int = _PAGE.limit) -> None:
    found = messages.page(tx, REALM, wanted, _PAGE)
    _expect(len(found.rows), shown)


def _dry_runs(past: Past) -> dict[str, Read]:
    # Nothing fits: all that failed in 30 days is looked at, until so many that it is refused.
    days = Range(
        past.backlog.app_id, past.now_ms - 30 * DAY_MS, past.now_ms, ("dead_letter",), None, None
    )
    return {
        _COUNT_OF_FEW: lambda tx: replay_steps.count(
            lambda part: part(tx), days, _COUNTED, past.now_ms
        ),
        **_dry_run(past),
    }


def _dry_run(past: Past) -> dict[str, Read]:
    # What is looked at is the whole range, so both have as much in theirs.
    hours = _COUNTED / past.per_hour
    after = int(past.now_ms - hours * HOUR_MS)
    wanted = Range(past.backlog.app_id, after, past.now_ms, ("delivered",), None, None)
    return {
        "dry run of a replay of a thousand": lambda tx: replay_steps.count(
            lambda part: part(tx), wanted, _COUNTED, past.now_ms
        )
    }


def _expect(found: int, expected: int) -> None:
    if found != expected:
        raise RuntimeError(f"{found} rows were shown, not {expected}")
