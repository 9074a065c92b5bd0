"""Analytics and lists find their rows by indexes, however many rows there are.

The statements are those that the product sends: each is caught and explained, so what was tested
cannot differ from them; and what is added to a filter or to analytics has to be named here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from store_lab import ACCOUNT, ENVIRONMENT, START_MS, ManualClock, StoreLab

from hookwright_server.ids import first_id_at
from hookwright_server.services.analytics import Analytics, Asked
from hookwright_server.services.principal import Principal
from hookwright_server.store import (
    deliveries,
    endpoints,
    messages,
    replay_steps,
    tables,
    upkeep,
)
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import DeliveryFilter
from hookwright_server.store.endpoints import EndpointFilter
from hookwright_server.store.messages import MessageFilter
from hookwright_server.store.pages import PageQuery
from hookwright_server.store.realm import Realm
from hookwright_server.store.replay_steps import Range
from hookwright_server.store.rollup_counts import NUMBERS, STEP_MS
from hookwright_server.store.rollup_folding import DAY_MS, HOUR_MS

Read = Callable[[Connection], object]

NOW_MS = START_MS + 30 * DAY_MS
ROWS = 5_000
PRINCIPAL = Principal("key_1", ACCOUNT, ENVIRONMENT, frozenset({"admin"}), None, 1, 1)
REALM = Realm(ACCOUNT, ENVIRONMENT)
PAGE = PageQuery(limit=50)
LIVE = ("pending", "sending", "held", "cancelled")
ENDPOINT, EVENT, TAG = "ep_7", "event_7", "tag_7"

_ID = f"{first_id_at('msg', START_MS)[4:14]}00000000"
_NUMBERS = "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < {rows})"
_TEXT = "CAST({} AS text)"
_MESSAGES = f"""
INSERT INTO messages (id, account_id, environment, app_id, event_name, event_id, payload,
    endpoint_count, filtered_count, created_at)
{_NUMBERS}
SELECT 'msg_{_ID}' || {_TEXT.format("10000000 + n")}, :account, :environment, :app,
    'event_' || {_TEXT.format("n % 20")}, 'evt_' || {_TEXT.format("n")}, :payload, 1, 0, :created
FROM up
"""
_TAGS = f"""
INSERT INTO message_tags (account_id, environment, tag, message_id)
{_NUMBERS}
SELECT :account, :environment, 'tag_' || {_TEXT.format("n % 50")},
    'msg_{_ID}' || {_TEXT.format("10000000 + n")} FROM up
"""
_DELIVERIES = f"""
INSERT INTO deliveries (id, account_id, environment, app_id, message_id, endpoint_id, event_name,
    status, attempt_count, uncounted_attempts, max_attempts, fence, created_at, completed_at)
{_NUMBERS}
SELECT 'del_{_ID}' || {_TEXT.format("10000000 + n")}, :account, :environment, :app,
    'msg_{_ID}' || {_TEXT.format("10000000 + n")}, 'ep_' || {_TEXT.format("n % 100")},
    'event_' || {_TEXT.format("n % 20")},
    CASE WHEN n % 50 = 7 THEN 'failed' ELSE 'delivered' END, 1, 0, 10, 1, :created, :created
FROM up
"""
_ROLLUPS = f"""
INSERT INTO rollups (account_id, environment, app_id, step_ms, endpoint_id, event_name, bucket,
    {", ".join(NUMBERS)}, latencies, reasons)
{_NUMBERS}
SELECT :account, :environment, {{app}}, :step, {{endpoint}}, {{event}},
    :begin + (n / {{series}}) * CAST(:step AS bigint),
    {", ".join("1" * len(NUMBERS))}, '{{{{}}}}', '{{{{}}}}'
FROM up
"""
_SERIES = {
    "all": ("''", "''", 1),
    "endpoints": (f"'ep_' || {_TEXT.format('n % 20')}", "''", 20),
    "events": ("''", f"'event_' || {_TEXT.format('n % 20')}", 20),
    "both": (f"'ep_' || {_TEXT.format('n % 20')}", f"'event_' || {_TEXT.format('n % 20')}", 20),
}

# For each member of a filter a value that some rows have.
DELIVERIES: dict[str, Any] = {
    "app_id": "app",
    "statuses": ("unsuccessful",),
    "endpoint_id": ENDPOINT,
    "event_name": EVENT,
    "message_id": f"msg_{_ID}10000017",
    "after": START_MS,
    "before": NOW_MS,
}
MESSAGES: dict[str, Any] = {
    "app_id": "app",
    "event_name": EVENT,
    "event_id": "evt_17",
    "tag": TAG,
    "after": START_MS,
    "before": NOW_MS,
}
ASKED = [Asked(None, None, of, name) for of in (None, ENDPOINT) for name in (None, EVENT)]


def _analytics(slug: str) -> dict[str, Read]:
    service = Analytics(ManualClock(NOW_MS))
    reads: dict[str, Read] = {
        "stats": lambda tx: service.stats(tx, PRINCIPAL, slug),
        "of_endpoint": lambda tx: service.of_endpoint(tx, PRINCIPAL, slug, ENDPOINT, "30d"),
        "summary": lambda tx: [service.summary(tx, PRINCIPAL, slug, each) for each in ASKED],
        "timeseries": lambda tx: [
            service.timeseries(tx, PRINCIPAL, slug, "1h", each) for each in ASKED
        ],
        "overview": lambda tx: service.overview(tx, PRINCIPAL),
        "timeline": lambda tx: service.timeline(tx, PRINCIPAL, "24h", "5m"),
    }
    assert {name for name in vars(Analytics) if not name.startswith("_")} == set(reads)
    return reads


def _page_of_deliveries(tx: Connection, wanted: DeliveryFilter) -> object:
    return deliveries.page(tx, REALM, wanted, PAGE, NOW_MS)


def _page_of_messages(tx: Connection, wanted: MessageFilter) -> object:
    return messages.page(tx, REALM, wanted, PAGE)


def _lists(app_id: str) -> dict[str, Read]:
    reads: dict[str, Read] = {
        "deliveries": partial(_page_of_deliveries, wanted=DeliveryFilter()),
        "messages": partial(_page_of_messages, wanted=MessageFilter()),
    }
    for each in fields(DeliveryFilter):
        narrow: dict[str, Any] = DELIVERIES | {"app_id": app_id}
        wanted = DeliveryFilter(**{each.name: narrow[each.name]})
        reads[f"deliveries by {each.name}"] = partial(_page_of_deliveries, wanted=wanted)
        if each.name in {"app_id", "endpoint_id"}:
            failed = DeliveryFilter(statuses=("failed",), **{each.name: narrow[each.name]})
            reads[f"failed by {each.name}"] = partial(_page_of_deliveries, wanted=failed)
        if each.name in {"app_id", "endpoint_id"}:
            live = DeliveryFilter(statuses=("pending", "held"), **{each.name: narrow[each.name]})
            reads[f"live by {each.name}"] = partial(_page_of_deliveries, wanted=live)
    for status in (*LIVE, "delivered", "dead_letter"):
        of_status = DeliveryFilter(statuses=(status,))
        reads[f"{status} deliveries"] = partial(_page_of_deliveries, wanted=of_status)
    both = MessageFilter(event_id="evt_17", tag=TAG)
    reads["messages by event_id and tag"] = partial(_page_of_messages, wanted=both)
    for each in fields(MessageFilter):
        values: dict[str, Any] = MESSAGES | {"app_id": app_id}
        some = MessageFilter(**{each.name: values[each.name]})
        reads[f"messages by {each.name}"] = partial(_page_of_messages, wanted=some)
    return reads


def _dry_run(
    tx: Connection, app_id: str, endpoint_id: str | None, status: str = "delivered"
) -> int | None:
    wanted = Range(app_id, START_MS, NOW_MS, (status,), EVENT, endpoint_id)
    return replay_steps.count(lambda part: part(tx), wanted, 1_000, NOW_MS)


@pytest.fixture
def app(lab: StoreLab) -> tuple[str, str]:
    """Id and slug of an app with some thousand rows in each large table."""
    app_id = lab.app()
    for number in range(100):
        lab.endpoint(app_id, id=f"ep_{number}")
    values = {"account": ACCOUNT, "environment": ENVIRONMENT, "app": app_id, "created": START_MS}

    def fill(tx: Connection) -> None:
        for statement in (_MESSAGES, _TAGS, _DELIVERIES):
            text = sa.text(statement.format(rows=ROWS))
            named = {name: values[name] for name in text.compile().params if name in values}
            more = {"payload": b"{}"} if statement is _MESSAGES else {}
            tx.execute(text, named | more)
        for step_ms in (STEP_MS, HOUR_MS, DAY_MS):
            for endpoint, name, series in _SERIES.values():
                statement = _ROLLUPS.format(
                    app=":app", endpoint=endpoint, event=name, series=series, rows=2_000
                )
                place = {name: values[name] for name in ("account", "environment")}
                begin = START_MS - START_MS % DAY_MS
                apps = (app_id, "") if series == 1 else (app_id,)
                for each in apps:
                    given = place | {"app": each, "step": step_ms, "begin": begin}
                    tx.execute(sa.text(statement), given)
        if tx.dialect.name == "postgresql":  # as autovacuum does; on SQLite nobody does
            tx.execute(sa.text("ANALYZE"))

    lab.database.write(fill)
    slug = lab.rows(tables.apps)[0]["slug"]
    return app_id, slug


@contextmanager
def _caught() -> Generator[list[tuple[str, Any]]]:
    caught: list[tuple[str, Any]] = []

    def catch(*call: Any) -> None:
        caught.append((call[2], call[3]))

    event.listen(sa.Engine, "before_cursor_execute", catch)
    try:
        yield caught
    finally:
        event.remove(sa.Engine, "before_cursor_execute", catch)


def _plan(
    lab: StoreLab, read: Read, run: Callable[[Callable[[Connection], Any]], Any] | None = None
) -> list[str]:
    """The lines of the plans of all that `read` asks of the database, in a transaction of `run`."""

    def work(tx: Connection) -> list[str]:
        is_sqlite = tx.dialect.name == "sqlite"
        if not is_sqlite:  # a small table must not hide that no index serves
            tx.execute(sa.text("SET LOCAL enable_seqscan = off"))
        with _caught() as caught:
            read(tx)
        explained = [each for each in caught if not each[0].startswith("SET ")]
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        plans = [tx.exec_driver_sql(f"{explain} {sql}", values).all() for sql, values in explained]
        return [str(line[-1]) for plan in plans for line in plan]

    lines: list[str] = (run or lab.database.read)(work)
    return lines


_LARGE = r"(deliveries|messages|message_tags|rollups|attempts)\b"
_WHOLE = re.compile(rf"(Seq Scan on|SCAN) {_LARGE}")
_SORTED = re.compile(r"^\s*(-> )?\s*(Incremental )?Sort\b|FOR ORDER BY")


# Here so few that they may be sorted.
_FEW = {
    "deliveries by message_id",
    "deliveries by endpoint_id",
    "live by app_id",
    "live by endpoint_id",
    *(f"{each} deliveries" for each in LIVE),
}
# Postgres may sort what a page looks at, down to the border that it found before.
_LOOKED_AT = {"deliveries by event_name", "messages by event_name", "delivered deliveries"}
_BORDER = re.compile(r"Index Cond: .*\bid >= ")


def test_lists_read_only_what_they_show(lab: StoreLab, app: tuple[str, str]) -> None:
    """No table is read as a whole, and nothing is sorted of which there may be any number."""
    plans = {name: _plan(lab, read) for name, read in _lists(app[0]).items()}

    assert {} == {
        name: lines
        for name, lines in plans.items()
        if any(_WHOLE.search(line) for line in lines) or _sorts_much(name, lines)
    }


def _sorts_much(name: str, lines: list[str]) -> bool:
    begin = next((at for at, line in enumerate(lines) if _SORTED.search(line)), None)
    if name in _FEW or begin is None:
        return False
    return name not in _LOOKED_AT or not any(_BORDER.search(line) for line in lines[begin:])


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("messages by event_id", "messages_by_event_id"),
        ("messages by tag", "message_tags"),
        ("deliveries by statuses", "deliveries_unsuccessful_by_scope"),
        ("failed by app_id", "deliveries_unsuccessful_by_app"),
        ("failed by endpoint_id", "deliveries_unsuccessful_by_endpoint"),
        ("pending deliveries", "deliveries_due"),
        ("held deliveries", "deliveries_due"),
        ("sending deliveries", "deliveries_leased"),
        ("cancelled deliveries", "deliveries_due"),
        ("cancelled deliveries", "deliveries_cancelled_by_scope"),
        ("live by app_id", "deliveries_due"),
        ("live by endpoint_id", "deliveries_due"),
        ("dead_letter deliveries", "deliveries_unsuccessful_by_scope"),
        ("messages by event_id and tag", "messages_by_event_id"),
        ("deliveries by endpoint_id", "deliveries_by_endpoint"),
        ("deliveries by message_id", "deliveries_by_message"),
    ],
)
def test_a_list_that_finds_few_of_many_has_an_index_of_its_own(
    lab: StoreLab, app: tuple[str, str], name: str, index: str
) -> None:
    """It need not walk past what does not fit."""
    lines = _plan(lab, _lists(app[0])[name])

    assert [] != [line for line in lines if index in line]


@pytest.mark.parametrize("name", ["cancel_for_deleted_endpoints", "leave_swept_endpoints"])
def test_upkeep_reads_deleted_endpoints_once(
    lab: StoreLab, app: tuple[str, str], name: str
) -> None:
    """Those of which nothing is left are not in the index by which it finds the others."""
    lab.update(tables.endpoints, "ep_1", deleted_at=1, is_swept=True)
    lab.update(tables.endpoints, "ep_2", app_id=app[0], deleted_at=1)
    chore = partial(getattr(upkeep, name), now_ms=NOW_MS, limit=10)
    lines = _plan(lab, chore, lab.database.write)
    used = {index for line in lines for index in re.findall(r"\bendpoints_[a-z]+", line)}

    assert {"endpoints_unswept"} == used - {"endpoints_pkey"}, lines
    assert [] == [line for line in lines if re.search(r"(Seq Scan on|SCAN) endpoints$", line)]


def test_analytics_read_only_their_time(lab: StoreLab, app: tuple[str, str]) -> None:
    """Sums are found by place and step, and all but those of the queue by time."""
    plans = {name: _plan(lab, read) for name, read in _analytics(app[1]).items()}

    assert {} == {
        name: lines
        for name, lines in plans.items()
        if any(_WHOLE.search(line) for line in lines) or not _is_bounded(name, lines)
    }


def test_the_events_and_endpoints_that_had_most_have_indexes_of_their_own(
    lab: StoreLab, app: tuple[str, str]
) -> None:
    """Of each such list there is one that holds nothing else."""
    lines = _plan(lab, _analytics(app[1])["summary"])

    assert {"rollups_of_events", "rollups_of_endpoints", "rollups_of_both"} == {
        name for line in lines for name in re.findall(r"rollups_of_\w+", line)
    }


def _is_bounded(name: str, lines: list[str]) -> bool:
    timed = [
        "bucket" in f"{line} {lines[at + 1] if at + 1 < len(lines) else ''}"
        for at, line in enumerate(lines)
        if re.search(r"(SEARCH|on) rollups\b", line)
    ]
    # What is pending was accepted at any time; a day has one row for each app.
    return bool(timed) and timed.count(False) <= (name == "overview")


def test_a_dry_run_counts_by_an_index(lab: StoreLab, app: tuple[str, str]) -> None:
    """Of an app and of an endpoint, in the order of the ids."""
    for endpoint_id in (None, ENDPOINT):
        lines = _plan(lab, partial(_dry_run, app_id=app[0], endpoint_id=endpoint_id))

        assert [] == [line for line in lines if _WHOLE.search(line)]


def test_a_dry_run_of_what_failed_counts_by_an_index_of_its_own(
    lab: StoreLab, app: tuple[str, str]
) -> None:
    """Whatever else was made in the time is not looked at."""
    for endpoint_id, name in ((None, "app"), (ENDPOINT, "endpoint")):
        read = partial(_dry_run, app_id=app[0], endpoint_id=endpoint_id, status="failed")

        assert [] != [
            line for line in _plan(lab, read) if f"deliveries_unsuccessful_by_{name}" in line
        ]


@pytest.mark.parametrize("name", ["of_app", "count_of_app", "page by app", "page", "by_state"])
def test_deleted_endpoints_are_not_read(lab: StoreLab, app: tuple[str, str], name: str) -> None:
    """Publishing, lists and counts look at those that are left, however many were deleted."""
    reads: dict[str, Read] = {
        "of_app": partial(endpoints.of_app, app_id=app[0]),
        "count_of_app": partial(endpoints.count_of_app, app_id=app[0], most=9),
        "page by app": lambda tx: endpoints.page(tx, REALM, EndpointFilter(app_id=app[0]), PAGE),
        "page": lambda tx: endpoints.page(tx, REALM, EndpointFilter(event_name=EVENT), PAGE),
        "by_state": partial(endpoints.by_state, realm=REALM),
    }

    def delete_most(tx: Connection) -> None:
        some = tables.endpoints.c.id != ENDPOINT
        tx.execute(sa.update(tables.endpoints).where(some).values(deleted_at=1))
        if tx.dialect.name == "postgresql":
            tx.execute(sa.text("ANALYZE endpoints"))

    lab.database.write(delete_most)
    lines = _plan(lab, reads[name])
    used = {index for line in lines for index in re.findall(r"\bendpoints_[a-z_]+", line)}

    assert used
    assert used <= {"endpoints_live_by_app", "endpoints_live_by_scope"}, lines
    assert [] == [line for line in lines if re.search(r"(Seq Scan on|SCAN) endpoints$", line)]
