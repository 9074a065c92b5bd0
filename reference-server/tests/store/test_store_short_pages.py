"""Pages of what no index serves look at few rows, go on, and together hold all that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from store_lab import ACCOUNT, ENVIRONMENT, StoreLab

from hookwright_server.store import deliveries, messages, pages, replay_steps, tables
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import DeliveryFilter
from hookwright_server.store.messages import MessageFilter
from hookwright_server.store.pages import PageQuery, RowPage
from hookwright_server.store.realm import Realm
from hookwright_server.store.replay_steps import Range

REALM = Realm(ACCOUNT, ENVIRONMENT)
STATUSES = ("pending", "delivered", "failed", "dead_letter", "cancelled", "sending")
NAMES = ("rare", "often", "often", "often", "often")
ROWS = 30

Fetch = Callable[[Connection, PageQuery], RowPage[Any]]


@pytest.fixture
def app_id(lab: StoreLab, monkeypatch: pytest.MonkeyPatch) -> str:
    """An app with messages and deliveries of several kinds; a page looks at 4 rows."""
    monkeypatch.setattr(pages, "LOOKED_AT", 4)
    app_id = lab.app()
    of_both = [lab.endpoint(app_id), lab.endpoint(app_id, active=False)]
    for number in range(ROWS):
        tags = ("all", "some") if number % 7 == 1 else ("all",)
        acceptance = lab.acceptance(app_id, of_both[number % 2 :][:1], tags=tags)
        lab.database.accept(acceptance)
        name = NAMES[number % len(NAMES)]
        event_id = "evt_1" if number % 3 else "evt_2"
        lab.update(tables.messages, acceptance.message.id, event_name=name, event_id=event_id)
        status = STATUSES[number % len(STATUSES)]
        delivery_id = acceptance.unordered[0].id
        lab.update(tables.deliveries, delivery_id, event_name=name, status=status)
        lab.clock.now += 1
    return app_id


def _walk(lab: StoreLab, fetch: Fetch, limit: int, offset: int = 0) -> list[list[str]]:
    """The ids of all pages."""
    query = PageQuery(limit, offset=offset)
    found: list[list[str]] = []
    while True:

        def read(tx: Connection, asked: PageQuery = query) -> RowPage[Any]:
            return fetch(tx, asked)

        page = lab.database.read(read)
        found.append([row.id for row in page.rows])
        if page.next_id is None:
            return found
        query = PageQuery(limit, page.next_id, page.skip)


def _deliveries(lab: StoreLab, **wanted: Any) -> Fetch:
    return lambda tx, query: deliveries.page(
        tx, REALM, DeliveryFilter(**wanted), query, lab.clock.now
    )


def _messages(**wanted: Any) -> Fetch:
    return lambda tx, query: messages.page(tx, REALM, MessageFilter(**wanted), query)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"event_name": "rare"}, 6),
        ({"event_name": "absent"}, 0),
        ({"statuses": ("delivered",)}, 5),
        ({"statuses": ("pending",)}, 5),
        ({"statuses": ("held",)}, 0),
        ({"statuses": ("cancelled", "sending")}, 10),
        ({"statuses": ("dead_letter",)}, 5),
        ({"statuses": ("unsuccessful",)}, 10),
        ({"statuses": ("pending", "failed")}, 10),
        ({"statuses": ("unsuccessful",), "event_name": "rare"}, 2),
        ({"statuses": ("sending",), "event_name": "rare"}, 1),
        ({"statuses": (*STATUSES, "held")}, 30),
    ],
)
@pytest.mark.parametrize("place", ["realm", "app"])
def test_deliveries(
    lab: StoreLab, app_id: str, wanted: dict[str, Any], count: int, place: str
) -> None:
    """All pages together are the list, newest first, and no page looks at more than 4."""
    given = wanted | ({"app_id": app_id} if place == "app" else {})
    found = _walk(lab, _deliveries(lab, **given), 3)
    ids = [each for page in found for each in page]
    query = PageQuery(ROWS, include_total=True)
    total = lab.database.read(lambda tx: _deliveries(lab, **given)(tx, query)).total

    assert sorted(set(ids), reverse=True) == ids
    assert (count, count) == (len(ids), total)
    assert len(found) >= count // 3


def test_a_page_of_what_is_rare_is_short(lab: StoreLab, app_id: str) -> None:
    """It looks at 4 rows, shows what fits of them, and leads on."""
    found = _walk(lab, _deliveries(lab, app_id=app_id, event_name="rare"), 50)

    # Of 30 the numbers 0, 5, 10 … fit, and the newest is number 29.
    assert [0, 1, 1, 1, 1, 0, 1, 1] == [len(page) for page in found]


@pytest.mark.parametrize("offset", [0, 1, 2, 5, 6, 7])
def test_an_offset_goes_on_over_short_pages(lab: StoreLab, app_id: str, offset: int) -> None:
    """As many that fit are passed over, however many rows are looked at for that."""
    fetch = _deliveries(lab, app_id=app_id, event_name="rare")
    every = [each for page in _walk(lab, fetch, 2) for each in page]

    rest = [each for page in _walk(lab, fetch, 2, offset) for each in page]

    assert every[offset:] == rest


def test_fewer_are_looked_at_of_what_lies_apart(lab: StoreLab, app_id: str) -> None:
    """A look at each costs more there, and a page is to cost the same."""
    every = len(_walk(lab, _messages(event_name="absent", app_id=app_id), 3))
    tagged = len(_walk(lab, _messages(event_name="absent", tag="all"), 3))

    assert (-(-ROWS // 4), ROWS) == (every, tagged)


@pytest.mark.parametrize("time", ["after", "before"])
def test_a_time_and_a_page_narrow_together(lab: StoreLab, app_id: str, time: str) -> None:
    """The rows of a time, whichever is narrower: its border or what is looked at."""
    instant = lab.clock.now - ROWS // 2
    found = _walk(lab, _deliveries(lab, app_id=app_id, event_name="often", **{time: instant}), 2)

    assert 12 == sum(map(len, found))


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"event_name": "rare"}, 6),
        ({"event_name": "absent"}, 0),
        ({"event_id": "evt_2"}, 10),
        ({"event_id": "evt_2", "event_name": "rare"}, 2),
        ({"event_id": "evt_1", "tag": "some"}, 4),
        ({"tag": "all"}, 30),
        ({"tag": "all", "event_name": "rare"}, 6),
        ({"tag": "some", "event_name": "often"}, 4),
        ({"event_id": "evt_2", "tag": "all", "event_name": "often"}, 8),
    ],
)
@pytest.mark.parametrize("place", ["realm", "app"])
def test_messages(
    lab: StoreLab, app_id: str, wanted: dict[str, Any], count: int, place: str
) -> None:
    """All pages together are the list, newest first."""
    given = wanted | ({"app_id": app_id} if place == "app" else {})
    ids = [each for page in _walk(lab, _messages(**given), 3) for each in page]

    assert sorted(set(ids), reverse=True) == ids
    assert count == len(ids)


@pytest.mark.parametrize("key", ["realm", "app", "bound key"])
def test_a_list_by_an_endpoint_of_others_is_empty_at_once(
    lab: StoreLab, app_id: str, key: str
) -> None:
    """How far a page has looked would tell of rows that are not the caller's."""
    other = lab.app("acc_other" if key == "realm" else ACCOUNT)
    account: dict[str, Any] = {"account_id": "acc_other"} if key == "realm" else {}
    theirs = lab.endpoint(other, **account)
    for _ in range(6):
        lab.database.accept(lab.acceptance(other, [theirs], **account))
    realm = Realm(ACCOUNT, ENVIRONMENT, app_id if key == "bound key" else None)
    wanted = DeliveryFilter(
        endpoint_id=theirs, event_name="absent", app_id=app_id if key == "app" else None
    )

    query = PageQuery(3, include_total=True)
    page = lab.database.read(lambda c: deliveries.page(c, realm, wanted, query, lab.clock.now))

    assert RowPage((), None, 0) == page


def test_a_count_of_a_range_looks_at_so_many(
    lab: StoreLab, app_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a range in which nothing fits; what failed is found without looking at the others."""
    monkeypatch.setattr(replay_steps, "LOOKED_AT", 12)
    monkeypatch.setattr(replay_steps, "_COUNTED_AT_ONCE", 6)

    def count(most: int, *statuses: str, event_name: str | None = None) -> int | None:
        wanted = Range(app_id, 0, lab.clock.now, statuses, event_name, None)
        return replay_steps.count(lab.database.read, wanted, most, lab.clock.now)

    assert (None, 2, 10, 2) == (
        count(9, "delivered"),
        count(2, "delivered"),
        count(99, "dead_letter", "failed"),
        count(99, "dead_letter", "failed", event_name="rare"),
    )
